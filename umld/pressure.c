#include "umld/pressure.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static bool read_number(const char *path, const char *format, double *ret)
{
    FILE *f = fopen(path, "re");
    bool ok = f && fscanf(f, format, ret) == 1;

    if (f)
        fclose(f);
    return ok;
}

int pressure_read(const char *psi, const char *loadavg, long cpus)
{
    double percent = 0, load;

    if (!read_number(psi, "some avg10=%lf", &percent) && read_number(loadavg, "%lf", &load) &&
        load > (double)cpus)
        percent = 100 * (load - (double)cpus) / load;
    return percent < 0 ? 0 : percent > 100 ? 100 : (int)percent;
}

int pressure_cpu(void)
{
    return pressure_read("/proc/pressure/cpu", "/proc/loadavg", sysconf(_SC_NPROCESSORS_ONLN));
}
