/*
 * umlctl(1) in roff's man macros, from the command table.
 */
#include "cli/help.h"

#include <stdio.h>

/* Text with what roff would take for its own escaped; `**` has no meaning here. */
static void put_text(const char *s)
{
    bool line_start = true;

    for (; *s; s++) {
        if (line_start && (*s == '.' || *s == '\''))
            fputs("\\&", stdout);
        if (*s == '\\')
            fputs("\\e", stdout);
        else if (*s == '-')
            fputs("\\-", stdout);
        else
            putchar(*s);
        line_start = *s == '\n';
    }
}

static void put_paragraphs(const char *s)
{
    bool indented = false;

    for (; *s; s++) {
        const char *end = s;
        char line[256];

        while (*end && *end != '\n')
            end++;
        snprintf(line, sizeof(line), "%.*s", (int)(end - s), s);
        if (line[0] == '\0')
            puts(".PP");
        else if (line[0] == ' ') {
            /* Indented lines are examples: kept as they are. */
            fputs(".br\n\\ \\ ", stdout);
            put_text(line + 1);
            puts("");
        } else {
            if (indented)
                puts(".br");
            put_text(line);
            puts("");
        }
        indented = line[0] == ' ';
        s = end;
        if (!*s)
            break;
    }
}

static void put_options(const struct option_row *rows)
{
    char text[80];

    for (; rows && rows->name; rows++) {
        fputs(".TP\n.B ", stdout);
        put_text(help_option_text(rows, text, sizeof(text)));
        puts("");
        put_text(rows->help);
        if (rows->choices) {
            fputs("; one of ", stdout);
            put_text(rows->choices);
        }
        puts(".");
    }
}

static void put_command(const struct command *c)
{
    fputs(".SS umlctl ", stdout);
    put_text(c->name);
    putchar(' ');
    put_text(c->usage);
    puts("");
    put_text(c->summary);
    puts(".");
    if (c->alias) {
        fputs("Also called ", stdout);
        put_text(c->alias);
        puts(".");
    }
    if (c->details) {
        puts(".PP");
        put_paragraphs(c->details);
    }
    put_options(c->options);
}

static void put_environment(void)
{
    static const char *const rows[][2] = {
        {"UMLD_SOCKET", "Socket of the daemon, like --socket."},
        {"UMLD_RUN_DIR", "Run directory in which the daemon's socket is looked for."},
        {"NO_COLOR", "If set and not empty, no colours are used."},
    };

    puts(".SH ENVIRONMENT");
    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        printf(".TP\n.B %s\n", rows[i][0]);
        put_text(rows[i][1]);
        puts("");
    }
}

int help_dump_man(void)
{
    puts(".TH UMLCTL 1 \"\" \"umld " UMLD_VERSION "\" \"umld\"");
    puts(".SH NAME\numlctl \\- manage user-mode Linux guests");
    puts(".SH SYNOPSIS\n.B umlctl\n[\\fIoptions\\fR] \\fIcommand\\fR ...");
    puts(".SH DESCRIPTION");
    put_text(
        "umlctl asks the daemon umld to do things with user-mode Linux guests. Without --socket "
        "it talks to the system's daemon if one is running, else to the user's own, which it "
        "starts when it is needed.\n");
    puts(".PP");
    put_text(
        "Tables are plain text; with --json each reply of the daemon is printed as one line of "
        "JSON. Messages go to the standard error output.\n");
    puts(".SH OPTIONS");
    put_options(command_global_options);
    for (int g = 0; g < GROUP_COUNT; g++) {
        printf(".SH COMMANDS: %s\n", command_group_title((enum command_group)g));
        for (size_t i = 0; command_table[i]; i++)
            if ((int)command_table[i]->group == g)
                put_command(command_table[i]);
    }
    puts(".SH EXIT STATUS");
    for (size_t i = 0; help_statuses[i].text; i++)
        printf(".TP\n.B %d\n%s\n", help_statuses[i].status, help_statuses[i].text);
    put_environment();
    return 0;
}
