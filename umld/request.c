#include "umld/request.h"

#include "umld/db.h"
#include "vmcore/base/clock.h"

#include <stdlib.h>
#include <string.h>

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

bool request_repeated(struct umld *umld, struct api_call *call, const char *id, const char *method,
                      const char *subject)
{
    struct found f = {.method = method, .subject = subject};
    struct um_error err;
    json_t *reply;

    if (!id || db_each(umld->db, DBQ_REQUEST_GET, take, &f, id) <= 0)
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

void request_remember(struct umld *umld, const char *id, const char *method, const char *subject,
                      const json_t *reply)
{
    char *text = json_dumps(reply, JSON_COMPACT);
    int64_t now = um_clock_wall_ns();

    db_run(umld->db, DBQ_REQUEST_PRUNE, now - 24 * 3600 * UM_SEC_NS);
    if (text)
        db_run(umld->db, DBQ_REQUEST_PUT, id, method, subject, text, now);
    free(text);
}
