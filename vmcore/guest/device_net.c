/*
 * net<n>=NETWORK[,key=value]…: a port of a managed network (docs/networks.md). No value contains a
 * `,`; lists are joined with `+`. The text is written anew from the struct, so that two words that
 * mean the same are stored alike.
 */
#include "vmcore/guest/device_internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { VLAN_MAX = 4094 };

void device_net_free(struct device_net *n)
{
    if (n)
        free(n->network);
    free(n);
}

/* ---- values ---- */

static enum um_code bad_value(struct device_parser *p, const char *key, const char *value,
                              const char *hint)
{
    device_fail(p, UM_E_INVALID, "%s=%.80s cannot be used", key, value);
    um_hint(p->err, "%s", hint);
    return UM_E_INVALID;
}

static enum um_code parse_mac(struct device_parser *p, const char *value, struct device_net *n)
{
    return device_mac(p, value, strlen(value), true, n->mac);
}

/* `10`, `10-20`. */
static bool parse_range(char *s, unsigned *ret_first, unsigned *ret_last)
{
    char *dash = strchr(s, '-');
    int64_t first, last;

    if (dash)
        *dash++ = '\0';
    if (!um_parse_int(s, 1, VLAN_MAX, &first) ||
        !um_parse_int(dash ? dash : s, first, VLAN_MAX, &last))
        return false;
    *ret_first = (unsigned)first;
    *ret_last = (unsigned)last;
    return true;
}

static bool parse_trunk(char *set, struct device_net *n)
{
    char *save = NULL;

    /* strtok_r() passes over empty parts; those are errors. */
    if (!*set || *set == '+' || set[strlen(set) - 1] == '+' || strstr(set, "++"))
        return false;
    for (char *s = strtok_r(set, "+", &save); s; s = strtok_r(NULL, "+", &save)) {
        unsigned first, last;

        if (n->trunk_count == DEVICE_NET_RANGES || !parse_range(s, &first, &last))
            return false;
        n->trunk[n->trunk_count].first = (uint16_t)first;
        n->trunk[n->trunk_count++].last = (uint16_t)last;
    }
    return true;
}

static enum um_code parse_vlan(struct device_parser *p, const char *value, struct device_net *n)
{
    bool trunk = um_str_starts(value, "trunk:"), ok;
    um_autostr set = trunk ? strdup(value + strlen("trunk:")) : NULL;
    int64_t vlan = 0;

    if (trunk && !set)
        return device_no_memory(p);
    ok = trunk ? parse_trunk(set, n) : um_parse_int(value, 1, VLAN_MAX, &vlan);
    if (!ok)
        return bad_value(p, "vlan", value,
                         "vlan=N (1 to 4094), or vlan=trunk:N-M+N… of at most 16 parts");
    n->vlan_mode = trunk ? DEVICE_VLAN_TRUNK : DEVICE_VLAN_ACCESS;
    if (!trunk)
        n->vlan = (unsigned)vlan;
    return UM_OK;
}

static enum um_code parse_number(struct device_parser *p, const char *key, const char *value,
                                 int64_t min, int64_t max, unsigned *ret)
{
    int64_t v;

    if (!um_parse_int(value, min, max, &v))
        return device_fail(p, UM_E_INVALID, "%s=%.40s is no number from %lld to %lld", key, value,
                           (long long)min, (long long)max);
    *ret = (unsigned)v;
    return UM_OK;
}

static enum um_code parse_native(struct device_parser *p, const char *value, struct device_net *n)
{
    return parse_number(p, "native", value, 1, VLAN_MAX, &n->native);
}

static enum um_code parse_isolated(struct device_parser *p, const char *value, struct device_net *n)
{
    return parse_number(p, "isolated", value, 1, DEVICE_NET_GROUP_MAX, &n->isolated);
}

static enum um_code parse_mtu(struct device_parser *p, const char *value, struct device_net *n)
{
    return parse_number(p, "mtu", value, DEVICE_NET_MTU_MIN, DEVICE_NET_MTU_MAX, &n->mtu);
}

/* Calls each with every part of a list joined with `+`. */
static enum um_code parse_list(struct device_parser *p, const char *value, struct device_net *n,
                               enum um_code (*each)(struct device_parser *p, const char *part,
                                                    struct device_net *n))
{
    enum um_code code = UM_OK;

    for (const char *s = value; !code; s++) {
        um_autostr part = strndup(s, strcspn(s, "+"));

        if (!part)
            return device_no_memory(p);
        code = each(p, part, n);
        s += strlen(part);
        if (!*s)
            break;
    }
    return code;
}

static enum um_code add_guard(struct device_parser *p, const char *part, struct device_net *n)
{
    const struct {
        const char *name;
        bool *flag;
    } guards[] = {{"mac", &n->guard_mac}, {"dhcp", &n->guard_dhcp}, {"ra", &n->guard_ra}};

    for (size_t i = 0; i < UM_ARRAY_LEN(guards); i++)
        if (strcmp(part, guards[i].name) == 0) {
            *guards[i].flag = true;
            return UM_OK;
        }
    return bad_value(p, "guard", part,
                     "guard=mac+dhcp+ra, or some of them: only its own address, no DHCP server, "
                     "no router");
}

static enum um_code parse_guard(struct device_parser *p, const char *value, struct device_net *n)
{
    return parse_list(p, value, n, add_guard);
}

/* Are all bits behind the prefix zero? */
static bool prefix_clean(const struct device_prefix *x, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned kept = x->bits > 8 * i ? x->bits - 8 * (unsigned)i : 0;

        if (kept < 8 && (x->address[i] & (0xff >> kept)))
            return false;
    }
    return true;
}

static enum um_code add_prefix(struct device_parser *p, const char *part, struct device_net *n)
{
    char address[64] = "";
    size_t len = strcspn(part, "/");
    bool v6 = strchr(part, ':');
    unsigned most = v6 ? 128 : 32;
    size_t *count = v6 ? &n->ipv6_count : &n->ipv4_count;
    struct device_prefix x = {.bits = most};
    int64_t bits = most;

    if (*count == DEVICE_NET_SOURCES)
        return device_fail(p, UM_E_INVALID, "ip= has more than %d prefixes of one family",
                           DEVICE_NET_SOURCES);
    if (len < sizeof(address))
        memcpy(address, part, len);
    if (inet_pton(v6 ? AF_INET6 : AF_INET, address, x.address) != 1 ||
        (part[len] && !um_parse_int(part + len + 1, 1, most, &bits)))
        return bad_value(p, "ip", part, "for example ip=192.0.2.7+198.51.100.0/24+2001:db8::/64");
    x.bits = (unsigned)bits;
    if (!prefix_clean(&x, v6 ? 16 : 4))
        return device_fail(p, UM_E_INVALID, "ip=%.60s: the address has bits behind its prefix",
                           part);
    (v6 ? n->ipv6 : n->ipv4)[(*count)++] = x;
    return UM_OK;
}

static enum um_code parse_ip(struct device_parser *p, const char *value, struct device_net *n)
{
    return parse_list(p, value, n, add_prefix);
}

static enum um_code parse_amount(struct device_parser *p, const char *key, const char *value,
                                 uint64_t *ret)
{
    if (um_parse_size(value, ret) && *ret >= 1024 && *ret <= UINT64_C(1) << 40)
        return UM_OK;
    return bad_value(p, key, value, "bytes, from 1K to 1024G: rate=10M is ten MiB a second");
}

static enum um_code parse_rate(struct device_parser *p, const char *value, struct device_net *n)
{
    return parse_amount(p, "rate", value, &n->in_rate);
}

static enum um_code parse_burst(struct device_parser *p, const char *value, struct device_net *n)
{
    return parse_amount(p, "burst", value, &n->in_burst);
}

static enum um_code parse_rate_out(struct device_parser *p, const char *value, struct device_net *n)
{
    return parse_amount(p, "rate-out", value, &n->out_rate);
}

static enum um_code parse_burst_out(struct device_parser *p, const char *value,
                                    struct device_net *n)
{
    return parse_amount(p, "burst-out", value, &n->out_burst);
}

/* ---- all keys ---- */

static const struct {
    const char *key;
    enum um_code (*parse)(struct device_parser *p, const char *value, struct device_net *n);
} keys[] = {
    {"mac", parse_mac},
    {"mtu", parse_mtu},
    {"vlan", parse_vlan},
    {"native", parse_native},
    {"isolated", parse_isolated},
    {"guard", parse_guard},
    {"ip", parse_ip},
    {"rate", parse_rate},
    {"burst", parse_burst},
    {"rate-out", parse_rate_out},
    {"burst-out", parse_burst_out},
};

static enum um_code unknown_key(struct device_parser *p, const char *word)
{
    device_fail(p, UM_E_INVALID, "unknown option \"%.40s\"", word);
    um_hint(p->err, "options are mac= mtu= vlan= native= isolated= guard= ip= rate= burst= "
                    "rate-out= burst-out=");
    return UM_E_INVALID;
}

static enum um_code parse_option(struct device_parser *p, char *word, unsigned *seen,
                                 struct device_net *n)
{
    char *value = strchr(word, '=');

    if (!value)
        return unknown_key(p, word);
    *value++ = '\0';
    for (size_t i = 0; i < UM_ARRAY_LEN(keys); i++) {
        if (strcmp(keys[i].key, word) != 0)
            continue;
        if (*seen & 1u << i)
            return device_fail(p, UM_E_INVALID, "%s= is given twice", word);
        *seen |= 1u << i;
        return keys[i].parse(p, value, n);
    }
    return unknown_key(p, word);
}

static enum um_code check_whole(struct device_parser *p, const struct device_net *n)
{
    if (n->native && n->vlan_mode != DEVICE_VLAN_TRUNK)
        return device_fail(p, UM_E_INVALID, "native= goes with vlan=trunk: only");
    if (n->in_burst && !n->in_rate)
        return device_fail(p, UM_E_INVALID, "burst= goes with rate= only");
    if (n->out_burst && !n->out_rate)
        return device_fail(p, UM_E_INVALID, "burst-out= goes with rate-out= only");
    return UM_OK;
}

static enum um_code parse_network(struct device_parser *p, const char *value, size_t len,
                                  struct device_net *n)
{
    n->network = strndup(value, len);
    if (!n->network)
        return device_no_memory(p);
    if (um_name_valid(n->network))
        return UM_OK;
    device_fail(p, UM_E_INVALID, "\"%.80s\" is no name of a network", n->network);
    um_hint(p->err, UM_NAME_RULE);
    return UM_E_INVALID;
}

enum um_code device_parse_net(struct device_parser *p, const char *value, struct device *d)
{
    size_t len = strcspn(value, ",");
    unsigned seen = 0;
    enum um_code code;

    d->net = calloc(1, sizeof(*d->net));
    if (!d->net)
        return device_no_memory(p);
    code = parse_network(p, value, len, d->net);
    for (value += len; !code && *value; value += len) {
        um_autostr word = NULL;

        value++;
        len = strcspn(value, ",");
        word = strndup(value, len);
        code = word ? parse_option(p, word, &seen, d->net) : device_no_memory(p);
    }
    if (!code)
        code = check_whole(p, d->net);
    if (!code)
        device_net_print(d->net, &p->text);
    return code;
}
