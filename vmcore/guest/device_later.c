/*
 * Words of the HOWTO and of the design that this version knows but cannot do yet: networks, managed
 * disks, `ubd=sync`. They are refused by name, so that nobody believes a guest has what it has not.
 * A bad MAC address is reported first, because it would be wrong in every version.
 */
#include "vmcore/guest/device_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct later_row {
    const char *name;
    const char *works; /* what works instead */
} later[] = {
    {"disk", "give the image itself: ubdN=FILE or ubdN=COW,BACKING"},
    {"net", "guests have no network in this version; devices that work: ubd con ssl mem hostfs "
            "initrd share"},
    {"eth", "guests have no network in this version; devices that work: ubd con ssl mem hostfs "
            "initrd share"},
    {"vec", "guests have no network in this version; devices that work: ubd con ssl mem hostfs "
            "initrd share"},
};

/* Which field of `ethN=<transport>,…` is the MAC (reference §3.4); 0 is the transport. */
static const struct {
    const char *transport;
    unsigned field;
} mac_fields[] = {
    {"daemon", 1}, {"mcast", 1}, {"ucast", 1},  {"slirp", 1},    {"slip", 0},
    {"vde", 2},    {"pcap", 5},  {"tuntap", 2}, {"ethertap", 2},
};

static const struct later_row *later_of(const char *word)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(later); i++) {
        const char *rest = word + strlen(later[i].name);

        if (!um_str_starts(word, later[i].name) || !isdigit((unsigned char)*rest))
            continue;
        rest += strspn(rest, "0123456789");
        if (*rest == '=' || *rest == ':' || !*rest)
            return &later[i];
    }
    return NULL;
}

bool device_later_known(const char *word)
{
    return later_of(word) || um_str_starts(word, "ubd=");
}

/* Six hexadecimal bytes with `:`, unicast (first byte even), not all zero. */
static const char *mac_problem(const char *s, size_t len)
{
    const char *end = s + len;
    unsigned sum = 0;

    for (int i = 0; i < 6; i++) {
        unsigned byte = 0, digits = 0;

        for (; s < end && isxdigit((unsigned char)*s); s++, digits++)
            byte = byte * 16 + (unsigned)(isdigit((unsigned char)*s)
                                              ? *s - '0'
                                              : tolower((unsigned char)*s) - 'a' + 10);
        if (digits < 1 || digits > 2 || (i < 5 ? s >= end || *s != ':' : s != end))
            return "is not six hexadecimal bytes with `:` between them";
        if (i == 0 && (byte & 1))
            return "has an odd first byte: that is a multicast address";
        sum += byte;
        s++;
    }
    return sum ? NULL : "is all zero";
}

static enum um_code check_mac(struct device_parser *p, const char *s, size_t len)
{
    const char *problem = len ? mac_problem(s, len) : NULL;

    if (!problem)
        return UM_OK;
    device_fail(p, UM_E_INVALID, "MAC address \"%.*s\" %s", (int)(len < 40 ? len : 40), s, problem);
    um_hint(p->err, "for example 52:54:00:12:34:56");
    return UM_E_INVALID;
}

/* `mac=` among comma-separated key=value pairs (vecN:, netN=). */
static enum um_code check_keyed_mac(struct device_parser *p, const char *value)
{
    for (;;) {
        size_t len = strcspn(value, ",");

        if (len >= 4 && strncmp(value, "mac=", 4) == 0) {
            enum um_code code = check_mac(p, value + 4, len - 4);

            if (code)
                return code;
        }
        if (!value[len])
            return UM_OK;
        value += len + 1;
    }
}

static enum um_code check_eth_mac(struct device_parser *p, const char *value)
{
    size_t len = strcspn(value, ",");
    unsigned field = 0;

    for (size_t i = 0; i < UM_ARRAY_LEN(mac_fields); i++)
        if (strlen(mac_fields[i].transport) == len &&
            strncmp(mac_fields[i].transport, value, len) == 0)
            field = mac_fields[i].field;
    if (!field)
        return UM_OK;
    for (; field; field--) {
        value += strcspn(value, ",");
        if (!*value++)
            return UM_OK;
    }
    return check_mac(p, value, strcspn(value, ","));
}

static enum um_code ubd_without_number(struct device_parser *p)
{
    if (strcmp(p->word, "ubd=sync") == 0) {
        device_fail(p, UM_E_UNSUPPORTED, "not in this version yet");
        um_hint(p->err, "give each disk flag s: ubd0s=FILE");
        return UM_E_UNSUPPORTED;
    }
    device_fail(p, UM_E_INVALID, "the number of the disk is missing");
    um_hint(p->err, "ubd0=FILE");
    return UM_E_INVALID;
}

enum um_code device_later_fail(struct device_parser *p)
{
    const struct later_row *row = later_of(p->word);
    const char *value = p->word + strcspn(p->word, "=:");
    enum um_code code = UM_OK;

    if (!row)
        return ubd_without_number(p);
    if (*value)
        value++;
    if (strcmp(row->name, "eth") == 0)
        code = check_eth_mac(p, value);
    else if (strcmp(row->name, "disk") != 0)
        code = check_keyed_mac(p, value);
    if (code)
        return code;
    device_fail(p, UM_E_UNSUPPORTED, "%sN is not in this version yet", row->name);
    um_hint(p->err, "%s", row->works);
    return UM_E_UNSUPPORTED;
}
