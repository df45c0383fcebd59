#include "tests/umld/core/fixture.h"
#include "tests/check_run.h"

#include "umld/guest.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct umld *umld;
char fixture_dir[64];

static void start(void)
{
    struct umld_options options = {.check_only = true};
    struct um_error err;
    enum um_code code;

    snprintf(options.paths.run_dir, sizeof(options.paths.run_dir), "%s/run", fixture_dir);
    snprintf(options.paths.state_dir, sizeof(options.paths.state_dir), "%s/state", fixture_dir);
    snprintf(options.paths.socket, sizeof(options.paths.socket), "%s/run/api", fixture_dir);
    code = umld_start(&options, &umld, &err);
    ck_assert_msg(code == UM_OK, "%s: %s", err.object, err.message);
}

void fixture_open(void)
{
    snprintf(fixture_dir, sizeof(fixture_dir), "/tmp/umcoreXXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fixture_dir));
    start();
}

void fixture_close(void)
{
    umld_free(umld);
    umld = NULL;
    um_remove_tree(fixture_dir);
}

void fixture_reopen(void)
{
    umld_free(umld);
    start();
}

void fixture_commit(void)
{
    guests_drain(umld->guests);
    guests_store(umld->guests);
    ck_assert(db_commit(umld->db));
}

const char *fixture_file(const char *name, const void *data, size_t len)
{
    static char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", fixture_dir, name);
    f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
    return path;
}

int fixture_main(TCase *(*const cases[])(void), int count, const char *name)
{
    Suite *suite = suite_create(name);

    um_log_init("test");
    um_log_set_level(UM_LOG_ERROR);
    for (int i = 0; i < count; i++) {
        TCase *tc = cases[i]();

        tcase_add_checked_fixture(tc, fixture_open, fixture_close);
        tcase_set_timeout(tc, 60);
        suite_add_tcase(suite, tc);
    }
    return check_run(suite);
}
