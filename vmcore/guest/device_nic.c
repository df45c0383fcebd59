/*
 * vec<n>: and eth<n>=, the kernel's own net devices, passed to it as they are. What would make it
 * ignore the word, choose another address or corrupt its memory is refused here: it says so on its
 * console at best (uml(kernel), net_kern.c, vector_kern.c).
 */
#include "vmcore/guest/device_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* uml(kernel), vector_user.c: key=value pairs it has room for; it does not look. */
enum { VEC_PAIRS_MAX = 20 };

static const char *const vec_transports[] = {"tap",    "hybrid", "raw", "gre",
                                             "l2tpv3", "bess",   "vde"};

/* Transports of eth<n>=, and which field is the MAC address; 0: there is none. */
static const struct {
    const char *transport;
    unsigned field;
} eth_transports[] = {
    {"daemon", 1}, {"tuntap", 2}, {"mcast", 1}, {"ucast", 1},    {"vde", 2},
    {"slirp", 1},  {"slip", 0},   {"pcap", 5},  {"ethertap", 2},
};

/* NULL, or what is wrong with it. */
static const char *mac_problem(const char *s, size_t len, bool exact, uint8_t ret[6])
{
    const char *end = s + len;
    unsigned sum = 0;

    for (int i = 0; i < 6; i++) {
        unsigned byte = 0, digits = 0;

        for (; s < end && isxdigit((unsigned char)*s) && digits < 3; s++, digits++)
            byte = byte * 16 + (unsigned)(isdigit((unsigned char)*s)
                                              ? *s - '0'
                                              : tolower((unsigned char)*s) - 'a' + 10);
        if (digits < (exact ? 2 : 1) || digits > 2 || (i < 5 ? s >= end || *s != ':' : s != end))
            return exact ? "is not six bytes of two hexadecimal digits with `:` between them"
                         : "is not six hexadecimal bytes with `:` between them";
        if (i == 0 && (byte & 1))
            return "has an odd first byte: that is a multicast address";
        ret[i] = (uint8_t)byte;
        sum += byte;
        s++;
    }
    return sum ? NULL : "is all zero";
}

enum um_code device_mac(struct device_parser *p, const char *s, size_t len, bool exact,
                        uint8_t ret[6])
{
    const char *problem = mac_problem(s, len, exact, ret);

    if (!problem)
        return UM_OK;
    device_fail(p, UM_E_INVALID, "MAC address \"%.*s\" %s", (int)(len < 40 ? len : 40), s, problem);
    um_hint(p->err, "for example 52:54:00:12:34:56");
    return UM_E_INVALID;
}

static enum um_code take_transport(struct device_parser *p, const char *s, size_t len,
                                   struct device *d)
{
    d->nic.transport = strndup(s, len);
    return d->nic.transport ? UM_OK : device_no_memory(p);
}

/* ---- vec ---- */

static enum um_code vec_transport(struct device_parser *p, const char *s, size_t len,
                                  struct device *d)
{
    if (len == 2 && strncmp(s, "fd", 2) == 0) {
        device_fail(p, UM_E_INVALID, "a guest has no descriptors to give its kernel");
        um_hint(p->err, "netN=NETWORK, or transport=bess,dst=PATH");
        return UM_E_INVALID;
    }
    for (size_t i = 0; i < UM_ARRAY_LEN(vec_transports); i++)
        if (strlen(vec_transports[i]) == len && strncmp(vec_transports[i], s, len) == 0)
            return take_transport(p, s, len, d);
    device_fail(p, UM_E_INVALID, "unknown transport \"%.*s\"", (int)(len < 40 ? len : 40), s);
    um_hint(p->err, "transports are tap, hybrid, raw, gre, l2tpv3, bess and vde");
    return UM_E_INVALID;
}

static enum um_code vec_pair(struct device_parser *p, const char *s, size_t len, struct device *d)
{
    const char *eq = memchr(s, '=', len);
    size_t key = eq ? (size_t)(eq - s) : 0, value = len - key - 1;
    uint8_t mac[6];

    if (!eq || !key || !value || memchr(eq + 1, '=', value))
        return device_fail(p, UM_E_INVALID, "\"%.*s\" is not key=value", (int)(len < 60 ? len : 60),
                           s);
    if (key == 3 && strncmp(s, "mac", key) == 0)
        return device_mac(p, eq + 1, value, true, mac);
    if (key != 9 || strncmp(s, "transport", key) != 0)
        return UM_OK;
    if (d->nic.transport)
        return device_fail(p, UM_E_INVALID, "transport= is given twice");
    return vec_transport(p, eq + 1, value, d);
}

enum um_code device_parse_vec(struct device_parser *p, const char *value, struct device *d)
{
    int pairs = 0;

    for (const char *s = value;;) {
        size_t len = strcspn(s, ",");
        enum um_code code = vec_pair(p, s, len, d);

        if (code)
            return code;
        if (++pairs > VEC_PAIRS_MAX)
            return device_fail(p, UM_E_INVALID, "more than %d options overflow the kernel's table",
                               VEC_PAIRS_MAX);
        if (!s[len])
            break;
        s += len + 1;
    }
    if (!d->nic.transport)
        return device_fail(p, UM_E_INVALID, "transport= is missing");
    um_buf_puts(&p->text, value);
    return UM_OK;
}

/* ---- eth ---- */

static enum um_code eth_mac(struct device_parser *p, const char *value, unsigned field)
{
    uint8_t mac[6];
    size_t len;

    for (; field; field--) {
        value += strcspn(value, ",");
        if (!*value++)
            return UM_OK;
    }
    len = strcspn(value, ",");
    return len ? device_mac(p, value, len, false, mac) : UM_OK;
}

enum um_code device_parse_eth(struct device_parser *p, const char *value, struct device *d)
{
    size_t len = strcspn(value, ",");

    for (size_t i = 0; i < UM_ARRAY_LEN(eth_transports); i++) {
        enum um_code code;

        if (strlen(eth_transports[i].transport) != len ||
            strncmp(eth_transports[i].transport, value, len) != 0)
            continue;
        code = eth_transports[i].field ? eth_mac(p, value, eth_transports[i].field) : UM_OK;
        um_buf_puts(&p->text, value);
        return code ? code : take_transport(p, value, len, d);
    }
    device_fail(p, UM_E_INVALID, "unknown transport \"%.*s\"", (int)(len < 40 ? len : 40), value);
    um_hint(p->err, "transports are daemon, tuntap, mcast, ucast, vde, slirp, slip, pcap and "
                    "ethertap, as far as the kernel has them (umlctl kernel list)");
    return UM_E_INVALID;
}
