#include "umld/process.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The whole of a small file of /proc/PID, NUL terminated. False: gone. */
static bool read_proc(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    FILE *f;
    size_t n;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    f = fopen(path, "re");
    if (!f)
        return false;
    n = fread(text, 1, size - 1, f);
    fclose(f);
    text[n] = '\0';
    return n > 0;
}

int64_t process_cpu_ticks(pid_t pid)
{
    unsigned long long user, system;
    char text[1024], *p;

    if (!read_proc(pid, "stat", text, sizeof(text)) || !(p = strrchr(text, ')')) ||
        sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
        return 0;
    return (int64_t)(user + system);
}

int64_t process_cpu_wait_ns(pid_t pid)
{
    unsigned long long wait;
    char text[128];

    if (!read_proc(pid, "schedstat", text, sizeof(text)) || sscanf(text, "%*u %llu", &wait) != 1)
        return -1;
    return (int64_t)wait;
}

pid_t process_parent(pid_t pid)
{
    char text[1024], *p;
    int parent;

    if (!read_proc(pid, "stat", text, sizeof(text)) || !(p = strrchr(text, ')')) ||
        sscanf(p + 2, "%*c %d", &parent) != 1)
        return 0;
    return parent;
}
