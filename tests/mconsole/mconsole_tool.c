/*
 * Drives the lane library by hand and from tests: `mconsole_tool [--timeout MS] [--raw] DIR SOCKET
 * COMMAND...` sends the command and prints `code status length` and the text; with `--notify PATH
 * COUNT` it binds PATH and prints that many notifications. Exit status: 0 answered with status 0, 1
 * otherwise.
 */
#include "mconsole/lane.h"
#include "mconsole/verbs.h"
#include "mconsole/wire.h"
#include "vmcore/base/fd.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct outcome {
    struct um_loop *loop;
    enum um_code code;
};

static const char *const notify_names[] = {"SOCKET", "PANIC", "HANG", "USER"};

static void on_done(enum um_code code, int32_t status, const char *text, size_t len, void *arg)
{
    struct outcome *o = arg;

    o->code = code;
    printf("%s %d %zu\n", um_code_info(code)->wire, status, len);
    fwrite(text, 1, len, stdout);
    um_loop_stop(o->loop);
}

static int complain(const struct um_error *err)
{
    char text[1200];

    printf("%s 0 0\n%s\n", um_code_info(err->code)->wire, um_error_text(err, text, sizeof(text)));
    return 1;
}

static char *join_words(char **words)
{
    struct um_buf b = UM_BUF_INIT;

    for (; *words; words++)
        um_buf_printf(&b, "%s%s", b.len ? " " : "", *words);
    return um_buf_take(&b);
}

static int run(const char *dir, const char *target, const char *command, int timeout_ms)
{
    struct outcome o = {.loop = um_loop_new(), .code = UM_E_INTERNAL};
    struct um_error err = UM_ERROR_INIT;
    struct mconsole_lane *lane = o.loop ? mconsole_lane_new(o.loop, dir, "q", target) : NULL;

    if (!lane)
        return 1;
    if (mconsole_lane_send(lane, command, timeout_ms, 0, on_done, &o, &err) != UM_OK)
        o.code = complain(&err) ? err.code : UM_OK;
    else
        um_loop_run(o.loop);
    mconsole_lane_free(lane);
    um_loop_free(o.loop);
    return o.code == UM_OK ? 0 : 1;
}

static int listen_for(const char *path, int count)
{
    struct um_error err = UM_ERROR_INIT;
    struct mconsole_notify n;
    char data[1024];
    um_autofd fd = -1;

    if (um_unix_listen(path, SOCK_DGRAM, 0600, &fd, &err) != UM_OK)
        return complain(&err);
    printf("listening\n");
    fflush(stdout);
    while (count-- > 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t size;

        if (poll(&p, 1, 60000) != 1)
            return 1;
        size = um_fd_receive(fd, data, sizeof(data), NULL, NULL);
        if (size < 0 || !mconsole_decode_notify(data, (size_t)size, &n))
            printf("MALFORMED %zd\n", size);
        else
            printf("%s %zu %s\n", notify_names[n.type], n.len, n.data);
        fflush(stdout);
    }
    return 0;
}

static int send_checked(char **argv, int timeout_ms, bool raw)
{
    struct um_buf command = UM_BUF_INIT;
    struct um_error err = UM_ERROR_INIT;
    enum mconsole_verb verb;
    char *line = join_words(argv + 2);
    int status = 1;

    if (raw)
        status = run(argv[0], argv[1], line, timeout_ms);
    else if (mconsole_command_check(line, false, &command, &verb, &err) != UM_OK)
        complain(&err);
    else
        status = run(argv[0], argv[1], command.data, timeout_ms);
    um_buf_done(&command);
    free(line);
    return status;
}

int main(int argc, char **argv)
{
    int timeout_ms = 0;
    bool raw = false;

    if (argc == 4 && strcmp(argv[1], "--notify") == 0)
        return listen_for(argv[2], atoi(argv[3]));
    for (argv++; *argv && strncmp(*argv, "--", 2) == 0; argv++) {
        if (strcmp(*argv, "--raw") == 0)
            raw = true;
        else if (strcmp(*argv, "--timeout") == 0 && argv[1])
            timeout_ms = atoi(*++argv);
    }
    if (!argv[0] || !argv[1] || !argv[2]) {
        fputs("usage: mconsole_tool [--timeout MS] [--raw] DIR SOCKET COMMAND...\n"
              "       mconsole_tool --notify PATH COUNT\n",
              stderr);
        return 2;
    }
    return send_checked(argv, timeout_ms, raw);
}
