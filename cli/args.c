#include "cli/args.h"

#include "cli/cli.h"
#include "vmcore/base/str.h"

#include <assert.h>
#include <string.h>

static const struct option_row *find_long(const struct option_row *rows, const char *name,
                                          size_t len)
{
    for (; rows && rows->name; rows++)
        if (strlen(rows->name) == len && strncmp(rows->name, name, len) == 0)
            return rows;
    return NULL;
}

static const struct option_row *find_short(const struct option_row *rows, char letter)
{
    for (; rows && rows->name; rows++)
        if (rows->letter == letter)
            return rows;
    return NULL;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);

    for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (strncmp(p, value, len) == 0 && (p[len] == '|' || p[len] == '\0'))
            return len > 0;
    return false;
}

static enum um_code check_value(const struct args_option *o, struct um_error *err)
{
    if (!o->row->choices || is_choice(o->row->choices, o->value))
        return UM_OK;
    return um_fail(err, UM_E_USAGE, NULL, o->row->name, "--%s must be %s, not \"%s\"", o->row->name,
                   o->row->choices, o->value);
}

enum um_code args_take_option(const struct option_row *first, const struct option_row *second,
                              int argc, char **argv, int *i, struct args_option *ret,
                              struct um_error *err)
{
    const char *arg = argv[*i], *value = NULL;
    const struct option_row *row;
    bool is_long = arg[1] == '-';

    if (is_long) {
        size_t len = strcspn(arg + 2, "=");

        row = find_long(first, arg + 2, len);
        row = row ? row : find_long(second, arg + 2, len);
        value = arg[2 + len] == '=' ? arg + 3 + len : NULL;
    } else {
        row = find_short(first, arg[1]);
        row = row ? row : find_short(second, arg[1]);
        value = arg[2] ? arg + 2 : NULL;
    }
    if (!row || (!row->value && value && !is_long))
        return um_fail(err, UM_E_USAGE, NULL, NULL, "unknown option %s", arg);
    if (!row->value && value)
        return um_fail(err, UM_E_USAGE, NULL, row->name, "--%s takes no value", row->name);
    if (row->value && !value) {
        if (*i + 1 >= argc)
            return um_fail(err, UM_E_USAGE, NULL, row->name, "--%s needs a value: %s", row->name,
                           row->value);
        value = argv[++*i];
    }
    ++*i;
    *ret = (struct args_option){.row = row, .value = value ? value : ""};
    return check_value(ret, err);
}

static enum um_code check_globals(const struct cli *cli, const struct command *c,
                                  struct um_error *err)
{
    const char *option = cli->has_revision && c->changes != CHANGES_GUEST   ? "if-revision"
                         : cli->request_id && c->changes == CHANGES_NOTHING ? "request-id"
                         : cli->dry_run && c->changes == CHANGES_NOTHING    ? "dry-run"
                                                                            : NULL;

    if (!option)
        return UM_OK;
    return um_fail(err, UM_E_USAGE, NULL, option, "--%s does not go with %s", option, c->name);
}

static enum um_code check_count(const struct args *a, struct um_error *err)
{
    const struct command *c = a->command;

    if ((int)a->count < c->min_words)
        return um_fail(err, UM_E_USAGE, NULL, NULL, "%s: too few words: %s", c->name, c->usage);
    if (c->max_words >= 0 && (int)a->count > c->max_words)
        return um_fail(err, UM_E_USAGE, NULL, NULL, "%s: unexpected word \"%s\"", c->name,
                       a->word[c->max_words]);
    if (a->tail_count > 0 && !c->tail)
        return um_fail(err, UM_E_USAGE, NULL, NULL, "%s takes no words after --", c->name);
    return UM_OK;
}

enum um_code args_parse(struct cli *cli, const struct command *command, int argc, char **argv,
                        struct args *ret, struct um_error *err)
{
    enum um_code code;
    int i = 0;

    *ret = (struct args){.command = command, .word = argv};
    while (i < argc) {
        struct args_option o;

        if (strcmp(argv[i], "--") == 0) {
            ret->tail = argv + i + 1;
            ret->tail_count = (size_t)(argc - i - 1);
            break;
        }
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            ret->word[ret->count++] = argv[i++];
            continue;
        }
        code = args_take_option(command_global_options, command->options, argc, argv, &i, &o, err);
        if (code)
            return code;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): row is set whenever code is UM_OK */
        if (find_long(command_global_options, o.row->name, strlen(o.row->name)) == o.row) {
            code = cli_set_global(cli, o.row->name, o.value, err);
            if (code)
                return code;
            continue;
        }
        if (ret->option_count == ARGS_OPTIONS_MAX)
            return um_fail(err, UM_E_USAGE, NULL, NULL, "more than %d options", ARGS_OPTIONS_MAX);
        ret->option[ret->option_count++] = o;
    }
    if (cli->help)
        return UM_OK;
    code = check_globals(cli, command, err);
    return code ? code : check_count(ret, err);
}

bool args_flag(const struct args *a, const char *name)
{
    return args_value(a, name) != NULL;
}

const char *args_value(const struct args *a, const char *name)
{
    const char *value = NULL, *v;
    size_t pos = 0;

    while ((v = args_next(a, name, &pos)))
        value = v;
    return value;
}

const char *args_next(const struct args *a, const char *name, size_t *pos)
{
    assert(find_long(a->command->options, name, strlen(name)));
    while (*pos < a->option_count) {
        const struct args_option *o = &a->option[(*pos)++];

        if (strcmp(o->row->name, name) == 0)
            return o->value;
    }
    return NULL;
}

enum um_code args_int(const struct args *a, const char *name, int64_t min, int64_t max,
                      int64_t *ret, struct um_error *err)
{
    const char *value = args_value(a, name);

    if (!value || um_parse_int(value, min, max, ret))
        return UM_OK;
    return um_fail(err, UM_E_USAGE, NULL, name,
                   "--%s must be a number from %lld to %lld, not \"%s\"", name, (long long)min,
                   (long long)max, value);
}

bool args_duration(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *suffix;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"", 1000}};
    size_t digits = strspn(text, "0123456789");
    char number[16];
    int64_t n;

    if (digits == 0 || digits >= sizeof(number))
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    if (!um_parse_int(number, 1, INT64_C(1000000000), &n))
        return false;
    for (size_t i = 0; i < UM_ARRAY_LEN(units); i++)
        if (strcmp(text + digits, units[i].suffix) == 0) {
            *ret_ms = n * units[i].ms;
            return true;
        }
    return false;
}
