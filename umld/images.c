#include "umld/images.h"

#include "schemas/api_rows.h"
#include "umld/child.h"
#include "umld/db.h"
#include "umld/events.h"
#include "umld/jobs.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/str.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUILD_LIMIT_MS = 10 * 60 * 1000, BUILD_OUTPUT_MAX = 65536 };
#define DEFAULT_BYTES ((int64_t)32 << 20)

struct build {
    struct umld *umld;
    uint64_t call_id;
    int64_t job;
    char *name, *kind, *path;
    struct child *child;
    bool cancelled;
    struct build *next;
};

struct images {
    struct build *builds;
};

struct images *images_new(um_unused struct umld *umld)
{
    return calloc(1, sizeof(struct images));
}

static void build_free(struct build *b)
{
    free(b->name);
    free(b->kind);
    free(b->path);
    free(b);
}

void images_free(struct images *images)
{
    while (images && images->builds) {
        struct build *b = images->builds;

        images->builds = b->next;
        build_free(b);
    }
    free(images);
}

static void images_dir(const struct umld *umld, char *buf, size_t size)
{
    snprintf(buf, size, "%s/images", umld->paths.state_dir);
}

/* The builder works on NAME.img.XXXXXX until it is complete. */
static bool is_unfinished(const char *file)
{
    size_t len = strlen(file);

    return len > 11 && strncmp(file + len - 11, ".img.", 5) == 0 && !strchr(file + len - 6, '.');
}

void images_recover(struct umld *umld)
{
    char dir[600], path[900];
    struct dirent *e;
    DIR *d;

    images_dir(umld, dir, sizeof(dir));
    d = opendir(dir);
    while (d && (e = readdir(d)))
        if (is_unfinished(e->d_name)) {
            snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
            um_remove_tree(path);
        }
    if (d)
        closedir(d);
}

static json_t *image_json(const char *name, const char *path, const char *kind, int64_t created)
{
    char when[UM_CLOCK_TEXT_SIZE];
    struct stat st = {0};

    return json_pack("{s:s,s:s,s:s,s:I,s:s}", "name", name, "path", path, "kind", kind, "bytes",
                     (json_int_t)(stat(path, &st) == 0 ? st.st_size : 0), "createdAt",
                     um_clock_rfc3339(created, when));
}

static bool append_image(const struct db_row *row, void *arg)
{
    /* A file somebody removed by hand is no image any more. */
    if (access(db_row_text(row, 1), F_OK) == 0)
        json_array_append_new(arg, image_json(db_row_text(row, 0), db_row_text(row, 1),
                                              db_row_text(row, 2), db_row_int(row, 3)));
    return true;
}

static json_t *image_list(struct umld *umld)
{
    json_t *list = json_array();

    db_each(umld->db, DBQ_IMAGE_ALL, append_image, list);
    return list;
}

static json_t *image_find(struct umld *umld, const char *name)
{
    json_t *list = image_list(umld), *image, *found = NULL;
    size_t i;

    json_array_foreach(list, i, image) if (strcmp(json_string_value(json_object_get(image, "name")),
                                                  name) == 0) found = json_incref(image);
    json_decref(list);
    return found;
}

void api_image_list(struct umld *umld, struct api_call *call, um_unused const json_t *params)
{
    api_reply(call, json_pack("{s:o}", "images", image_list(umld)));
}

/* `PHASE done total` from the builder. */
static void on_line(struct umld *umld, const char *line, void *arg)
{
    struct build *b = arg;
    struct api_call *call = api_call_find(umld->server, b->call_id);
    char phase[32], id[24];
    long long done, total;

    if (sscanf(line, "%31[a-z] %lld %lld", phase, &done, &total) != 3)
        return;
    jobs_phase(umld, b->job, phase, done, total);
    if (call && api_call_more(call) &&
        !api_reply_continue(call,
                            json_pack("{s:s,s:b,s:s}", "job", jobs_id_text(b->job, id, sizeof(id)),
                                      "changed", 1, "phase", phase)))
        return; /* a client that does not read loses progress only */
}

static void succeed(struct build *b, struct api_call *call)
{
    int64_t now = um_clock_wall_ns();
    char id[24];

    db_run(b->umld->db, DBQ_IMAGE_PUT, b->name, b->path, b->kind, now);
    jobs_end(b->umld, b->job, NULL);
    events_emit(b->umld, "image.built", b->name, "path", b->path, NULL);
    if (call)
        api_reply(call,
                  json_pack("{s:o,s:s,s:b}", "image", image_json(b->name, b->path, b->kind, now),
                            "job", jobs_id_text(b->job, id, sizeof(id)), "changed", 1));
}

/* build-image ends with 5 when a program is missing; else it could not write, and said where. */
static enum um_code why_not(int wait_status)
{
    if (wait_status == -1)
        return UM_E_TIMEOUT;
    return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 5 ? UM_E_MISSING_SOFTWARE
                                                                   : UM_E_NO_RESOURCES;
}

static void on_done(struct umld *umld, int wait_status, const char *output, void *arg)
{
    struct build *b = arg, **link = &umld->images->builds;
    struct api_call *call = api_call_find(umld->server, b->call_id);
    struct um_error err;
    char object[96];
    size_t len = strlen(output), from;

    while (*link && *link != b)
        link = &(*link)->next;
    if (*link)
        *link = b->next;
    if (wait_status == 0 && !b->cancelled) {
        succeed(b, call);
    } else {
        snprintf(object, sizeof(object), "image \"%.63s\"", b->name);
        while (len && output[len - 1] == '\n')
            len--;
        for (from = len; from > 0 && output[from - 1] != '\n';)
            from--;
        if (b->cancelled)
            um_fail(&err, UM_E_CANCELLED, object, NULL, "building it was cancelled");
        else
            um_fail(&err, why_not(wait_status), object, NULL, "cannot be built: %.*s",
                    (int)(len - from), output + from);
        jobs_end(umld, b->job, &err);
        if (!umld->images->builds) /* what is left of this one; others still need theirs */
            images_recover(umld);
        if (call)
            api_reply_error(call, &err);
    }
    build_free(b);
}

static enum um_code cancel(um_unused struct umld *umld, um_unused int64_t id, void *arg,
                           um_unused struct um_error *err)
{
    struct build *b = arg;

    b->cancelled = true;
    child_cancel(b->child);
    return UM_OK;
}

static enum um_code start_build(struct build *b, int64_t bytes, struct um_error *err)
{
    char program[PATH_MAX], dir[600], size[32];
    const char *argv[] = {program, b->kind, b->path, size, NULL};
    struct child_spec spec = {.argv = argv,
                              .limit_ms = BUILD_LIMIT_MS,
                              .output_max = BUILD_OUTPUT_MAX,
                              .line = on_line,
                              .done = on_done,
                              .arg = b};
    enum um_code code = um_paths_libexec("build-image", program, sizeof(program), err);

    snprintf(size, sizeof(size), "%" PRId64, bytes);
    images_dir(b->umld, dir, sizeof(dir));
    if (!code)
        code = um_mkdir_parents(dir, 0755, err);
    if (!code)
        code = child_run(b->umld, &spec, &b->child, err);
    return code;
}

static bool building(const struct umld *umld, const char *name)
{
    for (struct build *b = umld->images->builds; b; b = b->next)
        if (strcmp(b->name, name) == 0)
            return true;
    return false;
}

/* True: the call was answered without building anything. */
static bool answered_early(struct umld *umld, struct api_call *call, const char *name,
                           const json_t *params)
{
    json_t *have = image_find(umld, name);
    struct um_error err;
    char object[96];

    if (have && !json_is_true(json_object_get(params, "replace"))) {
        api_reply(call, json_pack("{s:o,s:s,s:b}", "image", have, "job", "", "changed", 0));
        return true;
    }
    json_decref(have);
    if (!building(umld, name))
        return false;
    snprintf(object, sizeof(object), "image \"%.63s\"", name);
    um_fail(&err, UM_E_BUSY, object, "name", "it is being built already");
    um_hint(&err, "see: umlctl job list");
    api_reply_error(call, &err);
    return true;
}

void api_image_build(struct umld *umld, struct api_call *call, const json_t *params)
{
    const char *kind = json_string_value(json_object_get(params, "kind"));
    const char *given = json_string_value(json_object_get(params, "name"));
    const json_t *bytes = json_object_get(params, "bytes");
    const char *name = given ? given : kind;
    struct build *b;
    struct um_error err;
    char dir[600];

    if (answered_early(umld, call, name, params))
        return;
    if (api_call_dry(call)) {
        api_reply(call, json_pack("{s:s,s:b}", "job", "", "changed", 1));
        return;
    }
    b = calloc(1, sizeof(*b));
    if (!b)
        abort();
    images_dir(umld, dir, sizeof(dir));
    *b = (struct build){
        .umld = umld, .call_id = api_call_id(call), .name = strdup(name), .kind = strdup(kind)};
    if (asprintf(&b->path, "%s/%s.img", dir, name) < 0)
        abort();
    b->job = jobs_begin(umld, "image.build", name, api_call_uid(call), cancel, b);
    um_fail(&err, UM_E_NO_RESOURCES, "image", NULL, "the build cannot be recorded");
    /* The intent is on disk before the first file is. */
    if (!b->job || !db_commit(umld->db) ||
        start_build(b, json_is_integer(bytes) ? (int64_t)json_integer_value(bytes) : DEFAULT_BYTES,
                    &err)) {
        jobs_end(umld, b->job, &err);
        api_reply_error(call, &err);
        build_free(b);
        return;
    }
    b->next = umld->images->builds;
    umld->images->builds = b;
}

void api_image_remove(struct umld *umld, struct api_call *call, const json_t *params)
{
    const char *name = json_string_value(json_object_get(params, "name"));
    json_t *image = image_find(umld, name);

    if (image && !api_call_dry(call)) {
        unlink(json_string_value(json_object_get(image, "path")));
        db_run(umld->db, DBQ_IMAGE_DELETE, name);
        events_emit(umld, "image.removed", name, NULL);
    }
    api_reply(call, json_pack("{s:b}", "changed", image != NULL));
    json_decref(image);
}
