#include "cli/command.h"

#include "cli/commands.h"

#include <string.h>

const struct command *const command_table[] = {
#define X(name) &command_##name,
    CLI_COMMANDS(X)
#undef X
        NULL,
};

const struct option_row command_global_options[] = {
    {"socket", 0, "PATH", NULL, "talk to the daemon listening there; never start one"},
    {"json", 0, NULL, NULL, "print the reply as JSON, one object on a line"},
    {"timeout", 0, "TIME", NULL, "give up after 30, 500ms, 2m, 1h (unit: seconds if none)"},
    {"dry-run", 0, NULL, NULL, "say what would happen; change nothing"},
    {"request-id", 0, "ID", NULL, "the same again gets the same answer, and does nothing"},
    {"if-revision", 0, "N", NULL, "only if it still has this revision (see show)"},
    {"no-color", 0, NULL, NULL, "no colours; so does the variable NO_COLOR"},
    {"no-start", 0, NULL, NULL, "do not start a daemon when none is running"},
    {"help", 'h', NULL, NULL, "show help, of the command if one is given"},
    {"version", 0, NULL, NULL, "show the version of this program"},
    {NULL, 0, NULL, NULL, NULL},
};

const char *command_group_title(enum command_group group)
{
    static const char *const titles[GROUP_COUNT] = {
        [GROUP_GUESTS] = "Guests",     [GROUP_DEVICES] = "Devices", [GROUP_CONSOLES] = "Consoles",
        [GROUP_NETWORKS] = "Networks", [GROUP_HOST] = "Host",       [GROUP_API] = "API",
    };

    return titles[group];
}

static bool name_is(const char *name, char *const *argv, int argc, int *ret_used)
{
    const char *space = name ? strchr(name, ' ') : NULL;
    size_t first;

    if (!name)
        return false;
    if (!space) {
        *ret_used = 1;
        return strcmp(name, argv[0]) == 0;
    }
    first = (size_t)(space - name);
    *ret_used = 2;
    return argc >= 2 && strlen(argv[0]) == first && strncmp(name, argv[0], first) == 0 &&
           strcmp(space + 1, argv[1]) == 0;
}

const struct command *command_find(char *const *argv, int argc, int *ret_used)
{
    if (argc < 1)
        return NULL;
    for (size_t i = 0; command_table[i]; i++)
        if (name_is(command_table[i]->name, argv, argc, ret_used) ||
            name_is(command_table[i]->alias, argv, argc, ret_used))
            return command_table[i];
    return NULL;
}

bool command_is_noun(const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; command_table[i]; i++)
        if (strncmp(command_table[i]->name, word, len) == 0 && command_table[i]->name[len] == ' ')
            return true;
    return false;
}

/* Edits (insert, delete, replace) between two short words; anything longer is far away. */
static unsigned distance(const char *a, const char *b)
{
    enum { LONGEST = 31 };
    unsigned row[LONGEST + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > LONGEST || lb > LONGEST)
        return LONGEST;
    for (unsigned j = 0; j <= lb; j++)
        row[j] = j;
    for (unsigned i = 1; i <= la; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[lb];
}

static void consider(const char *word, const char *name, const char **best, unsigned *best_distance)
{
    unsigned d;

    if (!name)
        return;
    d = distance(word, name);
    if (strlen(word) >= 2 && strncmp(word, name, strlen(word)) == 0)
        d = 1;
    if (d < *best_distance) {
        *best_distance = d;
        *best = name;
    }
}

const char *command_nearest(const char *word)
{
    unsigned best_distance = strlen(word) <= 3 ? 2 : 3; /* must be less than this */
    const char *best = NULL;

    for (size_t i = 0; command_table[i]; i++) {
        consider(word, command_table[i]->name, &best, &best_distance);
        consider(word, command_table[i]->alias, &best, &best_distance);
    }
    return best;
}
