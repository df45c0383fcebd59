#include "cli/table.h"

#include "cli/text.h"
#include "vmcore/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2, COLUMNS_MAX = 12, SHRINK_MIN = 8 };

void table_init(struct table *t, const struct table_column *columns, size_t count)
{
    *t = (struct table){.columns = columns, .column_count = count};
}

void table_done(struct table *t)
{
    for (size_t i = 0; i < t->cell_count; i++)
        free(t->cells[i].text);
    free(t->cells);
    *t = (struct table){0};
}

void table_add(struct table *t, const char *text)
{
    size_t size;
    char *copy;

    text = text && text[0] ? text : "-";
    size = strlen(text) + 1;
    copy = malloc(size);
    if (t->cell_count % 64 == 0)
        t->cells = realloc(t->cells, (t->cell_count + 64) * sizeof(*t->cells));
    if (!copy || !t->cells)
        abort();
    um_str_clean(text, copy, size);
    for (char *p = copy; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
    t->cells[t->cell_count++] = (struct table_cell){.text = copy};
}

void table_addf(struct table *t, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    table_add(t, text);
}

void table_color(struct table *t, enum table_color color)
{
    if (t->cell_count > 0)
        t->cells[t->cell_count - 1].color = color;
}

static void shrink(const struct table *t, size_t *width, size_t limit)
{
    for (;;) {
        size_t total = (t->column_count - 1) * GAP, widest = COLUMNS_MAX;

        for (size_t c = 0; c < t->column_count; c++) {
            total += width[c];
            if ((t->columns[c].flags & TABLE_SHRINK) && width[c] > SHRINK_MIN &&
                (widest == COLUMNS_MAX || width[c] > width[widest]))
                widest = c;
        }
        if (total <= limit || widest == COLUMNS_MAX)
            return;
        width[widest]--;
    }
}

/* Bytes of the first n code points. */
static size_t prefix_bytes(const char *s, size_t n)
{
    size_t i = 0;

    while (s[i]) {
        if (((unsigned char)s[i] & 0xc0) != 0x80 && n-- == 0)
            break;
        i++;
    }
    return i;
}

static void print_cell(const struct table *t, size_t c, const char *text, const char *color,
                       size_t width)
{
    size_t have = text_width(text);
    bool cut = have > width, last = c + 1 == t->column_count;
    int pad = cut || last ? 0 : (int)(width - have);
    bool right = t->columns[c].flags & TABLE_RIGHT;

    if (c > 0)
        printf("%*s", GAP, "");
    if (right && !cut)
        printf("%*s", (int)(width - have), "");
    if (cut)
        printf("%.*s~", (int)prefix_bytes(text, width - 1), text);
    else
        printf("%s%s%s", color, text, color[0] ? "\033[0m" : "");
    if (!right)
        printf("%*s", pad, "");
}

void table_print(const struct table *t, const struct cli *cli)
{
    static const char *const colors[] = {"", "\033[31m", "\033[32m", "\033[33m"};
    bool color = cli->out_tty && !cli->no_color;
    size_t width[COLUMNS_MAX] = {0};

    if (t->column_count == 0)
        return;
    for (size_t c = 0; c < t->column_count; c++)
        width[c] = text_width(t->columns[c].title);
    for (size_t i = 0; i < t->cell_count; i++) {
        size_t w = text_width(t->cells[i].text), c = i % t->column_count;

        if (w > width[c])
            width[c] = w;
    }
    shrink(t, width, cli_columns(cli));
    for (size_t c = 0; c < t->column_count; c++)
        print_cell(t, c, t->columns[c].title, "", width[c]);
    putchar('\n');
    for (size_t i = 0; i < t->cell_count; i++) {
        size_t c = i % t->column_count;

        print_cell(t, c, t->cells[i].text, color ? colors[t->cells[i].color] : "", width[c]);
        if (c + 1 == t->column_count)
            putchar('\n');
    }
}

enum table_color table_state_color(const char *state)
{
    if (strcmp(state, "running") == 0)
        return TABLE_GREEN;
    if (strcmp(state, "failed") == 0)
        return TABLE_RED;
    return strcmp(state, "stopped") == 0 ? TABLE_PLAIN : TABLE_YELLOW;
}
