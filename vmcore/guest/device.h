/*
 * Device strings <-> structs. The HOWTO's own syntax is the configuration syntax (shared design §3;
 * grammar facts: UML's drivers/line.c, ubd_kern.c). Parsing is pure: no file is touched here.
 * A parsed device prints back to the string it came from.
 */
#ifndef VMCORE_GUEST_DEVICE_H
#define VMCORE_GUEST_DEVICE_H

#include "vmcore/base/error.h"
#include "vmcore/base/str.h"

enum device_kind {
    DEVICE_UBD,    /* ubd<n><flags>=<file>[,backing[,serial]] */
    DEVICE_CON,    /* con<n>=<chan>, con=<chan> (index -1: default for all) */
    DEVICE_SSL,    /* ssl<n>=<chan>, ssl=<chan> */
    DEVICE_MEM,    /* mem=<size> */
    DEVICE_HOSTFS, /* hostfs=<dir>[,append] */
    DEVICE_INITRD, /* initrd=<file> */
    DEVICE_SHARE,  /* share<n>=HOSTDIR[:PATH][:ro] */
    DEVICE_UMID,   /* umid=<name>: cosmetic here, umld names the run directory */
    DEVICE_NET,    /* net<n>=NETWORK[,key=value]…: a port of a managed network (device_net.c) */
    DEVICE_VEC,    /* vec<n>:transport=…: the kernel's own; only without the sandbox */
    DEVICE_ETH,    /* eth<n>=<transport>[,…]: the same, kernels up to 6.15 */
    DEVICE_KIND_COUNT
};

enum device_channel {
    CHANNEL_MANAGED, /* ours: a pty owned by umlmon */
    CHANNEL_FD,      /* fd:<n>; only 0, 1 and 2 exist in a managed guest (all are the con0 pty) */
    CHANNEL_NULL,
    CHANNEL_NONE,
    CHANNEL_PTS,   /* host pts; umlmon opens the pair */
    CHANNEL_PTY,   /* parsed; not usable yet */
    CHANNEL_TTY,   /* tty:<path> */
    CHANNEL_PORT,  /* port:<n> */
    CHANNEL_XTERM, /* xterm */
    CHANNEL_COUNT
};

struct device_chan {
    enum device_channel type;
    int number; /* fd or port number, else -1 */
    char *path; /* tty path, else NULL; owned */
};

enum {
    UBD_READ_ONLY = 1, /* r */
    UBD_SYNC = 2,      /* s */
    UBD_SHARED = 4,    /* c */
    UBD_DATA = 8,      /* d: never look for a COW header */
    UBD_NO_TRIM = 16,  /* t */
    DEVICE_UBD_MAX = 16,
    DEVICE_CON_MAX = 16,
    DEVICE_SSL_MAX = 64,
    DEVICE_SHARE_MAX = 16,
    DEVICE_NET_MAX = 16
};

enum device_vlan { DEVICE_VLAN_TRANSPARENT, DEVICE_VLAN_ACCESS, DEVICE_VLAN_TRUNK };

enum {
    DEVICE_NET_SOURCES = 8, /* prefixes of each family */
    DEVICE_NET_RANGES = 16,
    DEVICE_NET_GROUP_MAX = 65535,
    DEVICE_NET_MTU_MIN = 576, /* uml(kernel), vector_kern.c */
    DEVICE_NET_MTU_MAX = 65534
};

struct device_prefix {
    uint8_t address[16]; /* as in a packet; IPv4: the first four */
    unsigned bits;
};

/* What a port of a network may and must. */
struct device_net {
    char *network;  /* owned */
    uint8_t mac[6]; /* all zero: not chosen yet, see device_net_mac() */
    enum device_vlan vlan_mode;
    unsigned vlan;   /* access: its VLAN */
    unsigned native; /* trunk: VLAN of frames without tag; 0: none */
    struct {
        uint16_t first, last;
    } trunk[DEVICE_NET_RANGES]; /* VLANs that pass tagged, as they were given */
    size_t trunk_count;
    unsigned isolated;                    /* group; 0: none */
    bool guard_mac, guard_dhcp, guard_ra; /* only its own address; no server; no router */
    struct device_prefix ipv4[DEVICE_NET_SOURCES], ipv6[DEVICE_NET_SOURCES];
    size_t ipv4_count, ipv6_count; /* sources that its packets may have; 0: any */
    unsigned mtu;                  /* in the guest; 0: the kernel's default, 1500 */
    uint64_t in_rate, in_burst;    /* bytes a second from the guest, and at once; 0: not given */
    uint64_t out_rate, out_burst;  /* to the guest */
};

struct device {
    enum device_kind kind;
    int index;  /* unit number, -1 for kinds without one and for `con=`/`ssl=` defaults */
    char *text; /* canonical string, as stored and printed; owned */
    union {
        struct {
            unsigned flags;
            char *file, *backing, *serial; /* owned; backing and serial may be NULL */
            /* What the file was when the device was defined, not part of the text: "raw", or the
             * backing file its COW header named; owned, NULL: not looked at. The guest can write
             * its own disk, so a header found later is believed only if it says the same. */
            char *origin;
        } ubd;
        struct {
            struct device_chan in, out; /* equal unless `in,out` was given */
            bool pair;
        } line;
        uint64_t mem; /* bytes */
        struct {
            char *dir;
            bool append;
        } hostfs;
        char *initrd;
        struct {
            char *dir;  /* host directory */
            char *path; /* path inside the sandbox; equals dir unless given */
            bool read_only;
        } share;
        char *umid;
        struct device_net *net; /* owned */
        struct {
            char *transport; /* owned */
        } nic;               /* vec, eth: the text is what the kernel is told */
    };
};

/* Is this word a device string at all (by its leading name)? `root=/dev/ubda` is not. */
bool device_word_known(const char *word) um_nonnull(1);

/*
 * Parse one word. Relative paths are made absolute with cwd (NULL: relative paths are refused).
 * On success *ret is owned by the caller (device_done). Errors name the word, the part and the
 * remedy: unknown device, number out of range, bad size, unknown channel, bad flag letter, names
 * with `,` `:` blanks or control characters, a word over 400 bytes.
 */
enum um_code device_parse(const char *word, const char *cwd, struct device *ret,
                          struct um_error *err) um_nonnull(1, 3) um_check;
void device_done(struct device *d);
bool device_copy(const struct device *from, struct device *ret) um_nonnull(1, 2) um_check;

/* `ubd0`, `con1`, `con`, `mem`: what one device is called, for lookups and messages. */
const char *device_name(const struct device *d, char *buf, size_t size) um_nonnull(1, 2);

/*
 * The address of a net device that has none of its own: locally administered, and another for each
 * guest (its number, never used again) and unit.
 */
void device_net_mac(int64_t guest, int unit, uint8_t ret[6]) um_nonnull(3);
bool device_net_has_mac(const struct device *d) um_nonnull(1) um_check;
/* Give it this address, in the text, too. False: no memory, nothing changed. */
bool device_net_set_mac(struct device *d, const uint8_t mac[6]) um_nonnull(1, 2) um_check;
/* `02:00:00:00:05:00`, as every kernel reads it. buf: at least 18 bytes. Returns buf. */
const char *device_mac_text(const uint8_t mac[6], char buf[18]) um_nonnull(1, 2);

const char *device_kind_name(enum device_kind kind);
const char *device_channel_name(enum device_channel type);

#endif
