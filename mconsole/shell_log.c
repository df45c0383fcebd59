/*
 * A file to the kernel's log. A request holds 511 bytes, so the file goes in pieces: whole lines,
 * as many as fit. Only a line that is longer than that is cut; the kernel begins a new record with
 * each piece anyway.
 */
#include "mconsole/shell_commands.h"
#include "mconsole/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PIECE_MAX = MCONSOLE_COMMAND_MAX - 5 }; /* `log `, and a line feed if it has none: 506 */

struct source {
    FILE *file;
    char data[PIECE_MAX];
    size_t len;
    bool ended;
    int errnum; /* why it ended, or 0 */
};

/* What the kernel cannot take in a command becomes '?'; carriage returns go. */
static void fill(struct source *src)
{
    int c;

    while (src->len < sizeof(src->data) && (c = getc(src->file)) != EOF) {
        bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;

        if (c != '\r')
            src->data[src->len++] = control ? '?' : (char)c;
    }
    src->ended = src->len < sizeof(src->data);
    src->errnum = ferror(src->file) ? errno : 0;
}

/* Bytes of the next piece. */
static size_t piece_of(const struct source *src)
{
    const char *newline = memrchr(src->data, '\n', src->len);
    size_t n = src->len;

    if (src->ended)
        return n;
    if (newline)
        return (size_t)(newline - src->data) + 1;
    while (n > PIECE_MAX - 3 && ((unsigned char)src->data[n - 1] & 0xc0) == 0x80)
        n--; /* not in the middle of a UTF-8 character */
    return (unsigned char)src->data[n - 1] >= 0xc0 ? n - 1 : n;
}

/* 0: go on. */
static int send_piece(struct mconsole_shell *s, struct source *src)
{
    struct mconsole_answer a = MCONSOLE_ANSWER_INIT;
    size_t n = piece_of(src);
    char line[MCONSOLE_COMMAND_MAX + 1];
    int status;

    snprintf(line, sizeof(line), "log %.*s%s", (int)n, src->data,
             src->data[n - 1] == '\n' ? "" : "\n");
    src->len -= n;
    memmove(src->data, src->data + n, src->len);
    s->ops->ask(s->front, line, &a);
    status = s->ops->show(s->front, &a);
    mconsole_answer_done(&a);
    return status;
}

int shell_log_file(struct mconsole_shell *s, const char *path)
{
    struct mconsole_answer failure = MCONSOLE_ANSWER_INIT;
    struct source src = {.file = fopen(path, "re")};
    int status = 0;

    if (!src.file)
        src.errnum = errno;
    while (src.file && status == 0 && !src.ended) {
        fill(&src);
        while (status == 0 && src.len > 0 && (src.ended || src.len == sizeof(src.data)))
            status = send_piece(s, &src);
    }
    if (src.errnum) {
        failure.code = um_fail(&failure.error, UM_E_INVALID, NULL, "command", "cannot read %s: %s",
                               path, strerror(src.errnum));
        status = s->ops->show(s->front, &failure);
    }
    if (src.file)
        fclose(src.file);
    return status;
}
