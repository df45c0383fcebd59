/*
 * The real server with handlers that do nothing, on a socket: for clients' tests and for trying
 * things out. `stub_server SOCKET`; ends with SIGTERM or Shutdown.
 */
#include "schemas/api_rows.h"
#include "umld/server.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct um_loop *loop;

static enum api_role everybody_is_admin(um_unused struct umld *umld, um_unused uid_t uid,
                                        um_unused const struct api_method *method,
                                        um_unused const json_t *params)
{
    return API_ROLE_ADMIN;
}

static bool after(void *arg)
{
    return api_server_after(arg);
}

static void stop(um_unused int signo, um_unused void *arg)
{
    um_loop_stop(loop);
}

void api_server_ping(um_unused struct umld *umld, struct api_call *call,
                     um_unused const json_t *params)
{
    api_reply(call, json_pack("{s:s}", "version", UMLD_VERSION));
}

void api_server_subscribe(um_unused struct umld *umld, struct api_call *call,
                          um_unused const json_t *params)
{
    for (int i = 1; i <= 3 && api_call_more(call); i++)
        if (!api_reply_continue(call, json_pack("{s:{s:i, s:i}}", "lost", "from", i, "to", i)))
            um_log(UM_LOG_WARNING, "stub_server: reader is slow");
    api_reply(call, NULL);
}

/* Says what it is given, once, and closes. */
void api_console_attach(um_unused struct umld *umld, struct api_call *call,
                        um_unused const json_t *params)
{
    struct api_upgrade up;
    char buf[512];
    ssize_t n;

    if (!api_upgrade_offer(call, json_pack("{s:s, s:i}", "device", "con0", "boot", 1), &up))
        return;
    if (!um_fd_set_nonblock(up.fd, false) || !um_fd_write_all(up.fd, up.reply.data, up.reply.len) ||
        !um_fd_write_all(up.fd, up.rest, up.rest_len))
        um_log(UM_LOG_WARNING, "stub_server: cannot echo");
    n = up.rest_len ? 0 : read(up.fd, buf, sizeof(buf));
    if (n > 0 && !um_fd_write_all(up.fd, buf, (size_t)n))
        um_log(UM_LOG_WARNING, "stub_server: cannot echo");
    um_buf_done(&up.reply);
    api_upgrade_taken(call);
}

int main(int argc, char **argv)
{
    struct um_error err;
    struct api_server *server = NULL;
    struct um_signal *term = NULL;
    char text[1200];
    int fd = -1;

    if (argc != 2)
        return 2;
    um_log_init("stub_server");
    if (um_unix_listen(argv[1], SOCK_STREAM, 0600, &fd, &err)) {
        fprintf(stderr, "stub_server: %s\n", um_error_text(&err, text, sizeof(text)));
        return 1;
    }
    loop = um_loop_new();
    if (loop)
        server = api_server_new(loop, NULL, fd, &api_server_default_limits, everybody_is_admin);
    if (!server || !um_loop_add_after(loop, after, server))
        return 1;
    term = um_signal_new(loop, SIGTERM, stop, NULL);
    um_loop_run(loop);
    um_signal_free(term);
    api_server_free(server);
    um_loop_free(loop);
    unlink(argv[1]);
    return 0;
}
