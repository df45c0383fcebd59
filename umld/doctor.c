/*
 * io.umld.Server.Doctor: examine the host for what umld needs and what would make guests fail. One
 * row per check; each says what is wrong and what to do.
 */
#include "schemas/api_rows.h"
#include "umld/cgroup.h"
#include "umld/child.h"
#include "umld/guest_ids.h"
#include "umld/kernels.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

struct finding {
    const char *result; /* ok, note, warning, problem */
    char text[400];
    char hint[300];
};

static void found(struct finding *f, const char *result, const char *hint, const char *fmt, ...)
    um_format(4, 5);

static void found(struct finding *f, const char *result, const char *hint, const char *fmt, ...)
{
    va_list ap;

    f->result = result;
    snprintf(f->hint, sizeof(f->hint), "%s", hint ? hint : "");
    va_start(ap, fmt);
    vsnprintf(f->text, sizeof(f->text), fmt, ap);
    va_end(ap);
}

static void check_program(struct finding *f, const char *name, const char *package,
                          const char *without)
{
    char path[PATH_MAX];
    struct um_error err;

    if (um_paths_program(name, package, path, sizeof(path), &err) == UM_OK)
        found(f, "ok", NULL, "%s", path);
    else
        found(f, "problem", err.hint, "%s", without);
}

static void check_bwrap(um_unused struct umld *umld, struct finding *f)
{
    check_program(f, "bwrap", "bubblewrap",
                  "bubblewrap is missing: no guest can start in a sandbox");
}

static void check_umlnetd(um_unused struct umld *umld, struct finding *f)
{
    char path[PATH_MAX];
    struct um_error err;

    if (um_paths_libexec("umlnetd", path, sizeof(path), &err) == UM_OK)
        found(f, "ok", NULL, "%s", path);
    else
        found(f, "problem", err.hint, "%s: no network can run", err.message);
}

static void check_mke2fs(um_unused struct umld *umld, struct finding *f)
{
    check_program(f, "mke2fs", "e2fsprogs", "mke2fs is missing: no image can be built");
}

static void check_busybox(um_unused struct umld *umld, struct finding *f)
{
    check_program(f, "busybox", "busybox-static",
                  "busybox is missing: no busybox image can be built");
}

static void check_tmp_exec(um_unused struct umld *umld, struct finding *f)
{
    int fd = memfd_create("doctor", MFD_CLOEXEC);
    void *p = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, 4096) == 0)
        p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        found(f, "problem", "a security module forbids executable shared memory",
              "executable shared memory is refused: %s", strerror(errno));
    else
        found(f, "ok", NULL, "executable shared memory works");
    if (p != MAP_FAILED)
        munmap(p, 4096);
    if (fd >= 0)
        close(fd);
}

/* Size of the host's xstate as ptrace sees it: kernels before 6.13 handle 2696 bytes by themselves.
 */
static long xstate_size(int *ret_errno)
{
    static char area[65536];
    struct iovec iov = {area, sizeof(area)};
    long size = -1;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(errno);
        raise(SIGSTOP);
        _exit(0);
    }
    if (pid > 0 && waitpid(pid, &status, 0) == pid) {
        if (WIFSTOPPED(status)) {
            if (ptrace(PTRACE_GETREGSET, pid, (void *)0x202, &iov) == 0)
                size = (long)iov.iov_len;
            *ret_errno = errno;
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
        } else if (WIFEXITED(status)) {
            *ret_errno = WEXITSTATUS(status);
        }
    }
    return size;
}

static void check_ptrace(um_unused struct umld *umld, struct finding *f)
{
    int errnum = 0;
    long size = xstate_size(&errnum);

    if (size < 0)
        found(f, "problem",
              "allow ptrace in the container's seccomp profile; kernel.yama.ptrace_scope must be "
              "below 3",
              "tracing a child is refused: %s", strerror(errnum));
    else
        found(f, "ok", NULL, "ptrace works; register area %ld bytes%s", size,
              size > 2696
                  ? ", larger than kernels before 6.13 handle: they run under libumlguard.so"
                  : "");
}

/* What can be had without swapping; the page cache is not in the way. */
static int64_t available_kib(void)
{
    char *text;
    const char *at;
    int64_t kib = -1;

    if (um_file_read("/proc/meminfo", 65536, &text, NULL, NULL))
        return -1;
    at = strstr(text, "MemAvailable:");
    if (at)
        kib = strtoll(at + strlen("MemAvailable:"), NULL, 10);
    free(text);
    return kib;
}

static void check_memory(um_unused struct umld *umld, struct finding *f)
{
    int64_t megabytes = available_kib() >> 10;

    if (megabytes < 0)
        found(f, "warning", NULL, "cannot be read");
    else if (megabytes < 128)
        found(f, "warning", "guest memory that cannot be had ends a guest with a panic",
              "only %" PRId64 " MiB are available", megabytes);
    else
        found(f, "ok", NULL, "%" PRId64 " MiB available", megabytes);
}

static void check_disk(struct umld *umld, struct finding *f)
{
    struct statvfs st;
    unsigned long long megabytes;

    if (statvfs(umld->paths.state_dir, &st) < 0) {
        found(f, "problem", NULL, "%s: %s", umld->paths.state_dir, strerror(errno));
        return;
    }
    megabytes = (unsigned long long)st.f_bavail * st.f_frsize >> 20;
    if (megabytes < 256)
        found(f, "warning", "free some space, or use another --state-dir",
              "%s has only %llu MiB left", umld->paths.state_dir, megabytes);
    else
        found(f, "ok", NULL, "%llu MiB left in %s", megabytes, umld->paths.state_dir);
}

static void check_libexec(um_unused struct umld *umld, struct finding *f)
{
    static const char *const files[] = {
        "umlmon", "umlinit", "libumlguard.so", "compat/uml_watchdog", "probe.cpio", "build-image"};
    char path[PATH_MAX];
    struct um_error err;

    for (size_t i = 0; i < UM_ARRAY_LEN(files); i++)
        if (um_paths_libexec(files[i], path, sizeof(path), &err)) {
            found(f, "problem", err.hint, "%s: %s", files[i], err.message);
            return;
        }
    *strrchr(path, '/') = '\0';
    found(f, "ok", NULL, "all in %s", path);
}

static void check_mapcount(um_unused struct umld *umld, struct finding *f)
{
    char *text;
    int64_t n;

    if (um_file_read("/proc/sys/vm/max_map_count", 64, &text, NULL, NULL)) {
        found(f, "note", NULL, "vm.max_map_count cannot be read");
        return;
    }
    text[strcspn(text, "\n")] = '\0';
    if (um_parse_int(text, 0, INT64_MAX, &n) && n < 65530)
        found(f, "warning", "sysctl vm.max_map_count=262144",
              "vm.max_map_count is %s: big guest processes may fail", text);
    else
        found(f, "ok", NULL, "vm.max_map_count is %s", text);
    free(text);
}

static void check_uids(struct umld *umld, struct finding *f)
{
    char range[32];

    if (guest_ids_any(umld))
        found(f, "ok", NULL, "each guest is a user of its own, one of %s",
              guest_ids_text(umld, range, sizeof(range)));
    else if (umld->system)
        found(f, "warning", "start umld --system as root, with --guest-uids FIRST-LAST",
              "all guests run as umld's own user: %s", guest_ids_why(umld));
    else
        found(f, "note", NULL, "all guests run as your own user, as always in user mode");
}

static void check_limits(struct umld *umld, struct finding *f)
{
    char can[64] = "", why[200] = "";

    for (int i = 0; i < LIMIT_COUNT; i++) {
        const char *name = guest_limit_name((enum guest_limit)i), *text;

        if (cgroups_hold(umld->cgroups, (enum guest_limit)i, &text))
            snprintf(can + strlen(can), sizeof(can) - strlen(can), "%s%s", can[0] ? ", " : "",
                     name);
        else if (!why[0])
            snprintf(why, sizeof(why), "%s: %s", name, text);
    }
    if (!why[0])
        found(f, "ok", NULL, "all can be held: %s", can);
    else
        found(f, umld->system ? "warning" : "note",
              "guests that ask for the others are not started; system mode, as root, can hold all "
              "that the host has controllers for",
              "can be held: %s; not %s", can[0] ? can : "none", why);
}

static const struct {
    const char *name;
    void (*check)(struct umld *umld, struct finding *f);
} checks[] = {
    {"programs", check_libexec},     {"bubblewrap", check_bwrap}, {"ptrace", check_ptrace},
    {"exec memory", check_tmp_exec}, {"memory", check_memory},    {"map count", check_mapcount},
    {"state disk", check_disk},      {"umlnetd", check_umlnetd},  {"mke2fs", check_mke2fs},
    {"busybox", check_busybox},      {"guest uids", check_uids},  {"limits", check_limits},
};

static json_t *check_json(const char *name, const struct finding *f)
{
    json_t *c = json_pack("{s:s,s:s,s:s}", "name", name, "result", f->result, "text", f->text);

    if (f->hint[0])
        json_object_set_new(c, "hint", json_string(f->hint));
    return c;
}

struct doctor {
    uint64_t call_id;
    json_t *checks;
};

static void kernel_checked(struct umld *umld, const struct kernel_entry *entry,
                           const struct um_error *err, void *arg)
{
    struct doctor *d = arg;
    struct api_call *call = api_call_find(umld->server, d->call_id);
    struct finding f;

    if (entry)
        found(&f, "ok", NULL, "%s (%s), xstate %s", entry->path, entry->facts.release,
              kernel_xstate_name(entry->verdict.xstate));
    else
        found(&f, "problem", err->hint, "%s: %s", err->object, err->message);
    json_array_append_new(d->checks, check_json("kernel", &f));
    if (call)
        api_reply(call, json_pack("{s:O}", "checks", d->checks));
    json_decref(d->checks);
    free(d);
}

static void append(struct doctor *d, const char *name, const struct finding *f)
{
    json_array_append_new(d->checks, check_json(name, f));
}

static void namespaces_tried(struct umld *umld, int wait_status, um_unused const char *output,
                             void *arg)
{
    struct finding f;

    if (wait_status == 0)
        found(&f, "ok", NULL, "user, pid and network namespaces can be made");
    else
        found(&f, "problem", "sysctl kernel.unprivileged_userns_clone=1, or run umld as root",
              "bubblewrap cannot make its namespaces here");
    append(arg, "namespaces", &f);
    /* Last, because a first probe takes a second or two. */
    kernels_resolve(umld, NULL, kernel_checked, arg);
}

/* Namespaces are made for real: sysctls alone do not tell. */
static void try_namespaces(struct umld *umld, struct doctor *d)
{
    char bwrap[PATH_MAX];
    const char *argv[] = {bwrap,
                          "--unshare-all",
                          "--die-with-parent",
                          "--ro-bind",
                          "/",
                          "/",
                          "--proc",
                          "/proc",
                          "--dev",
                          "/dev",
                          "true",
                          NULL};
    struct child_spec spec = {
        .argv = argv, .limit_ms = 10000, .output_max = 4096, .done = namespaces_tried, .arg = d};
    struct um_error err;
    struct child *child;
    struct finding f;

    if (um_paths_program("bwrap", "bubblewrap", bwrap, sizeof(bwrap), &err) == UM_OK &&
        child_run(umld, &spec, &child, &err) == UM_OK)
        return;
    found(&f, "warning", NULL, "not tried: %s", err.message);
    append(d, "namespaces", &f);
    kernels_resolve(umld, NULL, kernel_checked, d);
}

void api_server_doctor(struct umld *umld, struct api_call *call, um_unused const json_t *params)
{
    struct doctor *d = calloc(1, sizeof(*d));

    if (!d)
        abort();
    d->call_id = api_call_id(call);
    d->checks = json_array();
    for (size_t i = 0; i < UM_ARRAY_LEN(checks); i++) {
        struct finding f = {.result = "ok"};

        checks[i].check(umld, &f);
        append(d, checks[i].name, &f);
    }
    try_namespaces(umld, d);
}
