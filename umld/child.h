/*
 * A helper program run to its end with its output collected: kernels asked for their version, the
 * image builder. Bounded in time and output; never blocks the loop.
 */
#ifndef UMLD_CHILD_H
#define UMLD_CHILD_H

#include "umld/umld.h"
#include "vmcore/base/str.h"

struct child;

/*
 * wait_status as from waitpid(2), -1 if it was ended because of the time limit. output: stdout and
 * stderr together, NUL terminated. Called once.
 */
typedef void (*child_done_fn)(struct umld *umld, int wait_status, const char *output, void *arg);
/* A whole line of output, without its end. */
typedef void (*child_line_fn)(struct umld *umld, const char *line, void *arg);

struct child_spec {
    const char *const *argv; /* argv[0] is an absolute path */
    int64_t limit_ms;
    size_t output_max;  /* bytes kept; the rest is read and dropped */
    child_line_fn line; /* may be NULL */
    child_done_fn done;
    void *arg;
};

enum um_code child_run(struct umld *umld, const struct child_spec *spec, struct child **ret,
                       struct um_error *err) um_nonnull(1, 2, 3) um_check;
/* Ask it and its children to end, soon with force; done is called all the same when it is gone. */
void child_cancel(struct child *c) um_nonnull(1);
/* The daemon is ending: kill all there are; done is called for each, with -1. */
void children_end(struct umld *umld) um_nonnull(1);

#endif
