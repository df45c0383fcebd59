#include "vmcore/monitor/init.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct mon_init_options options;
    const char *why = mon_init_parse(argc, argv, &options);

    if (why) {
        fprintf(stderr, "umlinit: %s\n", why);
        return 2;
    }
    return mon_init_run(&options);
}
