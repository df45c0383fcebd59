#include "netd/compat/watchdog.h"

int main(int argc, char **argv)
{
    return watchdog_run(argc, argv, 3000, 100);
}
