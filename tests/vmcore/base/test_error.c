#include "tests/vmcore/base/suite.h"
#include "vmcore/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

START_TEST(every_code_has_a_wire_name_that_reads_back)
{
    const struct um_code_info *info = um_code_info((enum um_code)_i);
    char full[96];

    ck_assert_ptr_nonnull(info->wire);
    snprintf(full, sizeof(full), "io.umld.Server.%s", info->wire);
    ck_assert_int_eq(um_code_from_wire(info->wire), _i);
    ck_assert_int_eq(um_code_from_wire(full), _i);
    ck_assert_int_ge(info->exit_status, 0);
    ck_assert_int_le(info->exit_status, 15);
    ck_assert_int_eq(info->exit_status == 0, _i == UM_OK);
}
END_TEST

START_TEST(unknown_names_and_codes_are_internal)
{
    ck_assert_int_eq(um_code_from_wire("io.umld.Server.Nonsense"), UM_E_INTERNAL);
    ck_assert_ptr_eq(um_code_info((enum um_code)999), um_code_info(UM_E_INTERNAL));
    ck_assert_ptr_eq(um_code_info((enum um_code) - 1), um_code_info(UM_E_INTERNAL));
}
END_TEST

START_TEST(fail_overwrites_and_hint_adds)
{
    struct um_error err = UM_ERROR_INIT;
    char text[256];

    um_hint(&err, "old");
    ck_assert_int_eq(um_fail(&err, UM_E_BUSY, "disk a", "f", "in use by %s", "b"), UM_E_BUSY);
    ck_assert_str_eq(err.hint, "");
    ck_assert(err.retryable);
    ck_assert_str_eq(um_error_text(&err, text, sizeof(text)), "disk a: in use by b");
    ck_assert_int_eq(um_hint(&err, "stop %s", "b"), UM_E_BUSY);
    ck_assert_str_eq(um_error_text(&err, text, sizeof(text)), "disk a: in use by b (stop b)");
    um_fail(&err, UM_E_INVALID, NULL, NULL, "odd");
    ck_assert(!err.retryable);
    ck_assert_str_eq(um_error_text(&err, text, sizeof(text)), "odd");
}
END_TEST

START_TEST(texts_too_long_are_cut_not_overrun)
{
    struct um_error err;
    char big[2000];

    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    um_fail(&err, UM_E_INVALID, big, big, "%s", big);
    um_hint(&err, "%s", big);
    ck_assert_uint_eq(strlen(err.object), sizeof(err.object) - 1);
    ck_assert_uint_eq(strlen(err.field), sizeof(err.field) - 1);
    ck_assert_uint_eq(strlen(err.message), sizeof(err.message) - 1);
    ck_assert_uint_eq(strlen(err.hint), sizeof(err.hint) - 1);
}
END_TEST

START_TEST(errno_chooses_the_code)
{
    static const struct {
        int errnum;
        enum um_code code;
    } rows[] = {{ENOENT, UM_E_NOT_FOUND},    {EACCES, UM_E_DENIED}, {EEXIST, UM_E_EXISTS},
                {EMFILE, UM_E_NO_RESOURCES}, {EBUSY, UM_E_BUSY},    {ETIMEDOUT, UM_E_TIMEOUT},
                {ENOTCONN, UM_E_INTERNAL}};
    struct um_error err;

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++)
        ck_assert_int_eq(um_fail_errno(&err, rows[i].errnum, "x", "cannot y"), rows[i].code);
    um_fail_errno(&err, ENOENT, "x", "cannot open %d", 3);
    ck_assert_str_eq(err.message, "cannot open 3: No such file or directory");
    ck_assert_int_eq(um_fail_errno(NULL, ENOENT, "x", "y"), UM_E_NOT_FOUND);
}
END_TEST

static const struct suite_test tests[] = {
    {&every_code_has_a_wire_name_that_reads_back, UM_CODE_COUNT},
    {&unknown_names_and_codes_are_internal, 0},
    {&fail_overwrites_and_hint_adds, 0},
    {&texts_too_long_are_cut_not_overrun, 0},
    {&errno_chooses_the_code, 0},
};
SUITE_MAIN("error", tests)
