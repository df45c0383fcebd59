#include "cli/help.h"

#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"

#include <string.h>

const struct help_status help_statuses[] = {
    {0, "success"},
    {1, "failure"},
    {2, "wrong usage or an invalid value"},
    {3, "not supported here or by this daemon"},
    {4, "permission denied"},
    {5, "software is missing, or the kernel cannot be used on this host"},
    {6, "bad configuration, or a database of a newer version"},
    {7, "not found, or not running"},
    {8, "conflict: exists already, wrong state, or changed by somebody else"},
    {9, "busy: somebody else is using it"},
    {10, "a time limit passed"},
    {11, "out of memory, disk space or another resource"},
    {12, "the guest crashed"},
    {13, "cancelled"},
    {14, "no daemon answers"},
    {15, "done for some of several guests only"},
    {0, NULL},
};

const char *help_option_text(const struct option_row *row, char *buf, size_t size)
{
    char letter[8] = "";

    if (row->letter)
        snprintf(letter, sizeof(letter), "-%c, ", row->letter);
    snprintf(buf, size, "%s--%s%s%s", letter, row->name, row->value ? " " : "",
             row->value ? row->value : "");
    return buf;
}

static void print_options(FILE *out, const struct option_row *rows)
{
    char text[80];

    for (; rows && rows->name; rows++) {
        help_option_text(rows, text, sizeof(text));
        if (strlen(text) > 20)
            fprintf(out, "  %s\n  %-20s  %s\n", text, "", rows->help);
        else
            fprintf(out, "  %-20s  %s\n", text, rows->help);
        if (rows->choices)
            fprintf(out, "  %-20s  one of %s\n", "", rows->choices);
    }
}

static void print_row(FILE *out, const struct command *c)
{
    const char *alias = c->alias, *space = alias ? strrchr(alias, ' ') : NULL;
    char name[64];

    /* Of `kernel ls` only what differs from `kernel list`. */
    snprintf(name, sizeof(name), "%s%s%s", c->name, alias ? ", " : "",
             space   ? space + 1
             : alias ? alias
                     : "");
    fprintf(out, "  %-17s  %s\n", name, c->summary);
}

void help_overview(FILE *out)
{
    fputs("usage: umlctl [--socket PATH] [--json] [--timeout TIME] [--no-color] COMMAND ...\n",
          out);
    fputs("Manage user-mode Linux guests.\n", out);
    for (int g = 0; g < GROUP_COUNT; g++) {
        fprintf(out, "\n%s\n", command_group_title((enum command_group)g));
        for (size_t i = 0; command_table[i]; i++)
            if ((int)command_table[i]->group == g)
                print_row(out, command_table[i]);
    }
    fputs("\nOptions\n", out);
    print_options(out, command_global_options);
    fputs("\numlctl help COMMAND tells more about one of them.\n", out);
}

int help_command(struct cli *cli, const struct command *command)
{
    printf("usage: umlctl %s%s%s\n", command->name, command->usage[0] ? " " : "", command->usage);
    printf("%s.\n", command->summary);
    if (command->alias)
        printf("Also called %s.\n", command->alias);
    if (command->details)
        printf("\n%s\n", command->details);
    if (command->options) {
        fputs("\nOptions\n", stdout);
        print_options(stdout, command->options);
    }
    cli_flush(cli);
    return 0;
}

static int help_noun(struct cli *cli, const char *noun)
{
    size_t len = strlen(noun);

    printf("usage: umlctl %s COMMAND ...\n\n", noun);
    for (size_t i = 0; command_table[i]; i++)
        if (strncmp(command_table[i]->name, noun, len) == 0 && command_table[i]->name[len] == ' ')
            print_row(stdout, command_table[i]);
    cli_flush(cli);
    return 0;
}

int help_print(struct cli *cli, char *const *words, int count)
{
    const struct command *command;
    const char *near;
    char both[128];
    int used;

    if (count == 0) {
        help_overview(stdout);
        cli_flush(cli);
        return 0;
    }
    command = command_find(words, count, &used);
    if (command)
        return help_command(cli, command);
    if (command_is_noun(words[0]) && count == 1)
        return help_noun(cli, words[0]);
    snprintf(both, sizeof(both), "%.60s%s%.60s", words[0], count > 1 ? " " : "",
             count > 1 ? words[1] : "");
    near = command_nearest(both);
    return cli_usage(cli, NULL, "unknown command \"%s\"%s%s", both, near ? "; did you mean " : "",
                     near ? near : "");
}

static int run(struct cli *cli, const struct args *args)
{
    return help_print(cli, args->word, (int)args->count);
}

const struct command command_help = {
    .name = "help",
    .usage = "[COMMAND]",
    .summary = "Show what there is, or how one command works",
    .group = GROUP_API,
    .words = WORDS_COMMAND,
    .max_words = 2,
    .run = run,
};
