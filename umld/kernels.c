#include "umld/kernels.h"

#include "umld/db.h"
#include "umld/events.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Where Debian's user-mode-linux and hand-built kernels are found when none is registered. */
static const char *const usual_places[] = {"/usr/bin/linux.uml", "/usr/local/bin/linux.uml",
                                           "/usr/bin/linux", "/usr/local/bin/linux"};

struct waiting {
    kernel_ready_fn done;
    void *arg;
    struct waiting *next;
};

/* A probe under way; everybody who asks for the same kernel waits for the same probe. */
struct probing {
    struct kernel_entry *entry;
    struct waiting *waiting;
    struct probing *next;
};

struct kernels {
    struct umld *umld;
    struct kernel_entry *list; /* newest version first is computed, the list is by age */
    struct probing *probing;
    char host[192];
};

static void read_host(char *ret, size_t size)
{
    char line[256], model[256] = "unknown CPU";
    FILE *f = fopen("/proc/cpuinfo", "re");
    struct utsname uts;

    while (f && fgets(line, sizeof(line), f))
        if (um_str_starts(line, "model name")) {
            char *colon = strchr(line, ':');

            snprintf(model, sizeof(model), "%s", colon ? colon + 2 : line);
            model[strcspn(model, "\n")] = '\0';
            break;
        }
    if (f)
        fclose(f);
    uname(&uts);
    snprintf(ret, size, "%.100s; %s", model, uts.release);
}

static void entry_free(struct kernel_entry *e)
{
    if (!e)
        return;
    free(e->name);
    free(e->path);
    free(e->identity);
    kernel_facts_done(&e->facts);
    kernel_elf_done(&e->elf);
    free(e);
}

static struct kernel_entry *entry_new(const char *name, const char *path)
{
    struct kernel_entry *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    e->facts = KERNEL_FACTS_INIT;
    e->elf = KERNEL_ELF_INIT;
    e->name = strdup(name);
    e->path = strdup(path);
    return e;
}

struct kernels *kernels_new(struct umld *umld)
{
    struct kernels *k = calloc(1, sizeof(*k));

    if (!k)
        return NULL;
    k->umld = umld;
    read_host(k->host, sizeof(k->host));
    return k;
}

void kernels_free(struct kernels *k)
{
    if (!k)
        return;
    while (k->list) {
        struct kernel_entry *e = k->list;

        k->list = e->next;
        entry_free(e);
    }
    free(k);
}

static char *identity_of(const char *path)
{
    struct stat st;
    char *text = NULL;

    if (stat(path, &st) < 0 ||
        asprintf(&text, "%ju:%ju:%jd:%jd.%09ld", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
                 (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec) < 0)
        return NULL;
    return text;
}

static bool take_kernel(const struct db_row *row, void *arg)
{
    struct kernels *k = arg;
    struct kernel_entry *e = entry_new(db_row_text(row, 0), db_row_text(row, 1)), **tail = &k->list;

    while (*tail)
        tail = &(*tail)->next;
    *tail = e;
    return e != NULL;
}

static bool take_result(const struct db_row *row, void *arg)
{
    struct kernel_entry *e = arg;
    json_t *json = json_loads(db_row_text(row, 0), 0, NULL);

    if (json && kernel_from_json(json, e))
        e->probed_ns = db_row_int(row, 1);
    json_decref(json);
    return false;
}

/* The stored result for the file as it is now, if there is one. */
static void recall(struct kernels *k, struct kernel_entry *e)
{
    char *identity = identity_of(e->path);
    struct um_error err;

    e->probed_ns = 0;
    free(e->identity);
    e->identity = identity;
    if (!identity)
        return;
    db_each(k->umld->db, DBQ_PROBE_GET, take_result, e, e->path, identity, k->host);
    kernel_elf_done(&e->elf);
    e->elf = KERNEL_ELF_INIT;
    if (e->probed_ns && kernel_elf_read(e->path, &e->elf, &err)) {
        um_log(UM_LOG_WARNING, "kernel %s: %s", e->path, err.message);
        e->probed_ns = 0;
    }
}

enum um_code kernels_load(struct umld *umld, struct um_error *err)
{
    if (db_each(umld->db, DBQ_KERNEL_ALL, take_kernel, umld->kernels) < 0)
        return um_fail(err, UM_E_BAD_CONFIG, umld->paths.state_dir, NULL,
                       "kernels cannot be read from the database");
    for (struct kernel_entry *e = umld->kernels->list; e; e = e->next)
        recall(umld->kernels, e);
    return UM_OK;
}

struct kernel_entry *kernels_find(struct kernels *k, const char *name_or_path)
{
    char real[PATH_MAX];
    const char *path = name_or_path[0] == '/' && realpath(name_or_path, real) ? real : name_or_path;

    for (struct kernel_entry *e = k->list; e; e = e->next)
        if (strcmp(e->name, name_or_path) == 0 || strcmp(e->path, path) == 0)
            return e;
    return NULL;
}

static struct kernel_entry *newest(struct kernels *k)
{
    struct kernel_entry *best = NULL;

    for (struct kernel_entry *e = k->list; e; e = e->next)
        if (e->probed_ns && e->verdict.usable && access(e->path, X_OK) == 0 &&
            (!best || kernel_version_compare(&e->facts, &best->facts) > 0))
            best = e;
    return best;
}

static bool still_valid(const struct kernel_entry *e)
{
    char *now = e->probed_ns ? identity_of(e->path) : NULL;
    bool same = now && e->identity && strcmp(now, e->identity) == 0;

    free(now);
    return same;
}

static enum um_code judge(const struct kernel_entry *e, struct um_error *err)
{
    char object[96];

    if (e->verdict.usable)
        return UM_OK;
    snprintf(object, sizeof(object), "kernel %s", e->path);
    um_fail(err, UM_E_KERNEL_UNSAFE, object, "kernel", "%s", e->verdict.problem);
    if (e->verdict.hint[0])
        um_hint(err, "%s", e->verdict.hint);
    return err->code;
}

static void answer(struct umld *umld, const struct kernel_entry *e, kernel_ready_fn done, void *arg)
{
    struct um_error err;

    if (judge(e, &err) == UM_OK)
        done(umld, e, NULL, arg);
    else
        done(umld, NULL, &err, arg);
}

static void keep(struct kernels *k, struct kernel_entry *e)
{
    json_t *json = kernel_json(e);
    char *text = json_dumps(json, JSON_COMPACT);

    json_decref(json);
    if (text)
        db_run(k->umld->db, DBQ_PROBE_PUT, e->path, e->identity, k->host, text, e->probed_ns);
    free(text);
    events_emit(k->umld, "kernel.verdict", e->name, "path", e->path, "xstate",
                kernel_xstate_name(e->verdict.xstate), "usable",
                e->verdict.usable ? "true" : "false", "problem", e->verdict.problem, NULL);
    um_log(UM_LOG_NOTICE, "kernel %s: %s, xstate %s, lpj %" PRIu64 "%s%s", e->path,
           e->facts.release, kernel_xstate_name(e->verdict.xstate), e->lpj,
           e->verdict.problem[0] ? ": " : "", e->verdict.problem);
}

static void probe_ended(struct umld *umld, const struct kernel_entry *entry,
                        const struct um_error *err, void *arg)
{
    struct probing *p = arg, **link = &umld->kernels->probing;

    while (*link != p)
        link = &(*link)->next;
    *link = p->next;
    if (entry) {
        p->entry->probed_ns = um_clock_wall_ns();
        keep(umld->kernels, p->entry);
    }
    while (p->waiting) {
        struct waiting *w = p->waiting;

        p->waiting = w->next;
        if (entry)
            w->done(umld, p->entry, NULL, w->arg);
        else
            w->done(umld, NULL, err, w->arg);
        free(w);
    }
    free(p);
}

/* done gets the entry whatever the verdict; the caller judges it. */
void kernels_probe(struct umld *umld, struct kernel_entry *e, kernel_ready_fn done, void *arg)
{
    struct kernels *k = umld->kernels;
    struct waiting *w = calloc(1, sizeof(*w));
    struct probing *p = k->probing;

    while (p && p->entry != e)
        p = p->next;
    if (!w) {
        struct um_error err;

        um_fail(&err, UM_E_NO_RESOURCES, e->path, NULL, "out of memory");
        done(umld, NULL, &err, arg);
        return;
    }
    *w = (struct waiting){done, arg, p ? p->waiting : NULL};
    if (p) {
        p->waiting = w;
        return;
    }
    p = calloc(1, sizeof(*p));
    if (!p)
        abort(); /* a few bytes: the machine is beyond help */
    *p = (struct probing){e, w, k->probing};
    k->probing = p;
    free(e->identity);
    e->identity = identity_of(e->path);
    e->probed_ns = 0;
    kernel_probe_start(umld, e, probe_ended, p);
}

/* For those who name no kernel: the newest usable one, else one that was not tried yet. */
static struct kernel_entry *candidate(struct kernels *k)
{
    struct kernel_entry *best = newest(k);

    for (struct kernel_entry *e = k->list; e && !best; e = e->next)
        if (!e->hopeless && !still_valid(e) && access(e->path, X_OK) == 0)
            best = e;
    return best;
}

struct resolve {
    struct kernel_entry *entry; /* the one being tried */
    bool any;                   /* no kernel was named: another may do */
    struct kernel_entry *added; /* known only since this call, or NULL */
    kernel_ready_fn done;
    void *arg;
};

static void resolved(struct umld *umld, const struct kernel_entry *entry,
                     const struct um_error *err, void *arg)
{
    struct resolve r = *(struct resolve *)arg;

    free(arg);
    if (!entry || !entry->verdict.usable)
        r.entry->hopeless = true;
    if (!entry && r.added) /* what turns out to be no kernel does not stay in the registry */
        kernels_forget(umld->kernels, r.added);
    if (r.any && (!entry || !entry->verdict.usable) && candidate(umld->kernels))
        kernels_resolve(umld, NULL, r.done, r.arg);
    else if (entry)
        answer(umld, entry, r.done, r.arg);
    else
        r.done(umld, NULL, err, r.arg);
}

struct place {
    char path[PATH_MAX], name[80];
    struct kernel_entry *known;
};

static enum um_code find_place(struct kernels *k, const char *path, const char *name,
                               struct place *ret, struct um_error *err)
{
    if (!realpath(path, ret->path))
        return um_fail_errno(err, errno, path, "cannot be found");
    ret->known = kernels_find(k, ret->path);
    snprintf(ret->name, sizeof(ret->name), "%.63s", name ? name : strrchr(ret->path, '/') + 1);
    if (ret->known || !kernels_find(k, ret->name))
        return UM_OK;
    um_fail(err, UM_E_EXISTS, ret->name, "name", "another kernel has this name");
    return um_hint(err, "choose another: umlctl kernel add %s NAME", path);
}

enum um_code kernels_may_add(struct kernels *k, const char *path, const char *name,
                             struct kernel_entry **ret_known, struct um_error *err)
{
    struct place place;
    enum um_code code = find_place(k, path, name, &place, err);

    if (!code)
        *ret_known = place.known;
    return code;
}

struct kernel_entry *kernels_add(struct kernels *k, const char *path, const char *name,
                                 struct um_error *err)
{
    struct kernel_entry *e, **tail = &k->list;
    struct place place;

    if (find_place(k, path, name, &place, err))
        return NULL;
    if (place.known)
        return place.known;
    e = entry_new(place.name, place.path);
    if (!e) {
        um_fail(err, UM_E_NO_RESOURCES, path, NULL, "out of memory");
        return NULL;
    }
    while (*tail)
        tail = &(*tail)->next;
    *tail = e;
    db_run(k->umld->db, DBQ_KERNEL_INSERT, e->name, e->path, um_clock_wall_ns());
    recall(k, e);
    return e;
}

static struct kernel_entry *discover(struct kernels *k, struct um_error *err)
{
    struct stat st;

    for (size_t i = 0; i < UM_ARRAY_LEN(usual_places); i++)
        if (stat(usual_places[i], &st) == 0 && S_ISREG(st.st_mode))
            return kernels_add(k, usual_places[i], NULL, err);
    um_fail(err, UM_E_MISSING_SOFTWARE, "kernel", "kernel",
            "no UML kernel is registered and none was found in the usual places");
    um_hint(err, "apt-get install user-mode-linux, or: umlctl kernel add PATH");
    return NULL;
}

static enum um_code unknown_name(const char *kernel, struct um_error *err)
{
    um_fail(err, UM_E_NOT_FOUND, kernel, "kernel", "no kernel of this name is registered");
    return um_hint(err, "see umlctl kernel list, or: umlctl kernel add PATH %s", kernel);
}

enum um_code kernels_check(struct umld *umld, const char *kernel, struct um_error *err)
{
    struct kernel_entry *e = kernel ? kernels_find(umld->kernels, kernel) : NULL;

    if (kernel && !e && kernel[0] != '/')
        return unknown_name(kernel, err);
    if (kernel && access(e ? e->path : kernel, X_OK) < 0)
        return um_fail_errno(err, errno, e ? e->path : kernel, "cannot be executed");
    if (e && still_valid(e))
        return judge(e, err);
    return kernel ? kernel_elf_check(e ? e->path : kernel, err) : UM_OK;
}

void kernels_resolve(struct umld *umld, const char *kernel, kernel_ready_fn done, void *arg)
{
    struct kernels *k = umld->kernels;
    struct kernel_entry *e, *added = NULL;
    struct um_error err;
    struct resolve *r;

    if (kernel) {
        e = kernels_find(k, kernel);
        if (!e && kernel[0] == '/')
            e = added = kernels_add(k, kernel, NULL, &err);
        else if (!e)
            (void)unknown_name(kernel, &err);
    } else {
        e = candidate(k);
        if (!e)
            e = discover(k, &err);
    }
    if (!e) {
        done(umld, NULL, &err, arg);
        return;
    }
    if (still_valid(e)) {
        answer(umld, e, done, arg);
        return;
    }
    r = malloc(sizeof(*r));
    if (!r)
        abort();
    *r = (struct resolve){e, kernel == NULL, added, done, arg};
    kernels_probe(umld, e, resolved, r);
}

void kernel_launch(const struct kernel_entry *e, struct launch_kernel *ret)
{
    *ret = (struct launch_kernel){.path = e->path,
                                  .libs = (const char *const *)e->elf.libs.v,
                                  .dynamic = e->elf.dynamic,
                                  .guard = e->verdict.guard,
                                  .vec = e->facts.vector,
                                  .transports = (const char *const *)e->facts.transports.v,
                                  .lpj = e->lpj};
}

void kernels_forget(struct kernels *k, struct kernel_entry *e)
{
    struct kernel_entry **link = &k->list;

    while (*link && *link != e)
        link = &(*link)->next;
    if (*link)
        *link = e->next;
    db_run(k->umld->db, DBQ_KERNEL_DELETE, e->name);
    entry_free(e);
}

struct kernel_entry *kernels_first(const struct kernels *k)
{
    return k->list;
}

bool kernels_is_probing(const struct kernels *k, const struct kernel_entry *e)
{
    for (const struct probing *p = k->probing; p; p = p->next)
        if (p->entry == e)
            return true;
    return false;
}
