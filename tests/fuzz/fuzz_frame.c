/*
 * What a client can send. The input goes through the framing twice, whole and in pieces, which must
 * give the same frames; each frame is then run as a request (stub handlers), and what comes back
 * must be valid JSON. The first byte chooses the size of the pieces.
 */
#include "umld/server.h"
#include "vmcore/base/frame.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { FRAME_MAX = 65536 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static enum api_role role(um_unused struct umld *umld, um_unused uid_t uid,
                          const struct api_method *method, um_unused const json_t *params)
{
    return method->flags & API_LONG ? API_ROLE_NONE : API_ROLE_ADMIN; /* both outcomes */
}

static struct api_server *start_server(void)
{
    struct api_server *server;
    struct um_loop *loop = um_loop_new();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(loop && fd >= 0);
    setenv("UMLD_CHECK_REPLIES", "1", 1);
    server = api_server_new(loop, NULL, fd, &api_server_default_limits, role);
    must(server != NULL);
    return server;
}

static void run_request(const char *text, size_t len)
{
    static struct api_server *server;
    struct um_buf out = UM_BUF_INIT;
    json_t *reply;

    if (!server)
        server = start_server();
    api_server_execute(server, text, len, 1000, &out);
    api_server_after(server);
    if (out.len) {
        must(out.data[out.len - 1] == '\0');
        reply = json_loadb(out.data, out.len - 1, JSON_REJECT_DUPLICATES, NULL);
        must(json_is_object(reply));
        json_decref(reply);
    }
    um_buf_done(&out);
}

/* All frames of what is there, NUL after each, appended to ret. False: too long. */
static bool take_frames(struct um_frame_in *f, struct um_buf *ret)
{
    enum um_frame_result r;
    const char *text;
    size_t len;

    while ((r = um_frame_next(f, &text, &len)) == UM_FRAME_READY) {
        must(len <= FRAME_MAX && text[len] == '\0');
        um_buf_append(ret, text, len + 1);
        run_request(text, len);
    }
    return r == UM_FRAME_NONE;
}

static bool feed(const char *data, size_t size, size_t piece, struct um_buf *ret,
                 enum um_frame_mode *ret_mode)
{
    struct um_frame_in f;
    bool ok = true;

    um_frame_init(&f, FRAME_MAX);
    for (size_t at = 0; ok && at < size; at += piece) {
        must(um_frame_feed(&f, data + at, size - at < piece ? size - at : piece));
        ok = take_frames(&f, ret);
    }
    *ret_mode = f.mode;
    um_frame_done(&f);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct um_buf whole = UM_BUF_INIT, pieces = UM_BUF_INIT;
    enum um_frame_mode mode, mode2;
    const char *text = (const char *)data + 1;
    bool ok, ok2;

    if (size < 2)
        return 0;
    ok = feed(text, size - 1, size, &whole, &mode);
    ok2 = feed(text, size - 1, (size_t)data[0] + 1, &pieces, &mode2);
    /* A NUL that comes later than an LF cannot be seen in pieces: then the modes may differ. */
    if (mode == mode2) {
        must(ok == ok2 && whole.len == pieces.len);
        must(whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0);
    }
    um_buf_done(&whole);
    um_buf_done(&pieces);
    return 0;
}
