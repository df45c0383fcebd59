#include "umld/request.h"

#include "umld/db.h"
#include "vmcore/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REQUEST_KEY_SIZE = 96 };

struct found {
    const char *method, *subject;
    bool same;
    char *reply;
};

static bool take(const struct db_row *row, void *arg)
{
    struct found *f = arg;

    f->same =
        strcmp(db_row_text(row, 0), f->method) == 0 && strcmp(db_row_text(row, 1), f->subject) == 0;
    f->reply = strdup(db_row_text(row, 2));
    return false;
}

/* Ids belong to the user who chose them. */
static const char *key_of(uid_t uid, const char *id, char buf[REQUEST_KEY_SIZE])
{
    snprintf(buf, REQUEST_KEY_SIZE, "%u:%s", (unsigned)uid, id);
    return buf;
}

bool request_repeated(struct umld *umld, struct api_call *call, const char *id, const char *method,
                      const char *subject)
{
    struct found f = {.method = method, .subject = subject};
    struct um_error err;
    char key[REQUEST_KEY_SIZE];
    json_t *reply;

    if (!id ||
        db_each(umld->db, DBQ_REQUEST_GET, take, &f, key_of(api_call_uid(call), id, key)) <= 0)
        return false;
    reply = f.reply ? json_loads(f.reply, 0, NULL) : NULL;
    free(f.reply);
    if (f.same && reply) {
        api_reply(call, reply);
        return true;
    }
    json_decref(reply);
    um_fail(&err, UM_E_CONFLICT, "request", "requestId", "\"%s\" was used for another call", id);
    um_hint(&err, "use a new requestId for a new call");
    api_reply_error(call, &err);
    return true;
}

void request_remember(struct umld *umld, uid_t uid, const char *id, const char *method,
                      const char *subject, const json_t *reply)
{
    char *text = json_dumps(reply, JSON_COMPACT);
    int64_t now = um_clock_wall_ns();
    char key[REQUEST_KEY_SIZE];

    db_run(umld->db, DBQ_REQUEST_PRUNE, now - 24 * 3600 * UM_SEC_NS);
    if (text)
        db_run(umld->db, DBQ_REQUEST_PUT, key_of(uid, id, key), method, subject, text, now);
    free(text);
}
