#include "vmcore/monitor/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TREE_MAX = 65536, PIN_PASSES = 16 };

struct entry {
    pid_t pid, parent;
    bool below, zombie;
};

struct table {
    struct entry *rows;
    size_t count, cap;
};

static pid_t pid_of_name(const char *name)
{
    char *end;
    long value = strtol(name, &end, 10);

    return *end || value <= 0 || value > INT32_MAX ? 0 : (pid_t)value;
}

/* proc(5): fields 3 and 4 of stat, counted from the last ')' since a name may hold anything. */
static bool read_entry(pid_t pid, struct entry *ret)
{
    char path[48], text[512], state;
    const char *p;
    ssize_t n;
    int fd, parent;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    p = strrchr(text, ')');
    if (!p || sscanf(p + 1, " %c %d", &state, &parent) != 2)
        return false;
    *ret = (struct entry){.pid = pid, .parent = parent, .zombie = state == 'Z' || state == 'X'};
    return true;
}

static bool add_entry(struct table *t, const struct entry *e)
{
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        struct entry *rows = cap > TREE_MAX ? NULL : realloc(t->rows, cap * sizeof(*rows));

        if (!rows)
            return false;
        t->rows = rows;
        t->cap = cap;
    }
    t->rows[t->count++] = *e;
    return true;
}

static bool read_table(struct table *t)
{
    DIR *d = opendir("/proc");
    struct dirent *de;
    struct entry e;
    bool ok = true;

    if (!d)
        return false;
    while (ok && (de = readdir(d))) {
        pid_t pid = pid_of_name(de->d_name);

        if (pid > 0 && read_entry(pid, &e))
            ok = add_entry(t, &e);
    }
    closedir(d);
    return ok;
}

static bool is_below(const struct table *t, pid_t pid)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->rows[i].pid == pid)
            return t->rows[i].below;
    return false;
}

/* Parents may be listed after their children (pids wrap), hence passes until nothing changes. */
static void mark_below(struct table *t, pid_t root)
{
    bool changed = true;

    while (changed) {
        changed = false;
        for (size_t i = 0; i < t->count; i++) {
            struct entry *e = &t->rows[i];

            if (e->below || (e->parent != root && !is_below(t, e->parent)))
                continue;
            e->below = changed = true;
        }
    }
}

bool mon_tree_list(pid_t root, struct mon_tree *ret)
{
    struct table t = {.rows = NULL};
    size_t n = 0;
    pid_t *pids;

    if (!read_table(&t)) {
        free(t.rows);
        return false;
    }
    mark_below(&t, root);
    pids = calloc(t.count + 1, sizeof(*pids));
    for (size_t i = 0; pids && i < t.count; i++)
        if (t.rows[i].below && !t.rows[i].zombie)
            pids[n++] = t.rows[i].pid;
    free(t.rows);
    if (!pids)
        return false;
    *ret = (struct mon_tree){.pids = pids, .count = n};
    return true;
}

void mon_tree_done(struct mon_tree *t)
{
    free(t->pids);
    *t = (struct mon_tree){.pids = NULL};
}

int mon_tree_kill(pid_t root, pid_t spare)
{
    struct mon_tree t;
    int alive = 0;

    if (!mon_tree_list(root, &t))
        return -1;
    for (size_t i = 0; i < t.count; i++) {
        if (t.pids[i] == spare)
            continue;
        kill(t.pids[i], SIGKILL);
        alive++;
    }
    mon_tree_done(&t);
    return alive;
}

int mon_tree_pin_thread(pid_t tid, int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (cpu >= CPU_SETSIZE)
        return EINVAL;
    if (cpu >= 0)
        CPU_SET((size_t)cpu, &set);
    else
        memset(&set, 0xff, sizeof(set)); /* sched_setaffinity(2) leaves out what does not exist */
    return sched_setaffinity(tid, sizeof(set), &set) < 0 ? errno : 0;
}

/* Threads of one process; counts those set. ESRCH is no error: it ended meanwhile. */
static int pin_process(pid_t pid, int cpu, uint32_t *count)
{
    char path[48];
    struct dirent *de;
    int result = 0;
    DIR *d;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    d = opendir(path);
    if (!d)
        return 0;
    while ((de = readdir(d))) {
        pid_t tid = pid_of_name(de->d_name);
        int errnum = tid > 0 ? mon_tree_pin_thread(tid, cpu) : ESRCH;

        if (errnum == 0)
            (*count)++;
        else if (errnum != ESRCH)
            result = errnum;
    }
    closedir(d);
    return result;
}

int mon_tree_pin(pid_t root, int cpu, uint32_t *ret_count)
{
    uint32_t before = 0, count = 0;

    /*
     * A thread cloned during a pass inherits its parent's old mask when the parent had not been
     * reached yet; two passes with the same number of threads leave no such parent.
     */
    for (int pass = 0; pass < PIN_PASSES; pass++) {
        struct mon_tree t;
        int errnum = 0;

        if (!mon_tree_list(root, &t))
            return EIO;
        count = 0;
        for (size_t i = 0; i < t.count && errnum == 0; i++)
            errnum = pin_process(t.pids[i], cpu, &count);
        mon_tree_done(&t);
        if (errnum != 0)
            return errnum;
        if (pass > 0 && count == before)
            break;
        before = count;
    }
    *ret_count = count;
    return 0;
}
