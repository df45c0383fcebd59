/*
 * Where a frame goes. Inside of the switch each frame is of one VLAN: that of its tag, else that of
 * the port it came from, else 0. Addresses are learnt per VLAN; each port then decides whether it
 * is in the VLAN and what tag the frame leaves with.
 */
#include "netd/switch_private.h"

#include <string.h>

/* What a frame of the batch turned out to be. */
struct netd_passage {
    struct netd_frame frame;
    uint16_t vlan; /* inside */
    int slot;
};

static bool in_set(const struct netd_port *p, uint16_t vlan)
{
    return p->config.vlan_set[vlan / 8] >> vlan % 8 & 1;
}

/* VLAN inside of a frame that came in there; false: the port may not send it. */
static bool enter_vlan(const struct netd_port *from, const struct netd_frame *f, uint16_t *ret)
{
    *ret = f->vlan ? f->vlan : from->config.vlan;
    switch (from->config.vlan_mode) {
    case NETD_VLAN_ACCESS:
        return f->vlan == 0;
    case NETD_VLAN_TRUNK:
        return *ret != 0 && (*ret == from->config.vlan || in_set(from, *ret));
    case NETD_VLAN_TRANSPARENT:
        break;
    }
    *ret = f->vlan;
    return true;
}

/* Whether the port is in the VLAN, and then whether its frames are tagged there. */
static bool leave_vlan(const struct netd_port *to, uint16_t vlan, bool *ret_tagged)
{
    switch (to->config.vlan_mode) {
    case NETD_VLAN_ACCESS:
        *ret_tagged = false;
        return vlan == to->config.vlan;
    case NETD_VLAN_TRUNK:
        *ret_tagged = vlan != to->config.vlan;
        return vlan && (!*ret_tagged || in_set(to, vlan));
    case NETD_VLAN_TRANSPARENT:
        break;
    }
    *ret_tagged = vlan != 0;
    return true;
}

static enum netd_form form_of(const struct netd_passage *p, bool tagged)
{
    if (!tagged) /* a tag with a priority only passes between transparent ports as it is */
        return p->frame.tagged && p->vlan ? NETD_FORM_POP : NETD_FORM_SAME;
    if (!p->frame.tagged)
        return NETD_FORM_PUSH;
    return p->frame.vlan == p->vlan ? NETD_FORM_SAME : NETD_FORM_RETAG;
}

static void prepare_tag(struct netd_slot *slot, const struct netd_passage *p)
{
    uint16_t tci = (uint16_t)((p->frame.tci & 0xf000) | p->vlan);

    slot->tag[0] = 0x81;
    slot->tag[1] = 0x00;
    slot->tag[2] = (uint8_t)(tci >> 8);
    slot->tag[3] = (uint8_t)tci;
}

static bool isolated(const struct netd_port *a, const struct netd_port *b)
{
    return a->config.isolation && a->config.isolation == b->config.isolation;
}

static size_t length_in_form(size_t len, enum netd_form form)
{
    return form == NETD_FORM_PUSH  ? len + NETD_TAG_LEN
           : form == NETD_FORM_POP ? len - NETD_TAG_LEN
                                   : len;
}

/* Note it for a port. False: the port is not in its VLAN. */
static bool note(struct netd_switch *sw, struct netd_port *to, const struct netd_passage *p)
{
    enum netd_form form;
    bool tagged;

    if (!leave_vlan(to, p->vlan, &tagged))
        return false;
    form = form_of(p, tagged);
    if (length_in_form(sw->batch[p->slot].bytes.iov_len, form) > to->config.frame_max) {
        to->counters.drops[NETD_DROP_GIANT]++;
        return true;
    }
    if (!to->out_count)
        sw->dirty[sw->dirty_count++] = to;
    to->out[to->out_count++] = (uint16_t)(p->slot | (int)form << 8);
    return true;
}

/* To all ports but those of the number it came from. Those of its group or of other VLANs are not
 * meant. */
static void flood(struct netd_switch *sw, const struct netd_port *from,
                  const struct netd_passage *p)
{
    for (uint32_t slot = 0; slot < sw->slots_used; slot++) {
        struct netd_port *to = sw->ports[slot];

        if (to && to->number != from->number && !isolated(from, to))
            note(sw, to, p);
    }
}

static int forward_to(struct netd_switch *sw, const struct netd_port *from,
                      const struct netd_passage *p)
{
    struct netd_port *to = NULL;
    uint32_t id = NETD_MAC_NOWHERE;

    if (!sw->config.hub && !netd_mac_is_group(p->frame.dst)) {
        id = netd_mac_find(sw->macs, p->frame.dst, p->vlan);
        if (id == NETD_MAC_NOWHERE)
            netd_switch_tell(sw, &(struct netd_event){.kind = NETD_SEEN_UNKNOWN,
                                                      .port = from->id,
                                                      .old_port = NETD_MAC_NOWHERE,
                                                      .mac = p->frame.dst,
                                                      .vlan = p->vlan});
    }
    if (id != NETD_MAC_NOWHERE)
        to = netd_switch_port(sw, id);
    if (!to) {
        flood(sw, from, p);
        return NETD_PASS;
    }
    if (to->number == from->number)
        return NETD_DROP_SAME_PORT;
    if (isolated(from, to))
        return NETD_DROP_ISOLATED;
    if (!note(sw, to, p))
        return NETD_DROP_VLAN;
    for (struct netd_port *twin = to->twin; twin != to; twin = twin->twin)
        note(sw, twin, p);
    return NETD_PASS;
}

/* False: the source address is not to be believed. An address is known at the port that stands for
 * its number, so that it does not move when it is seen at the other links of one. */
static bool learn(struct netd_switch *sw, const struct netd_port *from,
                  const struct netd_passage *p)
{
    static const enum netd_event_kind kinds[] = {[NETD_MAC_NEW] = NETD_SEEN_LEARNT,
                                                 [NETD_MAC_MOVED] = NETD_SEEN_MOVED,
                                                 [NETD_MAC_REFUSED] = NETD_SEEN_REFUSED};
    struct netd_event event = {.port = sw->numbers[from->number]->id,
                               .old_port = NETD_MAC_NOWHERE,
                               .mac = p->frame.src,
                               .vlan = p->vlan};
    enum netd_mac_learnt learnt =
        netd_mac_learn(sw->macs, event.mac, event.vlan, event.port, sw->now_ns, &event.old_port);

    if (learnt != NETD_MAC_KNOWN && learnt != NETD_MAC_FULL) {
        event.kind = kinds[learnt];
        netd_switch_tell(sw, &event);
    }
    return learnt != NETD_MAC_REFUSED;
}

static int judge(struct netd_switch *sw, struct netd_port *from, int i)
{
    struct netd_slot *slot = &sw->batch[i];
    struct netd_passage p = {.slot = i};
    int reason;

    if (slot->bytes.iov_len > from->config.frame_max)
        return NETD_DROP_GIANT;
    reason = netd_frame_parse(slot->bytes.iov_base, slot->bytes.iov_len, &p.frame);
    if (reason != NETD_PASS)
        return reason;
    if (!enter_vlan(from, &p.frame, &p.vlan))
        return NETD_DROP_VLAN;
    reason =
        netd_guard_check(&from->config.guard, &p.frame, slot->bytes.iov_base, slot->bytes.iov_len);
    if (reason != NETD_PASS)
        return reason;
    if (netd_mac_is_group(p.frame.dst) && !netd_bucket_take(&from->storm, 1, sw->now_ns))
        return NETD_DROP_STORM;
    if (!sw->config.hub && !learn(sw, from, &p))
        return NETD_DROP_MOVED;
    prepare_tag(slot, &p);
    return forward_to(sw, from, &p);
}

void netd_forward(struct netd_switch *sw, struct netd_port *from, int i)
{
    int reason = judge(sw, from, i);

    if (reason != NETD_PASS)
        from->counters.drops[reason]++;
}
