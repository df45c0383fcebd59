/*
 * Lists that umlnetd is asked for, a page at a time: ports and addresses.
 */
#include "umld/network_private.h"

#include <errno.h>
#include <stdlib.h>

enum { LIST_MAX = 16 << 20 }; /* bytes; more than the largest network has */

struct asked {
    enum netd_ctl_type type;
    struct um_buf records;
    network_list_fn done;
    void *arg;
};

static void take_page(struct network *n, const struct netd_ctl_reply *r, const char *data,
                      size_t len, void *arg);

static bool ask_page(struct network *n, struct asked *a, uint32_t cursor)
{
    const struct netd_ctl_id m = {.id = cursor};

    return network_ask(n, a->type, &m, sizeof(m), -1, take_page, a);
}

static void end(struct network *n, struct asked *a, int errnum, const char *text)
{
    a->done(n, errnum, text, &a->records, a->arg);
    um_buf_done(&a->records);
    free(a);
}

static void take_page(struct network *n, const struct netd_ctl_reply *r, const char *data,
                      size_t len, void *arg)
{
    struct asked *a = arg;

    if (!r->errnum)
        um_buf_append(&a->records, data, len);
    if (r->errnum)
        end(n, a, r->errnum, r->text);
    else if (a->records.failed || a->records.len > LIST_MAX)
        end(n, a, ENOMEM, "umlnetd tells more than can be kept");
    else if (!r->next)
        end(n, a, 0, "");
    else if (!len || !ask_page(n, a, r->next)) /* a page without records would have no end */
        end(n, a, EPROTO, "umlnetd tells no end of its list");
}

bool network_list(struct network *n, enum netd_ctl_type type, network_list_fn done, void *arg)
{
    struct asked *a = calloc(1, sizeof(*a));

    if (a)
        *a = (struct asked){type, UM_BUF_INIT, done, arg};
    if (a && n->told && ask_page(n, a, 0))
        return true;
    free(a);
    return false;
}
