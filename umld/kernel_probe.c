/*
 * Probing one kernel: read the file, ask it (--version, --showconfig, --help, in a sandbox that can
 * write nothing), then boot the probe guest under the very conditions guests get and judge what it
 * reports. The verdict comes from that experiment, not from CPU flags.
 */
#include "umld/child.h"
#include "umld/guest.h"
#include "umld/kernels.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ASK_LIMIT_MS = 10000, ASK_OUTPUT_MAX = 1 << 20, PROBE_LIMIT_MS = 60000 };

typedef enum um_code (*parse_fn)(const char *text, const char *object, struct kernel_facts *f,
                                 struct um_error *err);

static const struct {
    const char *option;
    parse_fn parse;
} questions[] = {
    {"--version", kernel_parse_version},
    {"--showconfig", kernel_parse_config},
    {"--help", kernel_parse_help},
};

struct probe_run {
    struct umld *umld;
    struct kernel_entry *entry;
    kernel_ready_fn done;
    void *arg;
    size_t question;
    struct kernel_probe result;
    struct launch_kernel launch;
    struct guest *guest;
    struct um_timer *limit;
    bool killed; /* its time was up */
    char object[96];
};

static void finish(struct probe_run *p, const struct um_error *err)
{
    um_timer_free(p->limit);
    p->done(p->umld, err ? NULL : p->entry, err, p->arg);
    free(p);
}

static void on_notify(struct guest *g, const char *text, void *arg)
{
    struct probe_run *p = arg;

    if (kernel_probe_parse(text, &p->result))
        guest_post(g, GUEST_U_KILL);
}

static void on_end(struct guest *g, void *arg)
{
    struct probe_run *p = arg;
    struct um_error err;

    /* umld's own trouble says nothing about the kernel, and must not be remembered as if it did. */
    if (!p->result.ran && !(g->end.kind == POLICY_END_EXIT && !p->killed &&
                            (g->end.panicked || WIFSIGNALED(g->end.wait_status)))) {
        um_fail(&err, UM_E_INTERNAL, p->object, NULL, "cannot be probed: %s",
                p->killed     ? "the probe guest did not report in time"
                : g->end.text ? g->end.text
                              : "the probe guest ended without a report");
        finish(p, &err);
        return;
    }
    kernel_judge(&p->entry->facts, p->entry->elf.dynamic, &p->result, p->launch.guard, g->cause,
                 &p->entry->verdict);
    p->entry->lpj = p->result.ran ? p->result.lpj : 0;
    finish(p, NULL);
}

static void on_limit(void *arg)
{
    struct probe_run *p = arg;

    p->killed = true;
    guest_post(p->guest, GUEST_U_KILL);
}

static enum um_code probe_definition(struct guest_definition *d, struct um_error *err)
{
    static unsigned long long counter;
    char cpio[PATH_MAX], word[PATH_MAX + 16];
    const char *words[] = {"mem=64M", "con0=managed", word};
    enum um_code code = um_paths_libexec("probe.cpio", cpio, sizeof(cpio), err);

    if (code)
        return code;
    snprintf(word, sizeof(word), "initrd=%s", cpio);
    *d = GUEST_DEFINITION_INIT;
    for (size_t i = 0; i < UM_ARRAY_LEN(words); i++) {
        code = guest_definition_apply(d, words[i], NULL, err);
        if (code)
            return code;
    }
    if (asprintf(&d->name, "probe-%d-%llu", (int)getpid(), ++counter) < 0 ||
        !um_strv_add(&d->cmdline, "umld.probe"))
        return um_fail(err, UM_E_NO_RESOURCES, "probe guest", NULL, "out of memory");
    return UM_OK;
}

static void boot_probe(struct probe_run *p)
{
    struct guest_definition def = GUEST_DEFINITION_INIT;
    struct um_error err;

    p->entry->verdict =
        (struct kernel_verdict){.guard = p->entry->facts.guard && p->entry->elf.dynamic};
    p->entry->lpj = 0;
    kernel_launch(p->entry, &p->launch);
    um_fail(&err, UM_E_NO_RESOURCES, p->object, NULL, "out of memory");
    p->limit = um_timer_new(p->umld->loop, on_limit, p);
    um_fail(&err, UM_E_NO_RESOURCES, p->object, NULL, "out of memory");
    if (!p->limit || probe_definition(&def, &err) ||
        guest_create_internal(p->umld, &def, &p->guest, &err)) {
        guest_definition_done(&def);
        finish(p, &err);
        return;
    }
    p->guest->given_kernel = &p->launch;
    p->guest->on_notify = on_notify;
    p->guest->on_end = on_end;
    p->guest->internal_arg = p;
    um_timer_arm(p->limit, PROBE_LIMIT_MS * UM_MS_NS);
    guest_post(p->guest, GUEST_U_START);
}

static void ask_next(struct probe_run *p);

static void answered(um_unused struct umld *umld, int wait_status, const char *output, void *arg)
{
    struct probe_run *p = arg;
    struct um_error err;

    if (wait_status != 0) {
        um_fail(&err, UM_E_INVALID, p->object, "kernel", "is no UML kernel that works here: %s %s",
                questions[p->question].option,
                wait_status == -1 ? "gave no answer within 10 s" : "failed");
        um_hint(&err, "try it by hand: %s --version", p->entry->path);
        finish(p, &err);
        return;
    }
    if (questions[p->question].parse(output, p->object, &p->entry->facts, &err)) {
        finish(p, &err);
        return;
    }
    p->question++;
    if (p->question < UM_ARRAY_LEN(questions)) {
        ask_next(p);
    } else if (!p->entry->facts.uml) {
        um_fail(&err, UM_E_INVALID, p->object, "kernel", "is not a UML kernel");
        um_hint(&err,
                "a UML kernel is built with ARCH=um; Debian's is in the package user-mode-linux");
        finish(p, &err);
    } else {
        boot_probe(p);
    }
}

static void ask_next(struct probe_run *p)
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
                          "--tmpfs",
                          "/tmp",
                          "--ro-bind", /* it may be in /tmp itself */
                          p->entry->path,
                          p->entry->path,
                          "--cap-drop",
                          "ALL",
                          p->entry->path,
                          questions[p->question].option,
                          NULL};
    struct child_spec spec = {.argv = argv,
                              .limit_ms = ASK_LIMIT_MS,
                              .output_max = ASK_OUTPUT_MAX,
                              .done = answered,
                              .arg = p};
    struct um_error err;
    struct child *child;

    if (um_paths_program("bwrap", "bubblewrap", bwrap, sizeof(bwrap), &err) ||
        child_run(p->umld, &spec, &child, &err))
        finish(p, &err);
}

void kernel_probe_start(struct umld *umld, struct kernel_entry *entry, kernel_ready_fn done,
                        void *arg)
{
    struct probe_run *p = calloc(1, sizeof(*p));
    struct um_error err;

    if (!p)
        abort();
    *p = (struct probe_run){.umld = umld, .entry = entry, .done = done, .arg = arg};
    snprintf(p->object, sizeof(p->object), "kernel %.80s", entry->path);
    um_log(UM_LOG_INFO, "kernel %s: probing", entry->path);
    kernel_facts_done(&entry->facts);
    entry->facts = KERNEL_FACTS_INIT;
    kernel_elf_done(&entry->elf);
    entry->elf = KERNEL_ELF_INIT;
    if (kernel_elf_read(entry->path, &entry->elf, &err))
        finish(p, &err);
    else
        ask_next(p);
}
