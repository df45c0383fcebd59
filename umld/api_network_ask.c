/*
 * io.umld.Network: what only umlnetd knows.
 */
#include "netd/drop.h"
#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/network_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const drop_names[] = {
#define DROP_NAME(id, name, text) name,
    NETD_DROPS(DROP_NAME)
#undef DROP_NAME
};

const char *network_drop_name(size_t reason)
{
    return reason < UM_ARRAY_LEN(drop_names) ? drop_names[reason] : NULL;
}

const char *network_port_name(struct umld *umld, const struct netd_ctl_port_info *info,
                              char buf[NETWORK_PORT_NAME_SIZE])
{
    const struct network_port *p = network_port_by_id(umld, info->id);

    if (p) {
        snprintf(buf, NETWORK_PORT_NAME_SIZE, "%s/%s", p->guest, p->device);
    } else {
        snprintf(buf, NETWORK_PORT_NAME_SIZE, "%.*s", (int)sizeof(info->name) - 1, info->name);
        um_str_make_utf8(buf, strlen(buf));
    }
    return buf;
}

static json_t *port_json(struct umld *umld, const struct netd_ctl_port_info *info)
{
    const struct network_port *p = network_port_by_id(umld, info->id);
    char name[NETWORK_PORT_NAME_SIZE];
    json_t *drops = json_object(), *json;

    for (size_t i = 0; i < UM_ARRAY_LEN(drop_names); i++)
        if (info->drops[i])
            json_object_set_new(drops, drop_names[i], json_integer((json_int_t)info->drops[i]));
    json = json_pack(
        "{s:I,s:s,s:b,s:b,s:b,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "id", (json_int_t)info->id, "name",
        network_port_name(umld, info, name), "up", (info->flags & NETD_PORT_UP) != 0, "holding",
        (info->flags & NETD_PORT_HOLDING) != 0, "dropping", (info->flags & NETD_PORT_DROPPING) != 0,
        "isHeld", (info->flags & NETD_PORT_HELD) != 0, "inFrames", (json_int_t)info->in_frames,
        "inBytes", (json_int_t)info->in_bytes, "outFrames", (json_int_t)info->out_frames,
        "outBytes", (json_int_t)info->out_bytes, "held", (json_int_t)info->held, "waiting",
        (json_int_t)info->waiting, "drops", drops);
    if (p) {
        json_object_set_new(json, "guest", json_string(p->guest));
        json_object_set_new(json, "device", json_string(p->device));
    }
    return json;
}

static json_t *mac_json(struct umld *umld, const struct netd_ctl_mac_info *info)
{
    const struct network_port *p = network_port_by_id(umld, info->entry.port);
    char mac[NETWORK_MAC_SIZE], port[NETWORK_PORT_NAME_SIZE];
    json_t *json;

    if (p)
        snprintf(port, sizeof(port), "%s/%s", p->guest, p->device);
    else
        snprintf(port, sizeof(port), "%u", (unsigned)info->entry.port);
    json = json_pack("{s:s,s:i,s:s,s:b}", "mac", network_mac_text(info->entry.mac, mac), "vlan",
                     (int)info->entry.vlan, "port", port, "fixed", info->fixed != 0);
    if (!info->fixed)
        json_object_set_new(json, "ageMs", json_integer(info->age_ms));
    return json;
}

static void refuse(struct api_call *call, const struct network *n, const char *text)
{
    struct um_error err;
    char object[96];

    um_fail(&err, UM_E_NOT_RUNNING, network_object(n->def.name, object), NULL,
            "its umlnetd cannot be asked now (%s)%s%s", network_state_info(n->state)->name,
            text[0] ? ": " : "", text);
    um_hint(&err, "see: umlctl net show %s", n->def.name);
    err.retryable = n->state != NETWORK_FAILED;
    api_reply_error(call, &err);
}

struct ask_call {
    uint64_t id;
    bool macs;
};

static void list_answer(struct network *n, int errnum, const char *text,
                        const struct um_buf *records, void *arg)
{
    struct ask_call *a = arg;
    struct api_call *call = api_call_find(n->umld->server, a->id);
    size_t size = a->macs ? sizeof(struct netd_ctl_mac_info) : sizeof(struct netd_ctl_port_info);
    json_t *list = json_array();

    for (size_t at = 0; call && at + size <= records->len; at += size) {
        struct netd_ctl_port_info port;
        struct netd_ctl_mac_info mac;

        memcpy(a->macs ? (void *)&mac : (void *)&port, records->data + at, size);
        json_array_append_new(list, a->macs ? mac_json(n->umld, &mac) : port_json(n->umld, &port));
    }
    if (call && errnum)
        refuse(call, n, text);
    else if (call)
        api_reply(call, json_pack("{s:O}", a->macs ? "macs" : "ports", list));
    json_decref(list);
    free(a);
}

static void ask_list(struct umld *umld, struct api_call *call, const json_t *params, bool macs)
{
    struct network *n = network_of_call(umld, call, params);
    struct ask_call *a = n ? malloc(sizeof(*a)) : NULL;

    if (!n)
        return;
    if (a)
        *a = (struct ask_call){api_call_id(call), macs};
    if (a && network_list(n, macs ? NETD_CTL_MACS : NETD_CTL_PORTS, list_answer, a))
        return;
    free(a);
    refuse(call, n, n->cause ? n->cause : "");
}

void api_network_ports(struct umld *umld, struct api_call *call, const json_t *params)
{
    ask_list(umld, call, params, false);
}

void api_network_macs(struct umld *umld, struct api_call *call, const json_t *params)
{
    ask_list(umld, call, params, true);
}

/* ---- ForgetMac ---- */

static void forgotten(struct network *n, const struct netd_ctl_reply *r, um_unused const char *data,
                      um_unused size_t len, void *arg)
{
    uint64_t *id = arg;
    struct api_call *call = api_call_find(n->umld->server, *id);

    free(id);
    if (call && r->errnum && r->errnum != ENOENT)
        refuse(call, n, r->text);
    else if (call)
        api_reply(call, json_pack("{s:b}", "changed", !r->errnum));
}

static bool ask_forget(struct network *n, struct api_call *call, const uint8_t mac[6],
                       unsigned vlan)
{
    struct netd_ctl_mac m = {.vlan = (uint16_t)vlan};
    uint64_t *id = malloc(sizeof(*id));

    memcpy(m.mac, mac, 6);
    if (id)
        *id = api_call_id(call);
    if (id && n->told && network_ask(n, NETD_CTL_MAC_FORGET, &m, sizeof(m), -1, forgotten, id))
        return true;
    free(id);
    return false;
}

void api_network_forget_mac(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct network *n = network_of_call(umld, call, params);
    unsigned vlan = (unsigned)params_int(params, "vlan", 0);
    const struct network_mac *known;
    uint8_t mac[6];

    if (!n || !network_mac_of_call(call, n, params, mac))
        return;
    known = network_mac_find(n, mac, vlan);
    if (api_call_dry(call)) {
        api_reply(call, json_pack("{s:b}", "changed", known != NULL));
        return;
    }
    if (known)
        network_mac_remove(n, known);
    if (ask_forget(n, call, mac, vlan))
        return;
    /* What was learnt is asked for in vain; what was fixed is forgotten all the same. */
    if (known)
        api_reply(call, json_pack("{s:b}", "changed", 1));
    else
        refuse(call, n, n->cause ? n->cause : "");
}
