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
    {"net0=lan", UM_E_UNSUPPORTED, "not in this version yet", "no network"},
    {"net0=lan,mac=52:54:00:12:34:56", UM_E_UNSUPPORTED, "not in this version", NULL},
    {"net0=lan,mac=53:54:00:12:34:56", UM_E_INVALID, "53:54:00:12:34:56", "52:54"},
    {"eth0=tuntap,,,192.168.0.254", UM_E_UNSUPPORTED, "not in this version", NULL},
    {"eth0=tuntap,,fe:fd:0:0:0:1", UM_E_UNSUPPORTED, "not in this version", NULL},
    {"eth0=tuntap,,fe:fd:0:0:0", UM_E_INVALID, "MAC address \"fe:fd:0:0:0\"", NULL},
    {"eth0=daemon,01:00:5e:00:00:01", UM_E_INVALID, "multicast", NULL},
    {"eth0=daemon,zz:00:5e:00:00:01,unix", UM_E_INVALID, "six hexadecimal", NULL},
    {"eth0=mcast,0:0:0:0:0:0", UM_E_INVALID, "zero", NULL},
    {"eth0=pcap,eth0,tcp", UM_E_UNSUPPORTED, "not in this version", NULL},
    {"eth0=slip,1.2.3.4", UM_E_UNSUPPORTED, "not in this version", NULL},
    {"vec0:transport=fd,fd=3", UM_E_UNSUPPORTED, "not in this version", NULL},
    {"vec0:transport=tap,mac=fe:fd:00:00:00:001", UM_E_INVALID, "MAC", NULL},
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
    tcase_add_test(t, lines_shares_and_sizes_have_their_fields);
    tcase_add_test(t, long_words_and_paths_are_refused);
    tcase_add_test(t, directories_with_separators_and_missing_ones_are_reported);
    tcase_add_test(t, names_of_kinds_and_channels_are_complete);
    suite_add_tcase(s, t);
    return check_run(s);
}
