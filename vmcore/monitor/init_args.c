#include "vmcore/base/str.h"
#include "vmcore/monitor/init.h"
#include "vmcore/monitor/init_proto.h"

#include <stddef.h>
#include <string.h>

enum option_kind { OPTION_NUMBER, OPTION_PATH, OPTION_CLEAR };

struct option_row {
    const char *name;
    enum option_kind kind;
    size_t offset;
    int64_t min, max;
};

static const struct option_row rows[] = {
    {"--cpu", OPTION_NUMBER, offsetof(struct mon_init_options, cpu), -1, 4095},
    {"--control", OPTION_NUMBER, offsetof(struct mon_init_options, control), 3, INIT_FD_MAX - 1},
    {"--uid", OPTION_NUMBER, offsetof(struct mon_init_options, uid), 1, INT32_MAX},
    {"--preload", OPTION_PATH, offsetof(struct mon_init_options, preload), 0, 0},
    {"--no-namespace", OPTION_CLEAR, offsetof(struct mon_init_options, own_namespace), 0, 0},
};

static const struct option_row *find_row(const char *word)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].name, word) == 0)
            return &rows[i];
    return NULL;
}

static const char *apply(const struct option_row *row, const char *value,
                         struct mon_init_options *o)
{
    void *field = (char *)o + row->offset;
    int64_t number;

    if (row->kind == OPTION_CLEAR) {
        *(bool *)field = false;
        return NULL;
    }
    if (!value)
        return "an option lacks its value";
    if (row->kind == OPTION_PATH) {
        *(const char **)field = value;
        return value[0] == '/' ? NULL : "--preload wants an absolute path";
    }
    if (!um_parse_int(value, row->min, row->max, &number))
        return "a number is malformed or out of range";
    *(int *)field = (int)number;
    return NULL;
}

const char *mon_init_parse(int argc, char **argv, struct mon_init_options *ret)
{
    struct mon_init_options o = {.cpu = -1, .control = INIT_CONTROL_FD, .own_namespace = true};
    int i = 1;

    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const struct option_row *row = find_row(argv[i]);
        const char *why;

        if (!row)
            return "unknown option";
        why = apply(row, argv[i + 1], &o);
        if (why)
            return why;
        if (row->kind != OPTION_CLEAR)
            i++;
    }
    if (i + 1 >= argc)
        return "no kernel given after --";
    o.kernel_argv = argv + i + 1;
    /* uml(kernel): a reboot is execvp(argv[0]), so it must be found again from any directory. */
    if (o.kernel_argv[0][0] != '/')
        return "the kernel's path must be absolute";
    *ret = o;
    return NULL;
}
