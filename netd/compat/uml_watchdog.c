#include "netd/compat/watchdog.h"

int main(int argc, char **argv)
{
    return watchdog_run(argc, argv, WATCHDOG_LIMIT_MS, 1000);
}
