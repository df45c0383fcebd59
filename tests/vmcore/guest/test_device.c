/*
 * Device strings: what is accepted, what the struct says, that the text comes back, and what is
 * said about the rest.
 */
#include "tests/check_run.h"
#include "vmcore/guest/device.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define CWD "/home/u"

static struct device parse(const char *word)
{
    struct um_error err = UM_ERROR_INIT;
    struct device d;
    enum um_code code = device_parse(word, CWD, &d, &err);

    ck_assert_msg(code == UM_OK, "%s: %s", word, err.message);
    return d;
}

static const struct {
    const char *word, *text, *name;
} good[] = {
    {"ubd0=/a/root.img", NULL, "ubd0"},
    {"ubd0=root.img", "ubd0=/home/u/root.img", "ubd0"},
    {"ubd0=../x/./root.img", "ubd0=/home/x/root.img", "ubd0"},
    {"ubd0=/a//b/../c", NULL, "ubd0"}, /* absolute paths stay as they are */
    {"ubd15r=/a", NULL, "ubd15"},
    {"ubd017=/a", NULL, "ubd15"}, /* octal */
    {"ubd0xf=/a", NULL, "ubd15"},
    {"ubda=/a", NULL, "ubd0"},
    {"ubdpr=/a", NULL, "ubd15"},
    {"ubddd=/a", NULL, "ubd3"},
    {"ubd0rscdt=/a", NULL, "ubd0"},
    {"ubd0tdcsr=/a", NULL, "ubd0"},
    {"ubd0rrrrrr=/a", NULL, "ubd0"},
    {"ubd0=cow,base", "ubd0=/home/u/cow,/home/u/base", "ubd0"},
    {"ubd0=cow:base", "ubd0=/home/u/cow:/home/u/base", "ubd0"},
    {"ubd0=/c,/b,serial", NULL, "ubd0"},
    {"ubd0=/c:/b,serial", NULL, "ubd0"},
    {"ubd0=File,,Serial", "ubd0=/home/u/File,,Serial", "ubd0"},
    {"ubd0=/f::Serial", NULL, "ubd0"},
    {"ubd0=/f,", NULL, "ubd0"},
    {"ubd0=/f,,", NULL, "ubd0"},
    {"con0=managed", NULL, "con0"},
    {"con0=fd:0,fd:1", NULL, "con0"},
    {"con=null", NULL, "con"},
    {"con=pts", NULL, "con"},
    {"con1=none", NULL, "con1"},
    {"con010=pts", NULL, "con8"},
    {"con1=pty", NULL, "con1"},
    {"con1=port:9000", NULL, "con1"},
    {"con1=port:0x10", NULL, "con1"},
    {"con1=xterm", NULL, "con1"},
    {"con1=tty:/dev/ttyS0", NULL, "con1"},
    {"con1=tty:fifo", "con1=tty:/home/u/fifo", "con1"},
    {"con1=tty:in,tty:out", "con1=tty:/home/u/in,tty:/home/u/out", "con1"},
    {"con1=null,fd:1", NULL, "con1"},
    {"con15=managed", NULL, "con15"},
    {"ssl=pty", NULL, "ssl"},
    {"ssl63=managed", NULL, "ssl63"},
    {"mem=128M", NULL, "mem"},
    {"mem=134217728", NULL, "mem"},
    {"mem=1g", NULL, "mem"},
    {"hostfs=/srv", NULL, "hostfs"},
    {"hostfs=srv,append", "hostfs=/home/u/srv,append", "hostfs"},
    {"initrd=initrd.gz", "initrd=/home/u/initrd.gz", "initrd"},
    {"share0=/srv", NULL, "share0"},
    {"share0=.", "share0=/home/u", "share0"},
    {"share1=/srv:ro", NULL, "share1"},
    {"share2=/srv:/mnt", NULL, "share2"},
    {"share15=src:/mnt:ro", "share15=/home/u/src:/mnt:ro", "share15"},
    {"umid=web", NULL, "umid"},
    {"net0=lan", NULL, "net0"},
    {"net15=lan,mac=52:54:00:AB:cd:EF", "net15=lan,mac=52:54:00:ab:cd:ef", "net15"},
    {"net1=lan,vlan=20,mac=02:00:00:00:00:05", "net1=lan,mac=02:00:00:00:00:05,vlan=20", "net1"},
    {"net1=lan,native=5,vlan=trunk:10-20+30+7-7", "net1=lan,vlan=trunk:10-20+30+7,native=5",
     "net1"},
    {"net1=lan,isolated=3,guard=ra+mac+dhcp,mtu=9000",
     "net1=lan,mtu=9000,isolated=3,guard=mac+dhcp+ra", "net1"},
    {"net1=lan,ip=2001:DB8:0::/64+192.0.2.7/32+10.0.0.0/8",
     "net1=lan,ip=192.0.2.7+10.0.0.0/8+2001:db8::/64", "net1"},
    {"net1=lan,rate=1024K,burst=65536,rate-out=10m,burst-out=64K",
     "net1=lan,rate=1M,burst=64K,rate-out=10M,burst-out=64K", "net1"},
    {"vec0:transport=tap,mac=fe:fd:00:00:00:01,ifname=tap0", NULL, "vec0"},
    {"vec1:dst=/tmp/lan,transport=bess", NULL, "vec1"},
    {"eth0=tuntap,,,192.168.0.254", NULL, "eth0"},
    {"eth0=daemon,fe:fd:0:0:0:1,unix,/tmp/uml.ctl", NULL, "eth0"},
    {"eth1=mcast", NULL, "eth1"},
    {"eth2=pcap,eth0,tcp", NULL, "eth2"},
    {"eth3=slip,1.2.3.4", NULL, "eth3"},
};

START_TEST(accepted_words_keep_their_text)
{
    const char *want = good[_i].text ? good[_i].text : good[_i].word;
    struct device d = parse(good[_i].word), again, copy;
    char name[32];

    ck_assert_str_eq(d.text, want);
    ck_assert_str_eq(device_name(&d, name, sizeof(name)), good[_i].name);
    ck_assert(device_word_known(good[_i].word));
    /* The text parses without a directory and gives itself. */
    ck_assert_int_eq(device_parse(d.text, NULL, &again, NULL), UM_OK);
    ck_assert_str_eq(again.text, d.text);
    ck_assert(device_copy(&d, &copy));
    ck_assert_str_eq(copy.text, d.text);
    ck_assert_int_eq(copy.kind, d.kind);
    ck_assert_int_eq(copy.index, d.index);
    device_done(&again);
    device_done(&copy);
    device_done(&d);
}
END_TEST

static const struct {
    const char *word;
    enum um_code code;
    const char *message, *hint; /* fragments */
} bad[] = {
    {"ubd16=/a", UM_E_INVALID, "0 to 15", "ubdp"},
    {"ubd020=/a", UM_E_INVALID, "0 to 15", "ubdp"},
    {"ubdq=/a", UM_E_INVALID, "0 to 15", "ubdp"},
    {"ubd99999999999999999999=/a", UM_E_INVALID, "0 to 15", NULL},
    {"ubd", UM_E_INVALID, "0 to 15", NULL},
    {"ubd0", UM_E_INVALID, "missing", NULL},
    {"ubd0r", UM_E_INVALID, "missing", NULL},
    {"ubd0=", UM_E_INVALID, "disk image is missing", NULL},
    {"ubd0=,/b", UM_E_INVALID, "disk image is missing", NULL},
    {"ubd08=/a", UM_E_INVALID, "`8` is no ubd flag", "read-only"},
    {"ubd0x=/a", UM_E_INVALID, "`x` is no ubd flag", NULL},
    {"ubd0rrrrrrr=/a", UM_E_INVALID, "more than 6", NULL},
    {"ubd0d=/a,/b", UM_E_INVALID, "exclude each other", NULL},
    {"ubd0=/a,/b,s,t", UM_E_INVALID, "too many fields", NULL},
    {"ubd0=/a b", UM_E_INVALID, "blanks", NULL},
    {"ubd0=/a\tb", UM_E_INVALID, "blanks", NULL},
    {"ubd0=~/a", UM_E_INVALID, "~", "$HOME/a"},
    {"ubd=sync", UM_E_UNSUPPORTED, "version", "flag s"},
    {"ubd=3", UM_E_INVALID, "number", NULL},
    {"con16=null", UM_E_INVALID, "0 to 15", NULL},
    {"con08=null", UM_E_INVALID, "`=` is missing", NULL},
    {"con1", UM_E_INVALID, "`=` is missing", NULL},
    {"con1=", UM_E_INVALID, "channel is missing", "managed"},
    {"con1=nullfoo", UM_E_INVALID, "unknown channel \"nullfoo\"", "managed, pts, null"},
    {"con1=nul", UM_E_INVALID, "unknown channel", NULL},
    {"con1=null:", UM_E_INVALID, "unknown channel", NULL},
    {"con1=x-terminal-emulator", UM_E_INVALID, "unknown channel", NULL},
    {"con1=fd", UM_E_INVALID, "fd:NUMBER", NULL},
    {"con1=fd:", UM_E_INVALID, "number", NULL},
    {"con1=fd:1x", UM_E_INVALID, "number", NULL},
    {"con1=fd:-1", UM_E_INVALID, "number", NULL},
    {"con1=port:70000", UM_E_INVALID, "65535", NULL},
    {"con1=tty", UM_E_INVALID, "tty:PATH", NULL},
    {"con1=tty:", UM_E_INVALID, "terminal is missing", NULL},
    {"con1=null,", UM_E_INVALID, "channel is missing", NULL},
    {"con1=managed,managed", UM_E_INVALID, "at once", "con1=managed"},
    {"con1=a,b,c", UM_E_INVALID, "unknown channel", NULL},
    {"ssl64=null", UM_E_INVALID, "0 to 63", NULL},
    {"mem=abc", UM_E_INVALID, "no size", "128M"},
    {"mem=", UM_E_INVALID, "no size", NULL},
    {"mem=010M", UM_E_INVALID, "no size", NULL},
    {"mem=128MB", UM_E_INVALID, "no size", NULL},
    {"mem=-1", UM_E_INVALID, "no size", NULL},
    {"hostfs=", UM_E_INVALID, "directory is missing", NULL},
    {"hostfs=/a,ro", UM_E_INVALID, "unknown hostfs option", "append"},
    {"initrd=", UM_E_INVALID, "initrd is missing", NULL},
    {"share16=/a", UM_E_INVALID, "0 to 15", NULL},
    {"share0=", UM_E_INVALID, "directory is missing", NULL},
    {"share0=/a:rw", UM_E_INVALID, "neither", "HOSTDIR"},
    {"share0=/a:/b:rw", UM_E_INVALID, "not `ro`", NULL},
    {"share0=/a:", UM_E_INVALID, "neither", NULL},
    {"share0=/a:/b:", UM_E_INVALID, "not `ro`", NULL},
    {"share0=/a:b", UM_E_INVALID, "neither", NULL},
    {"umid=..", UM_E_INVALID, "no name", NULL},
    {"umid=a/b", UM_E_INVALID, "no name", NULL},
    {"umid=", UM_E_INVALID, "no name", NULL},
    {"disk0=web", UM_E_UNSUPPORTED, "not in this version yet", "ubdN=FILE"},
    {"net0=", UM_E_INVALID, "no name of a network", "letters"},
    {"net0=a/b", UM_E_INVALID, "no name of a network", NULL},
    {"net16=lan", UM_E_INVALID, "0 to 15", NULL},
    {"net0=lan,", UM_E_INVALID, "unknown option \"\"", "mac= mtu="},
    {"net0=lan,speed=1", UM_E_INVALID, "unknown option \"speed\"", "vlan="},
    {"net0=lan,mac", UM_E_INVALID, "unknown option \"mac\"", NULL},
    {"net0=lan,mac=52:54:00:12:34:5", UM_E_INVALID, "two hexadecimal digits", "52:54"},
    {"net0=lan,mac=53:54:00:12:34:56", UM_E_INVALID, "53:54:00:12:34:56", "52:54"},
    {"net0=lan,mac=00:00:00:00:00:00", UM_E_INVALID, "zero", NULL},
    {"net0=lan,vlan=1,vlan=2", UM_E_INVALID, "vlan= is given twice", NULL},
    {"net0=lan,vlan=0", UM_E_INVALID, "vlan=0 cannot", "1 to 4094"},
    {"net0=lan,vlan=4095", UM_E_INVALID, "cannot be used", NULL},
    {"net0=lan,vlan=trunk:", UM_E_INVALID, "cannot be used", "trunk:N-M"},
    {"net0=lan,vlan=trunk:5-4", UM_E_INVALID, "cannot be used", NULL},
    {"net0=lan,vlan=trunk:1++2", UM_E_INVALID, "cannot be used", NULL},
    {"net0=lan,vlan=trunk:1+2+", UM_E_INVALID, "cannot be used", NULL},
    {"net0=lan,vlan=trunk:1+2+3+4+5+6+7+8+9+10+11+12+13+14+15+16+17", UM_E_INVALID, "cannot",
     "16 parts"},
    {"net0=lan,native=5", UM_E_INVALID, "vlan=trunk", NULL},
    {"net0=lan,vlan=4,native=5", UM_E_INVALID, "vlan=trunk", NULL},
    {"net0=lan,isolated=0", UM_E_INVALID, "from 1 to 65535", NULL},
    {"net0=lan,mtu=575", UM_E_INVALID, "from 576 to 65534", NULL},
    {"net0=lan,guard=", UM_E_INVALID, "guard= cannot", "mac+dhcp+ra"},
    {"net0=lan,guard=mac+arp", UM_E_INVALID, "guard=arp cannot", NULL},
    {"net0=lan,ip=10.0.0.1/24", UM_E_INVALID, "bits behind", NULL},
    {"net0=lan,ip=2001:db8::1/64", UM_E_INVALID, "bits behind", NULL},
    {"net0=lan,ip=10.0.0.0/33", UM_E_INVALID, "ip=10.0.0.0/33 cannot", "192.0.2.7"},
    {"net0=lan,ip=10.0.0.0/0", UM_E_INVALID, "cannot", NULL},
    {"net0=lan,ip=", UM_E_INVALID, "cannot", NULL},
    {"net0=lan,ip=1.1.1.1+1.1.1.2+1.1.1.3+1.1.1.4+1.1.1.5+1.1.1.6+1.1.1.7+1.1.1.8+1.1.1.9",
     UM_E_INVALID, "more than 8", NULL},
    {"net0=lan,rate=0", UM_E_INVALID, "rate=0 cannot", "MiB a second"},
    {"net0=lan,rate-out=1x", UM_E_INVALID, "rate-out=1x cannot", NULL},
    {"net0=lan,burst=1M", UM_E_INVALID, "goes with rate=", NULL},
    {"net0=lan,rate=1M,burst-out=1M", UM_E_INVALID, "goes with rate-out=", NULL},
    {"eth0=tuntap,,fe:fd:0:0:0", UM_E_INVALID, "MAC address \"fe:fd:0:0:0\"", NULL},
    {"eth0=daemon,01:00:5e:00:00:01", UM_E_INVALID, "multicast", NULL},
    {"eth0=daemon,zz:00:5e:00:00:01,unix", UM_E_INVALID, "six hexadecimal", NULL},
    {"eth0=mcast,0:0:0:0:0:0", UM_E_INVALID, "zero", NULL},
    {"eth0=bridge", UM_E_INVALID, "unknown transport \"bridge\"", "tuntap"},
    {"eth0", UM_E_INVALID, "`=` is missing", NULL},
    {"vec0:transport=fd,fd=3", UM_E_INVALID, "no descriptors", "netN=NETWORK"},
    {"vec0:transport=tap,mac=fe:fd:00:00:00:001", UM_E_INVALID, "MAC", NULL},
    {"vec0:transport=tap,mac=fe:fd:0:0:0:1", UM_E_INVALID, "two hexadecimal digits", NULL},
    {"vec0:transport=tap,transport=raw", UM_E_INVALID, "given twice", NULL},
    {"vec0:transport=tapx", UM_E_INVALID, "unknown transport", "bess"},
    {"vec0:ifname=tap0", UM_E_INVALID, "transport= is missing", NULL},
    {"vec0:transport=tap,ifname=a=b", UM_E_INVALID, "not key=value", NULL},
    {"vec0:", UM_E_INVALID, "not key=value", NULL},
    {"vec0=transport=tap", UM_E_INVALID, "`:` is missing", NULL},
    {"vec16:transport=tap", UM_E_INVALID, "0 to 15", NULL},
    {"vec0:transport=tap,a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1,q=1,"
     "r=1,s=1,t=1",
     UM_E_INVALID, "more than 20", NULL},
    {"root=/dev/ubda", UM_E_INVALID, "unknown device", "after `--`"},
    {"", UM_E_INVALID, "unknown device", NULL},
    {"console=tty0", UM_E_INVALID, "unknown device", NULL},
    {"shared=/a", UM_E_INVALID, "unknown device", NULL},
};

START_TEST(refused_words_say_why_and_what_to_do)
{
    struct um_error err = UM_ERROR_INIT;
    struct device d;

    ck_assert_int_eq(device_parse(bad[_i].word, CWD, &d, &err), bad[_i].code);
    ck_assert_int_eq(err.code, bad[_i].code);
    ck_assert_msg(strstr(err.message, bad[_i].message) != NULL, "%s", err.message);
    if (bad[_i].hint)
        ck_assert_msg(strstr(err.hint, bad[_i].hint) != NULL, "%s: %s", err.message, err.hint);
    for (const char *c = err.message; *c; c++)
        ck_assert((unsigned char)*c >= ' ');
    /* Without an error to fill, the outcome is the same. */
    ck_assert_int_eq(device_parse(bad[_i].word, CWD, &d, NULL), bad[_i].code);
}
END_TEST

START_TEST(known_words_are_told_from_kernel_options)
{
    static const char *const known[] = {
        "ubd0=x",   "ubdzz",  "con=null", "con1",   "ssl5=pty",    "mem=1",  "hostfs=x", "initrd=x",
        "share0=x", "umid=x", "disk0=x",  "net1=x", "eth0=tuntap", "vec0:x", "ubd=sync"};
    static const char *const others[] = {"root=/dev/ubda",
                                         "console=tty0",
                                         "consoleblank=0",
                                         "memmap=1",
                                         "rw",
                                         "quiet",
                                         "ssl-non-raw",
                                         "network=1",
                                         "share=1",
                                         "kernel=x",
                                         "",
                                         "init=/bin/sh",
                                         "mem"};

    for (size_t i = 0; i < UM_ARRAY_LEN(known); i++)
        ck_assert_msg(device_word_known(known[i]), "%s", known[i]);
    for (size_t i = 0; i < UM_ARRAY_LEN(others); i++)
        ck_assert_msg(!device_word_known(others[i]), "%s", others[i]);
}
END_TEST

START_TEST(a_disk_has_its_fields)
{
    struct device d = parse("ubd1sr=cow:base,S1");

    ck_assert_int_eq(d.kind, DEVICE_UBD);
    ck_assert_int_eq(d.index, 1);
    ck_assert_uint_eq(d.ubd.flags, UBD_SYNC | UBD_READ_ONLY);
    ck_assert_str_eq(d.ubd.file, "/home/u/cow");
    ck_assert_str_eq(d.ubd.backing, "/home/u/base");
    ck_assert_str_eq(d.ubd.serial, "S1");
    device_done(&d);
    d = parse("ubd0=File,,Serial");
    ck_assert_ptr_null(d.ubd.backing);
    ck_assert_str_eq(d.ubd.serial, "Serial");
    device_done(&d);
}
END_TEST

START_TEST(a_port_of_a_network_has_its_fields)
{
    static const uint8_t chosen[6] = {0x02, 0, 0, 0, 0x2a, 3};
    struct device d = parse("net3=lan,vlan=trunk:10-20+30,native=5,isolated=2,guard=mac+ra,"
                            "ip=10.0.0.0/8+2001:db8::7,rate=1M,burst=64K,rate-out=2M,mtu=9000");
    const struct device_net *n = d.net;
    uint8_t mac[6], other[6];

    ck_assert_str_eq(n->network, "lan");
    ck_assert_int_eq(n->vlan_mode, DEVICE_VLAN_TRUNK);
    ck_assert_uint_eq(n->trunk_count, 2);
    ck_assert(n->trunk[0].first == 10 && n->trunk[0].last == 20);
    ck_assert(n->trunk[1].first == 30 && n->trunk[1].last == 30);
    ck_assert_uint_eq(n->native, 5);
    ck_assert_uint_eq(n->isolated, 2);
    ck_assert(n->guard_mac && n->guard_ra && !n->guard_dhcp);
    ck_assert(n->ipv4_count == 1 && n->ipv4[0].bits == 8 && n->ipv4[0].address[0] == 10);
    ck_assert(n->ipv6_count == 1 && n->ipv6[0].bits == 128 && n->ipv6[0].address[15] == 7);
    ck_assert(n->in_rate == 1 << 20 && n->in_burst == 1 << 16);
    ck_assert(n->out_rate == 2 << 20 && n->out_burst == 0);
    ck_assert_uint_eq(n->mtu, 9000);
    /* One address for each guest and unit. */
    ck_assert(!device_net_has_mac(&d));
    device_net_mac(42, 3, mac);
    ck_assert_mem_eq(mac, chosen, 6);
    device_net_mac(43, 3, other);
    ck_assert_mem_ne(mac, other, 6);
    device_net_mac(42, 4, other);
    ck_assert_mem_ne(mac, other, 6);
    ck_assert(device_net_set_mac(&d, mac));
    ck_assert(device_net_has_mac(&d));
    ck_assert(um_str_starts(d.text, "net3=lan,mac=02:00:00:00:2a:03,mtu=9000,vlan=trunk:"));
    device_done(&d);
    d = parse("net0=lan,vlan=7");
    ck_assert(d.net->vlan_mode == DEVICE_VLAN_ACCESS && d.net->vlan == 7);
    device_done(&d);
    d = parse("vec0:transport=bess,dst=/x");
    ck_assert_str_eq(d.nic.transport, "bess");
    device_done(&d);
}
END_TEST

START_TEST(lines_shares_and_sizes_have_their_fields)
{
    struct device d = parse("con1=null,fd:2");

    ck_assert(d.line.pair);
    ck_assert_int_eq(d.line.in.type, CHANNEL_NULL);
    ck_assert_int_eq(d.line.out.type, CHANNEL_FD);
    ck_assert_int_eq(d.line.out.number, 2);
    device_done(&d);
    d = parse("con=managed");
    ck_assert_int_eq(d.index, -1);
    ck_assert(!d.line.pair);
    ck_assert_int_eq(d.line.out.type, CHANNEL_MANAGED);
    device_done(&d);
    d = parse("con1=tty:a");
    ck_assert_str_eq(d.line.out.path, "/home/u/a");
    device_done(&d);
    d = parse("share0=/srv:ro");
    ck_assert_str_eq(d.share.path, "/srv");
    ck_assert(d.share.read_only);
    device_done(&d);
    d = parse("share0=/srv:/mnt");
    ck_assert_str_eq(d.share.path, "/mnt");
    ck_assert(!d.share.read_only);
    device_done(&d);
    d = parse("mem=64M");
    ck_assert_uint_eq(d.mem, 64 << 20);
    device_done(&d);
    d = parse("hostfs=/a,append");
    ck_assert(d.hostfs.append);
    device_done(&d);
}
END_TEST

START_TEST(long_words_and_paths_are_refused)
{
    char word[500], cwd[500];
    struct um_error err;
    struct device d;

    memset(word, 'a', sizeof(word));
    memcpy(word, "ubd0=/", 6);
    word[401] = '\0';
    ck_assert_int_eq(device_parse(word, CWD, &d, &err), UM_E_INVALID);
    ck_assert(strstr(err.message, "400") != NULL);
    word[400] = '\0';
    ck_assert_int_eq(device_parse(word, CWD, &d, &err), UM_OK);
    device_done(&d);
    memset(cwd, 'b', sizeof(cwd));
    cwd[0] = '/';
    cwd[396] = '\0';
    ck_assert_int_eq(device_parse("ubd0=x", cwd, &d, &err), UM_E_INVALID);
    ck_assert(strstr(err.message, "absolute") != NULL);
}
END_TEST

START_TEST(directories_with_separators_and_missing_ones_are_reported)
{
    struct um_error err;
    struct device d;

    ck_assert_int_eq(device_parse("ubd0=x", "/a,b", &d, &err), UM_E_INVALID);
    ck_assert(strstr(err.message, "contains `,`") != NULL);
    ck_assert_int_eq(device_parse("ubd0=x", "/a b", &d, &err), UM_E_INVALID);
    ck_assert_int_eq(device_parse("ubd0=x", NULL, &d, &err), UM_E_INVALID);
    ck_assert(strstr(err.message, "must begin with `/`") != NULL);
    ck_assert_str_eq(err.field, "ubd0");
}
END_TEST

START_TEST(names_of_kinds_and_channels_are_complete)
{
    for (int i = 0; i < DEVICE_KIND_COUNT; i++)
        ck_assert_str_ne(device_kind_name((enum device_kind)i), "?");
    for (int i = 0; i < CHANNEL_COUNT; i++)
        ck_assert_str_ne(device_channel_name((enum device_channel)i), "?");
    device_done(NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("device");
    TCase *t = tcase_create("words");

    tcase_add_loop_test(t, accepted_words_keep_their_text, 0, UM_ARRAY_LEN(good));
    tcase_add_loop_test(t, refused_words_say_why_and_what_to_do, 0, UM_ARRAY_LEN(bad));
    tcase_add_test(t, known_words_are_told_from_kernel_options);
    tcase_add_test(t, a_disk_has_its_fields);
    tcase_add_test(t, a_port_of_a_network_has_its_fields);
    tcase_add_test(t, lines_shares_and_sizes_have_their_fields);
    tcase_add_test(t, long_words_and_paths_are_refused);
    tcase_add_test(t, directories_with_separators_and_missing_ones_are_reported);
    tcase_add_test(t, names_of_kinds_and_channels_are_complete);
    suite_add_tcase(s, t);
    return check_run(s);
}
