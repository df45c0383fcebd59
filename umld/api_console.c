/*
 * io.umld.Console: logs are read here, live consoles belong to umlmon: an attached client's own
 * connection is handed to it and the daemon is out of the way.
 */
#include "schemas/api_rows.h"
#include "umld/console_log.h"
#include "umld/failpoint.h"
#include "umld/guest.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/kv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *text_of(const json_t *params, const char *key, const char *fallback)
{
    const char *s = json_string_value(json_object_get(params, key));

    return s ? s : fallback;
}

static void add_console(struct guest *g, json_t *list, const char *device, const char *value)
{
    char kind[16] = "", path[128] = "", dir[GUEST_PATH_SIZE];
    struct console_log log = {NULL, 0};
    json_t *console, *boots = json_array();
    int64_t last = -1;

    sscanf(value, "%15s %127s", kind, path);
    if (console_log_scan(guest_path(g, GUEST_PATH_LOG, dir), device, -1, &log, NULL) == UM_OK)
        for (size_t i = 0; i < log.count; i++)
            if (log.parts[i].boot != last)
                json_array_append_new(boots, json_integer(last = log.parts[i].boot));
    console = json_pack("{s:s,s:s,s:o,s:I}", "device", device, "kind",
                        strcmp(kind, "pts") == 0 ? "pts" : "managed", "boots", boots, "bytes",
                        (json_int_t)console_log_bytes(&log));
    if (path[0] && strcmp(path, "-") != 0)
        json_object_set_new(console, "path", json_string(path));
    json_array_append_new(list, console);
    console_log_done(&log);
}

/* A stopped guest's consoles are those of its definition. */
static void add_defined(struct guest *g, json_t *list)
{
    char name[32];

    add_console(g, list, "con0", "managed -");
    for (size_t i = 0; i < g->def.device_count; i++) {
        const struct device *d = &g->def.devices[i];

        device_name(d, name, sizeof(name));
        if ((d->kind == DEVICE_CON || d->kind == DEVICE_SSL) && d->index >= 0 &&
            strcmp(name, "con0") != 0 &&
            (d->line.in.type == CHANNEL_MANAGED || d->line.in.type == CHANNEL_PTS))
            add_console(g, list, name, d->line.in.type == CHANNEL_PTS ? "pts -" : "managed -");
    }
}

void api_console_list(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    json_t *list;
    const char *live, *device, *value;
    size_t len, pos = 0;
    char *copy;

    if (!g)
        return;
    list = json_array();
    live = monitor_consoles(g, &len);
    copy = live ? malloc(len + 1) : NULL;
    if (copy) {
        memcpy(copy, live, len);
        copy[len] = '\0';
        while ((device = um_kv_next(copy, len, &pos, &value)))
            add_console(g, list, device, value);
        free(copy);
    } else {
        add_defined(g, list);
    }
    api_reply(call, json_pack("{s:o}", "consoles", list));
}

/* The one console (device NULL: con0) of a live guest; false after an error reply. */
static bool live_console(struct guest *g, struct api_call *call, const char *device)
{
    struct um_error err;
    char object[96];

    guest_object(g, object, sizeof(object));
    if (strlen(device) >= MON_DEVICE_MAX) {
        um_fail(&err, UM_E_INVALID, object, "device", "there is no console \"%.32s\"", device);
    } else if (!guest_state_info(g->state)->has_process || !monitor_connected(g)) {
        um_fail(&err, UM_E_NOT_RUNNING, object, NULL, "has no live console: it is %s",
                guest_state_info(g->state)->name);
        um_hint(&err, "start it: umlctl start %s; old output: umlctl logs %s", g->def.name,
                g->def.name);
    } else {
        return true;
    }
    api_reply_error(call, &err);
    return false;
}

/* One more look at what umlmon told: unknown devices and pts are refused here. */
static bool usable_console(struct guest *g, struct api_call *call, const char *device)
{
    const char *name, *value, *live;
    char *copy, object[96], path[128] = "";
    size_t len, pos = 0;
    bool found = false, pts = false;
    struct um_error err;

    live = monitor_consoles(g, &len);
    copy = live ? malloc(len + 1) : NULL;
    if (!copy)
        return true; /* not told yet: umlmon decides */
    memcpy(copy, live, len);
    copy[len] = '\0';
    while ((name = um_kv_next(copy, len, &pos, &value)))
        if (strcmp(name, device) == 0) {
            found = true;
            pts = um_str_starts(value, "pts");
            sscanf(value, "%*s %127s", path);
        }
    free(copy);
    if (found && !pts)
        return true;
    guest_object(g, object, sizeof(object));
    if (pts) {
        um_fail(&err, UM_E_UNSUPPORTED, object, "device", "%s is the terminal %s", device, path);
        um_hint(&err, "open it with any terminal program: screen %s", path);
    } else if (g->stranger) {
        um_fail(&err, UM_E_UNSUPPORTED, object, "device",
                "%s is where its kernel was told to have it, and umld did not start that", device);
        um_hint(&err, "what it is: umlctl mconsole %s config %s", g->def.name, device);
    } else {
        um_fail(&err, UM_E_NOT_FOUND, object, "device", "it has no console \"%s\"", device);
        um_hint(&err, "define one: umlctl config %s %s=managed", g->def.name, device);
    }
    api_reply_error(call, &err);
    return false;
}

/* An attachment under way; the guest may be removed meanwhile. */
struct attach_call {
    uint64_t call_id;
    char object[96];
    struct mon_attach order;
};

static void refuse_attach(struct api_call *call, const struct attach_call *a, int errnum,
                          const char *text)
{
    const char *device = a->order.device;
    struct um_error err;

    if (errnum == EBUSY || errnum == EUSERS) {
        um_fail(&err, UM_E_BUSY, a->object, "device", "%s: %s", device, text);
        if (errnum == EBUSY)
            um_hint(&err, "watch with --read-only, or take it over with --steal");
    } else if (errnum == ECONNRESET || errnum == ESHUTDOWN) {
        um_fail(&err, UM_E_NOT_RUNNING, a->object, NULL, "it is ending");
    } else {
        um_fail_errno(&err, errnum, a->object, "%s", text[0] ? text : "the console refused");
    }
    api_reply_error(call, &err);
}

/* The client is umlmon's, and has been answered by it, or it is still ours to answer. */
static void attached(struct umld *umld, int errnum, const char *text, void *arg)
{
    struct attach_call *a = arg;
    struct api_call *call = api_call_find(umld->server, a->call_id);

    if (errnum == 0)
        failpoint("attached");
    if (call && errnum == 0)
        api_upgrade_taken(call);
    else if (call)
        refuse_attach(call, a, errnum, text);
    free(a);
}

/* A file to be read from its start, or -1 with errno set. */
static int file_of(const char *data, size_t len)
{
    um_autofd fd = memfd_create("typed", MFD_CLOEXEC);
    int ret;

    if (fd < 0 || !um_fd_write_all(fd, data, len) || lseek(fd, 0, SEEK_SET) < 0)
        return -1;
    ret = fd;
    fd = -1;
    return ret;
}

/* What the client sent behind its request goes along in a file: it may be more than a message. */
static int hand_over(struct guest *g, const struct api_upgrade *up, struct attach_call *a)
{
    char data[sizeof(a->order) + MON_ATTACH_GREETING_MAX];
    um_autofd typed = -1;
    int fds[MONITOR_FDS];

    if (up->reply.len > MON_ATTACH_GREETING_MAX)
        return EMSGSIZE;
    if (up->rest_len && !(a->order.flags & MON_ATTACH_READ_ONLY)) {
        typed = file_of(up->rest, up->rest_len);
        if (typed < 0)
            return errno;
    }
    fds[0] = up->fd;
    fds[1] = typed;
    memcpy(data, &a->order, sizeof(a->order));
    memcpy(data + sizeof(a->order), up->reply.data, up->reply.len);
    return monitor_ask(g, MON_ATTACH, data, sizeof(a->order) + up->reply.len, fds, attached, a)
               ? 0
               : EUSERS;
}

static void offer(struct guest *g, struct api_call *call, struct attach_call *a)
{
    struct api_upgrade up;
    int errnum;

    if (!api_upgrade_offer(
            call, json_pack("{s:s,s:I}", "device", a->order.device, "boot", (json_int_t)g->boot),
            &up)) {
        free(a);
        return;
    }
    errnum = hand_over(g, &up, a);
    um_buf_done(&up.reply);
    if (errnum) {
        refuse_attach(call, a, errnum, errnum == EUSERS ? "its monitor is busy" : "");
        free(a);
        return;
    }
    failpoint("attach");
}

void api_console_attach(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    const char *device = text_of(params, "device", "con0");
    const json_t *back = json_object_get(params, "back");
    struct attach_call *a;

    if (!g || !live_console(g, call, device) || !usable_console(g, call, device))
        return;
    a = calloc(1, sizeof(*a));
    if (!a)
        abort();
    a->call_id = api_call_id(call);
    guest_object(g, a->object, sizeof(a->object));
    a->order.back = json_is_integer(back) ? (int64_t)json_integer_value(back) : 0;
    snprintf(a->order.device, sizeof(a->order.device), "%s", device);
    a->order.flags =
        (json_is_true(json_object_get(params, "readOnly")) ? MON_ATTACH_READ_ONLY : 0u) |
        (json_is_true(json_object_get(params, "steal")) ? MON_ATTACH_STEAL : 0u);
    offer(g, call, a);
}

void api_console_resize(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    const char *device = text_of(params, "device", "con0");
    struct mon_resize r = {.rows = (uint16_t)json_integer_value(json_object_get(params, "rows")),
                           .columns =
                               (uint16_t)json_integer_value(json_object_get(params, "columns"))};

    if (!g || !live_console(g, call, device) || !usable_console(g, call, device))
        return;
    snprintf(r.device, sizeof(r.device), "%s", device);
    monitor_relay(g, call, MON_RESIZE, &r, sizeof(r));
}

void api_console_send(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    const char *device = text_of(params, "device", "con0"), *text = text_of(params, "data", "");
    char data[MON_MESSAGE_MAX];
    struct mon_write w = {.length = (uint32_t)strlen(text)};

    if (!g || !live_console(g, call, device) || !usable_console(g, call, device))
        return;
    snprintf(w.device, sizeof(w.device), "%s", device);
    memcpy(data, &w, sizeof(w));
    memcpy(data + sizeof(w), text, w.length);
    monitor_relay(g, call, MON_WRITE, data, sizeof(w) + w.length);
}

/* Console bytes as valid UTF-8 text: what is not becomes U+FFFD. A sequence cut at the end is left
 * for the next read. */
static json_t *utf8_text(const char *data, size_t len, size_t *ret_used)
{
    struct um_buf out = UM_BUF_INIT;
    size_t i = 0;
    json_t *json;

    while (i < len) {
        unsigned char c = (unsigned char)data[i];
        size_t n = c < 0x80                ? 1
                   : c >= 0xc2 && c < 0xe0 ? 2
                   : (c & 0xf0) == 0xe0    ? 3
                   : c >= 0xf0 && c < 0xf5 ? 4
                                           : 0,
               k = 1;
        json_t *probe;

        while (k < n && i + k < len && ((unsigned char)data[i + k] & 0xc0) == 0x80)
            k++;
        if (n > 1 && k < n && i + k == len && i > 0)
            break; /* cut by the window */
        probe = n && k == n && c ? json_stringn(data + i, n) : NULL;
        if (probe)
            um_buf_append(&out, data + i, n);
        else
            um_buf_puts(&out, "\xef\xbf\xbd");
        i += probe ? n : 1;
        json_decref(probe);
    }
    *ret_used = i;
    json = json_stringn(out.data ? out.data : "", out.len);
    um_buf_done(&out);
    return json;
}

/* No log at all: of a guest that never ran, or a console that has not been there yet? */
static bool may_be_empty(struct guest *g, struct api_call *call, const char *device, int64_t boot,
                         bool boot_given)
{
    char name[32], object[96];
    bool known = strcmp(device, "con0") == 0;
    struct um_error err;

    for (size_t i = 0; i < g->def.device_count && !known; i++)
        known = strcmp(device_name(&g->def.devices[i], name, sizeof(name)), device) == 0;
    if (known && !boot_given)
        return true;
    guest_object(g, object, sizeof(object));
    if (known)
        um_fail(&err, UM_E_NOT_FOUND, object, "boot", "no log of %s and boot %" PRId64 " is kept",
                device, boot);
    else
        um_fail(&err, UM_E_NOT_FOUND, object, "device", "it has no console \"%s\"", device);
    um_hint(&err, "see: umlctl show %s", g->def.name);
    api_reply_error(call, &err);
    return false;
}

void api_console_read(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    const char *device = text_of(params, "device", "con0");
    const json_t *boot = json_object_get(params, "boot"),
                 *start = json_object_get(params, "offset");
    const json_t *max = json_object_get(params, "maxBytes");
    size_t room = json_is_integer(max) ? (size_t)json_integer_value(max) : 65536, used = 0;
    int64_t which = json_is_integer(boot) ? (int64_t)json_integer_value(boot)
                    : g                   ? (int64_t)g->boot
                                          : 0;
    int64_t offset = json_is_integer(start) ? (int64_t)json_integer_value(start) : 0, size, n;
    struct console_log log = {NULL, 0};
    struct um_error err;
    char dir[GUEST_PATH_SIZE], *data;
    json_t *text;

    if (!g)
        return;
    if (console_log_scan(guest_path(g, GUEST_PATH_LOG, dir), device, which, &log, &err)) {
        api_reply_error(call, &err);
        return;
    }
    if (!log.count && !may_be_empty(g, call, device, which, json_is_integer(boot)))
        return;
    size = console_log_bytes(&log);
    offset = offset < 0 ? (size + offset > 0 ? size + offset : 0) : offset > size ? size : offset;
    data = malloc(room);
    n = data ? console_log_read(dir, device, &log, offset, data, room) : -1;
    if (data && n < 0 && errno == ENOENT) {
        /* Rotated away since it was looked at. */
        console_log_done(&log);
        if (console_log_scan(dir, device, which, &log, &err) == UM_OK)
            n = console_log_read(dir, device, &log, offset, data, room);
    }
    console_log_done(&log);
    if (n < 0) {
        um_fail_errno(&err, errno, device, "its log cannot be read");
        api_reply_error(call, &err);
        free(data);
        return;
    }
    text = utf8_text(data, (size_t)n, &used);
    free(data);
    api_reply(call, json_pack("{s:o,s:I,s:I,s:I,s:I}", "data", text, "boot", (json_int_t)which,
                              "offset", (json_int_t)offset, "next",
                              (json_int_t)(offset + (int64_t)used), "size", (json_int_t)size));
}
