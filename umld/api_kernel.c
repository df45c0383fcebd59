/*
 * io.umld.Kernel.
 */
#include "schemas/api_rows.h"
#include "umld/jobs.h"
#include "umld/kernels.h"

#include <stdlib.h>

void api_kernel_list(struct umld *umld, struct api_call *call, um_unused const json_t *params)
{
    json_t *list = json_array();

    for (struct kernel_entry *e = kernels_first(umld->kernels); e; e = e->next)
        json_array_append_new(list, kernel_json(e));
    api_reply(call, json_pack("{s:o}", "kernels", list));
}

struct probe_call {
    uint64_t call_id;
    int64_t job;
    bool added, with_changed;
    struct kernel_entry *entry;
};

static void probe_answer(struct umld *umld, const struct kernel_entry *entry,
                         const struct um_error *err, void *arg)
{
    struct probe_call *p = arg;
    struct api_call *call = api_call_find(umld->server, p->call_id);
    json_t *reply;

    jobs_end(umld, p->job, err);
    if (err && p->added) /* nothing half-done stays behind */
        kernels_forget(umld->kernels, p->entry);
    if (call && entry) {
        reply = json_pack("{s:o}", "kernel", kernel_json(entry));
        if (p->with_changed)
            json_object_set_new(reply, "changed", json_boolean(p->added));
        api_reply(call, reply);
    } else if (call && err) {
        api_reply_error(call, err);
    }
    free(p);
}

static void probe_for_call(struct umld *umld, struct api_call *call, struct kernel_entry *e,
                           bool with_changed, bool added)
{
    struct probe_call *p = calloc(1, sizeof(*p));

    if (!p)
        abort();
    *p = (struct probe_call){
        .call_id = api_call_id(call), .added = added, .with_changed = with_changed, .entry = e};
    p->job = jobs_begin(umld, "kernel.probe", e->name, api_call_uid(call), NULL, NULL);
    kernels_probe(umld, e, probe_answer, p);
}

/* dryRun: what is known of it now; nothing is, before its first probe. */
static void probe_dry(struct api_call *call, const struct kernel_entry *e, bool with_changed)
{
    json_t *reply = json_pack("{s:o*}", "kernel", e ? kernel_json(e) : NULL);

    if (with_changed)
        json_object_set_new(reply, "changed", json_boolean(!e));
    api_reply(call, reply);
}

void api_kernel_probe(struct umld *umld, struct api_call *call, const json_t *params)
{
    const char *kernel = json_string_value(json_object_get(params, "kernel"));
    struct kernel_entry *e = kernels_find(umld->kernels, kernel);
    bool known = e != NULL;
    struct um_error err;

    if (api_call_dry(call) &&
        (e || (kernel[0] == '/' && !kernels_may_add(umld->kernels, kernel, NULL, &e, &err)))) {
        probe_dry(call, e, false);
        return;
    }
    if (!e && kernel[0] == '/' && !api_call_dry(call))
        e = kernels_add(umld->kernels, kernel, NULL, &err);
    else if (!e && kernel[0] != '/') {
        um_fail(&err, UM_E_NOT_FOUND, kernel, "kernel", "no kernel of this name is registered");
        um_hint(&err, "see umlctl kernel list");
    }
    if (e)
        probe_for_call(umld, call, e, false, !known);
    else
        api_reply_error(call, &err);
}

void api_kernel_add(struct umld *umld, struct api_call *call, const json_t *params)
{
    const char *path = json_string_value(json_object_get(params, "path"));
    const char *name = json_string_value(json_object_get(params, "name"));
    bool known = kernels_find(umld->kernels, path) != NULL;
    struct um_error err;
    struct kernel_entry *e;
    struct kernel_elf elf = KERNEL_ELF_INIT;

    /* What is no program at all is refused before it is registered. */
    if (kernel_elf_read(path, &elf, &err)) {
        api_reply_error(call, &err);
        return;
    }
    kernel_elf_done(&elf);
    if (api_call_dry(call)) {
        if (kernels_may_add(umld->kernels, path, name, &e, &err))
            api_reply_error(call, &err);
        else
            probe_dry(call, e, true);
        return;
    }
    e = kernels_add(umld->kernels, path, name, &err);
    if (e)
        probe_for_call(umld, call, e, true, !known);
    else
        api_reply_error(call, &err);
}

void api_kernel_remove(struct umld *umld, struct api_call *call, const json_t *params)
{
    const char *name = json_string_value(json_object_get(params, "name"));
    struct kernel_entry *e = kernels_find(umld->kernels, name);
    struct um_error err;

    if (e && kernels_is_probing(umld->kernels, e)) {
        um_fail(&err, UM_E_BUSY, name, "name", "it is being probed");
        api_reply_error(call, &err);
        return;
    }
    if (e && !api_call_dry(call))
        kernels_forget(umld->kernels, e);
    api_reply(call, json_pack("{s:b}", "changed", e != NULL));
}
