/*
 * From argv to a command: global options, the command's name, its own options, then run it.
 */
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/help.h"
#include "cli/targets.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Hidden: the build makes the man page and the completion from the table with these. */
static const struct option_row hidden_options[] = {
    {"dump-man", 0, NULL, NULL, NULL},
    {"dump-completion", 0, NULL, NULL, NULL},
    {NULL, 0, NULL, NULL, NULL},
};

static int unknown_command(struct cli *cli, char **argv, int argc)
{
    struct um_error err = UM_ERROR_INIT;
    char both[128];
    const char *near;

    if (command_is_noun(argv[0]) && (argc < 2 || argv[1][0] == '-')) {
        um_fail(&err, UM_E_USAGE, argv[0], NULL, "what to do is missing");
        um_hint(&err, "see umlctl help %s", argv[0]);
        return cli_error(cli, &err);
    }
    snprintf(both, sizeof(both), "%.60s%s%.60s", argv[0], command_is_noun(argv[0]) ? " " : "",
             command_is_noun(argv[0]) ? argv[1] : "");
    near = command_nearest(both);
    um_fail(&err, UM_E_USAGE, NULL, NULL, "unknown command \"%s\"", both);
    if (near)
        um_hint(&err, "did you mean %s?", near);
    else
        um_hint(&err, "umlctl help lists them all");
    return cli_error(cli, &err);
}

static int run_command(struct cli *cli, int argc, char **argv)
{
    struct um_error err = UM_ERROR_INIT;
    const struct command *command;
    struct args args;
    int used = 0;

    command = command_find(argv, argc, &used);
    if (!command && cli->help && command_is_noun(argv[0]))
        return help_print(cli, argv, argc);
    if (!command)
        return unknown_command(cli, argv, argc);
    if (args_parse(cli, command, argc - used, argv + used, &args, &err)) {
        um_hint(&err, "see umlctl help %s", command->name);
        return cli_error(cli, &err);
    }
    if (cli->help)
        return help_command(cli, command);
    return command->verb ? targets_run(cli, &args, command->verb) : command->run(cli, &args);
}

static int parse_and_run(struct cli *cli, int argc, char **argv)
{
    struct um_error err = UM_ERROR_INIT;
    struct args_option o;
    int i = 1;

    while (i < argc && argv[i][0] == '-' && argv[i][1]) {
        if (args_take_option(command_global_options, hidden_options, argc, argv, &i, &o, &err)) {
            um_hint(&err, "see umlctl help");
            return cli_error(cli, &err);
        }
        if (strcmp(o.row->name, "dump-man") == 0)
            return help_dump_man();
        if (strcmp(o.row->name, "dump-completion") == 0)
            return help_dump_completion();
        if (cli_set_global(cli, o.row->name, o.value, &err))
            return cli_error(cli, &err);
    }
    if (cli->version) {
        printf("umlctl %s\n", UMLD_VERSION);
        return 0;
    }
    if (i == argc && cli->help)
        return help_print(cli, NULL, 0);
    if (i == argc) {
        help_overview(stderr);
        return um_code_info(UM_E_USAGE)->exit_status;
    }
    return run_command(cli, argc - i, argv + i);
}

int cli_main(int argc, char **argv)
{
    struct cli cli;
    int status;

    signal(SIGPIPE, SIG_IGN);
    cli_init(&cli);
    status = parse_and_run(&cli, argc, argv);
    cli_done(&cli);
    cli_flush(&cli);
    return status;
}
