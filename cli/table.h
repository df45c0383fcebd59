/*
 * Aligned columns. The same plain text on a terminal and in a pipe; colours only on a terminal.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/cli.h"

enum table_flags {
    TABLE_RIGHT = 1, /* numbers */
    TABLE_SHRINK = 2 /* may be cut (with ~) so that a line fits */
};

struct table_column {
    const char *title;
    unsigned flags;
};

enum table_color { TABLE_PLAIN, TABLE_RED, TABLE_GREEN, TABLE_YELLOW };

struct table_cell {
    char *text;
    enum table_color color;
};

struct table {
    const struct table_column *columns;
    size_t column_count;
    struct table_cell *cells; /* row by row */
    size_t cell_count;
};

void table_init(struct table *t, const struct table_column *columns, size_t count) um_nonnull(1, 2);
void table_done(struct table *t) um_nonnull(1);

/* The next cell, left to right, row after row. NULL and "" are shown as `-`. */
void table_add(struct table *t, const char *text) um_nonnull(1);
void table_addf(struct table *t, const char *fmt, ...) um_nonnull(1) um_format(2, 3);
/* Colour of the last cell. */
void table_color(struct table *t, enum table_color color) um_nonnull(1);

/* Print with a header line, at most as wide as the terminal (80 where there is none). */
void table_print(const struct table *t, const struct cli *cli) um_nonnull(1, 2);

/* Colour in which a guest's state is shown. */
enum table_color table_state_color(const char *state) um_nonnull(1);

#endif
