#include "netd/compat/switch/options.h"

#include "netd/frame.h"
#include "vmcore/base/str.h"

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What of the words is not settled before all are read. */
struct reading {
    struct switch_options *o;
    const char *data;
    bool v0;
};

static const char usage[] =
    "usage: uml_switch [-unix CONTROL-SOCKET] [-hub] [-tap DEVICE]... [-daemon] [OPTION]...\n"
    "   or: uml_switch -compat-v0 [-unix CONTROL-SOCKET [DATA-SOCKET]] ...\n"
    "\n"
    "  -unix        where clients connect (/tmp/uml.ctl); with -compat-v0, where those of version "
    "0\n"
    "               send their frames (/tmp/uml.data)\n"
    "  -hub         every frame to every other port\n"
    "  -tap DEVICE  attach a tap device of the host; may be repeated\n"
    "  -compat-v0   serve version 0 of the protocol as well\n"
    "  -daemon      go to the background when everything is there\n"
    "  -pidfile F   write its process id there\n"
    "  -mode OCTAL  mode of the sockets (default: 777 without the bits of the umask)\n"
    "  -group NAME  group of the sockets\n"
    "  -age S       forget addresses that were not seen for so many seconds (100)\n"
    "  -guard S     an address that was seen so few seconds ago does not move to another port (0)\n"
    "  -longest N   drop frames of more than N bytes (65552)\n";

static bool bad_value(const char *option, const char *value, const char *wanted)
{
    fprintf(stderr, "uml_switch: %s %s: it must be %s\n", option, value, wanted);
    return false;
}

static bool take_unix(struct reading *r, char **words)
{
    r->o->control = words[1];
    if (words[2] && words[2][0] != '-')
        r->data = words[2];
    return true;
}

static bool take_hub(struct reading *r, um_unused char **words)
{
    r->o->hub = true;
    return true;
}

static bool take_tap(struct reading *r, char **words)
{
    if (r->o->tap_count == SWITCH_TAPS_MAX)
        return bad_value(words[0], words[1], "one of 16 at most");
    r->o->taps[r->o->tap_count++] = words[1];
    return true;
}

static bool take_v0(struct reading *r, um_unused char **words)
{
    r->v0 = true;
    return true;
}

static bool take_daemon(struct reading *r, um_unused char **words)
{
    r->o->daemon = true;
    return true;
}

static bool take_pidfile(struct reading *r, char **words)
{
    r->o->pidfile = words[1];
    return true;
}

static bool take_mode(struct reading *r, char **words)
{
    char *end;
    unsigned long mode = strtoul(words[1], &end, 8);

    if (*end || end == words[1] || words[1][0] == '-' || mode > 0777)
        return bad_value(words[0], words[1], "a mode in octal digits, as 660");
    r->o->access.mode = (mode_t)mode;
    return true;
}

static bool take_group(struct reading *r, char **words)
{
    const struct group *group = getgrnam(words[1]);
    int64_t number;

    if (group)
        r->o->access.group = group->gr_gid;
    else if (um_parse_int(words[1], 0, UINT32_MAX - 1, &number))
        r->o->access.group = (gid_t)number;
    else
        return bad_value(words[0], words[1], "a group of this host");
    return true;
}

static bool take_number(char **words, int64_t least, int64_t most, const char *wanted,
                        uint32_t *ret)
{
    int64_t number;

    if (!um_parse_int(words[1], least, most, &number))
        return bad_value(words[0], words[1], wanted);
    *ret = (uint32_t)number;
    return true;
}

static bool take_age(struct reading *r, char **words)
{
    return take_number(words, 1, 1000000, "1 to 1000000 seconds", &r->o->age_s);
}

static bool take_guard(struct reading *r, char **words)
{
    return take_number(words, 0, 1000000, "0 to 1000000 seconds", &r->o->guard_s);
}

static bool take_longest(struct reading *r, char **words)
{
    return take_number(words, 60, NETD_FRAME_MAX, "60 to 65552 bytes", &r->o->frame_max);
}

static const struct {
    const char *name;
    int values;
    bool (*take)(struct reading *r, char **words); /* words[0] is the option itself */
} options[] = {
    {"-unix", 1, take_unix},    {"-hub", 0, take_hub},         {"-tap", 1, take_tap},
    {"-compat-v0", 0, take_v0}, {"-daemon", 0, take_daemon},   {"-pidfile", 1, take_pidfile},
    {"-mode", 1, take_mode},    {"-group", 1, take_group},     {"-age", 1, take_age},
    {"-guard", 1, take_guard},  {"-longest", 1, take_longest},
};

/* How many words it was, or 0. */
static int read_option(struct reading *r, char **words)
{
    const char *data = r->data;

    for (size_t i = 0; i < UM_ARRAY_LEN(options); i++) {
        if (strcmp(words[0], options[i].name) != 0)
            continue;
        if (options[i].values && !words[1]) {
            fprintf(stderr, "uml_switch: %s: its value is missing\n%s", words[0], usage);
            return 0;
        }
        if (!options[i].take(r, words))
            return 0;
        return 1 + options[i].values + (r->data != data);
    }
    fputs(usage, stderr);
    return 0;
}

bool switch_options_read(int argc, char **argv, struct switch_options *ret)
{
    mode_t mask = umask(0);
    struct switch_options o = {.control = "/tmp/uml.ctl",
                               .access = {.mode = 0777 & ~mask, .group = (gid_t)-1},
                               .age_s = 100,
                               .frame_max = NETD_FRAME_MAX};
    struct reading r = {.o = &o};

    umask(mask);
    for (int i = 1, words; i < argc; i += words) {
        words = read_option(&r, argv + i);
        if (!words)
            return false;
    }
    if (r.data && !r.v0) {
        fprintf(stderr, "uml_switch: %s: a data socket is for -compat-v0 only\n%s", r.data, usage);
        return false;
    }
    if (r.v0)
        o.data = r.data ? r.data : "/tmp/uml.data";
    *ret = o;
    return true;
}
