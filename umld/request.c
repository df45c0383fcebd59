#include "umld/request.h"

#include "umld/db.h"
#include "umld/umld.h"
#include "vmcore/base/clock.h"

#include <stdlib.h>
#include <string.h>

static bool take(const struct db_row *row, void *arg)
{
    struct api_memo *memo = arg;

    memo->method = strdup(db_row_text(row, 0));
    memo->digest = strdup(db_row_text(row, 1));
    memo->reply = strdup(db_row_text(row, 2));
    return false;
}

static bool find(struct umld *umld, const char *key, struct api_memo *ret)
{
    struct api_memo memo = {NULL, NULL, NULL};

    if (db_each(umld->db, DBQ_REQUEST_GET, take, &memo, key) > 0 && memo.method && memo.digest &&
        memo.reply) {
        *ret = memo;
        return true;
    }
    free(memo.method);
    free(memo.digest);
    free(memo.reply);
    return false;
}

static void store(struct umld *umld, const char *key, const char *method, const char *digest,
                  const char *reply)
{
    int64_t now = um_clock_wall_ns();

    db_run(umld->db, DBQ_REQUEST_PRUNE, now - 24 * 3600 * UM_SEC_NS, (int64_t)REQUEST_KEEP);
    db_run(umld->db, DBQ_REQUEST_PUT, key, method, digest, reply, now);
}

const struct api_memory request_memory = {.find = find, .store = store};
