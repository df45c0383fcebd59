#include "fake_guest.h"

#include <unistd.h>

static const char help[] =
    "User Mode Linux v" FAKE_VERSION " (fake guest of umld's tests)\n"
    "    --showconfig\n    --version\n    --help\n"
    "uml_dir=<directory>\numid=<name>\nmem=<Amount of desired ram>\nnoreboot\n"
    "mconsole=notify:<socket>\ncon[0-9]*=<channel description>\nssl[0-9]*=<channel description>\n"
    "ubd<n><flags>=<filename>[(:|,)<filename2>][(:|,)<serial>]\n"
    "eth[0-9]+=<transport>,<options>\nvec[0-9]+:<option>=<value>,<option>=<value>\n"
    "hostfs=<root dir>,<flags>,...\ninitrd=<initrd image>\nnosysemu\n";

static const char config[] =
    "CONFIG_UML=y\nCONFIG_64BIT=y\nCONFIG_STATIC_LINK=y\nCONFIG_MCONSOLE=y\n"
    "CONFIG_MAGIC_SYSRQ=y\nCONFIG_HOSTFS=y\nCONFIG_CON_ZERO_CHAN=\"fd:0,fd:1\"\n"
    "CONFIG_CON_CHAN=\"x-terminal-emulator\"\nCONFIG_SSL_CHAN=\"pty\"\nCONFIG_UML_WATCHDOG=m\n"
    "CONFIG_UML_NET=y\nCONFIG_UML_NET_TUNTAP=y\nCONFIG_UML_NET_DAEMON=y\n"
    "CONFIG_UML_NET_DAEMON_DEFAULT_SOCK=\"/var/run/uml-utilities/uml_switch.ctl\"\n"
    "CONFIG_UML_NET_VECTOR=y\nCONFIG_UML_NET_MCAST=y\nCONFIG_UML_NET_SLIRP=y\n"
    "# CONFIG_UML_TIME_TRAVEL_SUPPORT is not set\n# CONFIG_VIRTIO_UML is not set\n"
    "CONFIG_BLK_DEV_UBD=y\nCONFIG_MODULES=y\n";

static void say(const char *text)
{
    SYS(write, STDOUT_FILENO, text, strlen(text));
}

/* `fake_guest-7.2.0` says it is 7.2.0: how tests get kernels of several versions. */
static const char *version_of(const char *program)
{
    const char *version = FAKE_VERSION;

    for (const char *p = program; *p; p++) {
        if (*p == '/')
            version = FAKE_VERSION;
        else if (*p == '-' && p[1] >= '0' && p[1] <= '9')
            version = p + 1;
    }
    return version;
}

bool command_line_answer(const char *program, const char *word)
{
    if (str_equal(word, "--version")) {
        say(version_of(program));
        say("\n");
    } else if (str_equal(word, "--help")) {
        say(help);
    } else if (str_equal(word, "--showconfig")) {
        say(config);
    } else {
        return false;
    }
    return true;
}

/* Value of `key=value`, or NULL. */
static const char *value_of(const char *word, const char *key)
{
    return str_starts(word, key) ? word + strlen(key) : NULL;
}

static bool is_device(const char *word)
{
    static const char *const drivers[] = {"con", "ssl", "ubd", "eth", "vec"};

    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
        if (str_starts(word, drivers[i]))
            return true;
    return false;
}

/* ubd<n><flags>=spec: the flags are not part of the name mconsole knows it by. */
static void read_device(const char *word)
{
    bool is_vec = str_starts(word, "vec");
    const char *mark = str_find(word, is_vec ? ':' : '=');
    char name[NAME_SIZE];
    size_t len;

    if (!mark)
        return;
    len = (size_t)(mark - word);
    while (str_starts(word, "ubd") && len > 4 && word[len - 1] >= 'c')
        len--;
    if (len >= sizeof(name))
        return;
    memcpy(name, word, len);
    name[len] = '\0';
    device_set(name, mark + 1);
}

/* A probe gets its words from umld: what is to go wrong in it is said by the program's name. */
static bool is_named(const char *program, const char *prefix)
{
    const char *name = program;

    for (const char *p = program; *p; p++)
        if (*p == '/')
            name = p + 1;
    return str_starts(name, prefix);
}

void command_line_read(int argc, char **argv)
{
    guest.argv = argv;
    guest.script.probebad = is_named(argv[0], "probebad");
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *value;

        if (str_equal(word, "--"))
            return;
        if ((value = value_of(word, "uml_dir=")))
            guest.uml_dir = value;
        else if ((value = value_of(word, "umid=")))
            guest.umid = value;
        else if ((value = value_of(word, "mconsole=notify:")))
            guest.notify = value;
        else if ((value = value_of(word, "fake=")))
            script_read(&guest.script, value);
        else if (str_equal(word, "noreboot"))
            guest.noreboot = true;
        else if (str_equal(word, "umld.probe") || str_starts(word, "umld.probe="))
            guest.probe = true;
        else if (is_device(word))
            read_device(word);
    }
}
