/*
 * The command line, parsed by the option rows of command.h.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "cli/command.h"
#include "vmcore/base/error.h"

#include <stdint.h>

struct args_option {
    const struct option_row *row;
    const char *value; /* "" for a flag */
};

enum { ARGS_OPTIONS_MAX = 128 };

struct args {
    const struct command *command;
    char **word; /* positional words */
    size_t count;
    char **tail; /* words after `--` */
    size_t tail_count;
    struct args_option option[ARGS_OPTIONS_MAX];
    size_t option_count;
};

/*
 * Take the option at argv[*i] by one of two tables (the second may be NULL) and move *i behind it.
 * Errors: unknown option, value missing or not among the choices.
 */
enum um_code args_take_option(const struct option_row *first, const struct option_row *second,
                              int argc, char **argv, int *i, struct args_option *ret,
                              struct um_error *err) um_nonnull(1, 4, 5, 6) um_check;

/*
 * Parse what follows the command's name. Global options are handed to cli_set_global(). argv is
 * reordered in place: positional words first. argv must live as long as ret.
 */
enum um_code args_parse(struct cli *cli, const struct command *command, int argc, char **argv,
                        struct args *ret, struct um_error *err) um_nonnull(1, 2, 4, 5) um_check;

/* Options by long name. The name must be in the command's rows. */
bool args_flag(const struct args *a, const char *name) um_nonnull(1, 2);
const char *args_value(const struct args *a, const char *name) um_nonnull(1, 2); /* last, or NULL */
/* Walk the values of an option that may be repeated; *pos starts at 0. */
const char *args_next(const struct args *a, const char *name, size_t *pos) um_nonnull(1, 2, 3);

/* Number of an option; *ret unchanged if it was not given. */
enum um_code args_int(const struct args *a, const char *name, int64_t min, int64_t max,
                      int64_t *ret, struct um_error *err) um_nonnull(1, 2, 5) um_check;

/* `30`, `500ms`, `2m`, `1h` in milliseconds, at least 1. */
bool args_duration(const char *text, int64_t *ret_ms) um_nonnull(1, 2) um_check;

#endif
