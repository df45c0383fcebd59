/* What goes on in a network: ports, addresses, counters. */
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

/* Up and what is wrong with it, in a word. */
static const char *port_state(const json_t *port)
{
    return !text_bool(port, "up", false)        ? "down"
           : text_bool(port, "dropping", false) ? "dropping"
           : text_bool(port, "holding", false)  ? "holding"
                                                : "up";
}

static long long dropped(const json_t *port)
{
    long long sum = 0;
    const char *reason;
    json_t *count, *drops = json_object_get(port, "drops");

    json_object_foreach(drops, reason, count)
    {
        sum += json_integer_value(count);
    }
    return sum;
}

static void add_number(struct table *t, const json_t *o, const char *key)
{
    table_addf(t, "%lld", (long long)text_int(o, key, 0));
}

static void print_ports(const struct cli *cli, const json_t *ports)
{
    static const struct table_column columns[] = {
        {"PORT", TABLE_SHRINK},   {"STATE", 0},
        {"IN", TABLE_RIGHT},      {"BYTES", TABLE_RIGHT},
        {"OUT", TABLE_RIGHT},     {"BYTES", TABLE_RIGHT},
        {"DROPPED", TABLE_RIGHT}, {"WAITING", TABLE_RIGHT},
    };
    const json_t *port;
    struct table t;
    size_t i;

    table_init(&t, columns, UM_ARRAY_LEN(columns));
    json_array_foreach(ports, i, port)
    {
        const char *state = port_state(port);

        table_add(&t, text_get(port, "name", "?"));
        table_add(&t, state);
        table_color(&t, strcmp(state, "up") == 0     ? TABLE_GREEN
                        : strcmp(state, "down") == 0 ? TABLE_PLAIN
                                                     : TABLE_YELLOW);
        add_number(&t, port, "inFrames");
        add_number(&t, port, "inBytes");
        add_number(&t, port, "outFrames");
        add_number(&t, port, "outBytes");
        table_addf(&t, "%lld", dropped(port));
        add_number(&t, port, "waiting");
    }
    table_print(&t, cli);
    table_done(&t);
}

static int run_ports(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    bool text;
    int status =
        cli_ask(cli, API_NETWORK_PORTS, text_named(args->word[0]), CLI_SHORT_MS, &reply, &text);

    if (text)
        print_ports(cli, json_object_get(reply.params, "ports"));
    client_reply_done(&reply);
    return status;
}

const struct command command_net_ports = {
    .name = "net ports",
    .usage = "NAME",
    .summary = "List the ports of a network with their counters",
    .details = "A guest's port is changed in its definition, also while it runs:\n"
               "umlctl config GUEST netN=NETWORK,...",
    .group = GROUP_NETWORKS,
    .min_words = 1,
    .max_words = 1,
    .run = run_ports,
};

/* ---- addresses ---- */

static int change_mac(struct cli *cli, const struct args *args, const char *mac, const char *port)
{
    json_t *params = json_pack("{s:s,s:s}", "name", args->word[0], "mac", mac);
    const char *vlan = args_value(args, "vlan");
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct um_error err;
    int64_t number = 0;
    bool text;
    int status;

    if (vlan && args_int(args, "vlan", 0, 4094, &number, &err)) {
        json_decref(params);
        return cli_error(cli, &err);
    }
    if (vlan)
        json_object_set_new(params, "vlan", json_integer(number));
    text_set(params, "port", port);
    status = cli_ask(cli, port ? API_NETWORK_FIX_MAC : API_NETWORK_FORGET_MAC, params, CLI_SHORT_MS,
                     &reply, &text);
    if (text && !cli_told_dry(cli, reply.params, "%s %s", port ? "fix" : "forget", mac))
        printf("%s: %s\n", mac,
               !text_bool(reply.params, "changed", true)
                   ? (port ? "is so already" : "was not known")
               : port ? "fixed"
                      : "forgotten");
    client_reply_done(&reply);
    return status;
}

static int list_macs(struct cli *cli, const struct args *args)
{
    static const struct table_column columns[] = {
        {"ADDRESS", 0},
        {"VLAN", TABLE_RIGHT},
        {"PORT", TABLE_SHRINK},
        {"SEEN", TABLE_RIGHT},
    };
    struct client_reply reply = CLIENT_REPLY_INIT;
    const json_t *m;
    struct table t;
    char buf[40];
    bool text;
    size_t i;
    int status =
        cli_ask(cli, API_NETWORK_MACS, text_named(args->word[0]), CLI_SHORT_MS, &reply, &text);

    if (text) {
        table_init(&t, columns, UM_ARRAY_LEN(columns));
        json_array_foreach(json_object_get(reply.params, "macs"), i, m)
        {
            bool fixed = text_bool(m, "fixed", false);

            table_add(&t, text_get(m, "mac", "?"));
            add_number(&t, m, "vlan");
            table_add(&t, text_get(m, "port", "?"));
            table_add(&t, fixed ? "fixed"
                                : text_duration(text_int(m, "ageMs", 0) / 1000, buf, sizeof(buf)));
        }
        table_print(&t, cli);
        table_done(&t);
    }
    client_reply_done(&reply);
    return status;
}

static int run_macs(struct cli *cli, const struct args *args)
{
    const char *fix = args_value(args, "fix"), *forget = args_value(args, "forget");
    const char *port = args_value(args, "port");

    if (fix && forget)
        return cli_usage(cli, args, "--fix and --forget exclude each other");
    if (!fix != !port)
        return cli_usage(cli, args, "--fix MAC and --port GUEST/netN belong together");
    if (fix || forget)
        return change_mac(cli, args, fix ? fix : forget, port);
    return list_macs(cli, args);
}

static const struct option_row macs_options[] = {
    {"fix", 0, "MAC", NULL, "it belongs to the --port, and to no other"},
    {"port", 0, "GUEST/netN", NULL, "the port that --fix is about"},
    {"forget", 0, "MAC", NULL, "forget it, learnt or fixed"},
    {"vlan", 0, "N", NULL, "in which VLAN (0: frames without tag)"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_net_macs = {
    .name = "net macs",
    .usage = "NAME [--fix MAC --port GUEST/netN | --forget MAC]",
    .summary = "List, fix and forget the addresses of a network",
    .group = GROUP_NETWORKS,
    .options = macs_options,
    .min_words = 1,
    .max_words = 1,
    .changes = CHANGES_GUEST,
    .run = run_macs,
};

/* ---- counters ---- */

struct sums {
    long long frames, bytes, held, waiting;
    json_t *drops;
};

static struct sums sum_up(const json_t *ports)
{
    struct sums s = {.drops = json_object()};
    const json_t *port;
    size_t i;

    json_array_foreach(ports, i, port)
    {
        const char *reason;
        json_t *count, *drops = json_object_get(port, "drops");

        s.frames += text_int(port, "inFrames", 0);
        s.bytes += text_int(port, "inBytes", 0);
        s.held += text_int(port, "held", 0);
        s.waiting += text_int(port, "waiting", 0);
        json_object_foreach(drops, reason, count)
        {
            json_object_set_new(
                s.drops, reason,
                json_integer(text_int(s.drops, reason, 0) + json_integer_value(count)));
        }
    }
    return s;
}

static void print_sums(const struct sums *s)
{
    const char *reason;
    json_t *count;

    printf("frames %lld  bytes %lld  held %lld  waiting %lld  drops", s->frames, s->bytes, s->held,
           s->waiting);
    json_object_foreach(s->drops, reason, count)
    {
        printf(" %s=%lld", reason, (long long)json_integer_value(count));
    }
    puts(json_object_size(s->drops) ? "" : " none");
}

static int run_stats(struct cli *cli, const struct args *args)
{
    enum { EVERY_MS = 1000 };
    bool follow = args_flag(args, "follow"), text;
    int status;

    do {
        struct client_reply reply = CLIENT_REPLY_INIT;

        status =
            cli_ask(cli, API_NETWORK_PORTS, text_named(args->word[0]), CLI_SHORT_MS, &reply, &text);
        if (text) {
            struct sums s = sum_up(json_object_get(reply.params, "ports"));

            print_sums(&s);
            json_decref(s.drops);
        }
        client_reply_done(&reply);
        cli_flush(cli);
        if (follow && !status)
            poll(NULL, 0, EVERY_MS);
    } while (follow && !status);
    return status;
}

static const struct option_row stats_options[] = {
    {"follow", 'f', NULL, NULL, "go on, a line a second"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_net_stats = {
    .name = "net stats",
    .usage = "NAME [--follow]",
    .summary = "Sums over all ports: frames, bytes, drops by reason",
    .details = "frames and bytes: what ports sent into the network. held: how often a port was\n"
               "left unread for another's sake. waiting: bytes in queues.",
    .group = GROUP_NETWORKS,
    .options = stats_options,
    .min_words = 1,
    .max_words = 1,
    .run = run_stats,
};
