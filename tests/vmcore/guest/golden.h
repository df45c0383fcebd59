/*
 * Comparison with a file below tests/golden (directory in $UMLD_GOLDEN). With UMLD_GOLDEN_UPDATE=1
 * the file is written instead: look at the diff before committing it.
 */
#ifndef TESTS_VMCORE_GUEST_GOLDEN_H
#define TESTS_VMCORE_GUEST_GOLDEN_H

#include "vmcore/base/fd.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void golden_compare(const char *name, const char *text)
{
    const char *dir = getenv("UMLD_GOLDEN");
    struct um_error err = UM_ERROR_INIT;
    char path[4096];
    char *want = NULL;
    size_t len;

    ck_assert_msg(dir != NULL, "UMLD_GOLDEN is not set: run the test by `meson test`");
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (getenv("UMLD_GOLDEN_UPDATE")) {
        ck_assert_int_eq(um_file_replace(path, text, strlen(text), 0644, &err), UM_OK);
        return;
    }
    ck_assert_msg(um_file_read(path, 1 << 20, &want, &len, &err) == UM_OK, "%s", err.message);
    ck_assert_msg(strcmp(want, text) == 0,
                  "%s differs (UMLD_GOLDEN_UPDATE=1 writes it anew); now it is:\n%s", name, text);
    free(want);
}

#endif
