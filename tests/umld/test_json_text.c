/* The writer against jansson: what it writes is read back as what was meant. */
#include "tests/check_run.h"
#include "umld/json_text.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *read_back(struct um_buf *b)
{
    json_error_t where;
    json_t *tree = json_loadb(b->data, b->len, JSON_DECODE_ANY, &where);

    ck_assert_msg(tree != NULL, "%s: %s", where.text, b->data);
    um_buf_done(b);
    return tree;
}

static void check_string(const char *s, const char *meant)
{
    struct um_buf b = UM_BUF_INIT;
    json_t *tree;

    json_text_string(&b, s, strlen(s));
    tree = read_back(&b);
    ck_assert_str_eq(json_string_value(tree), meant);
    json_decref(tree);
}

START_TEST(strings_are_read_back_as_they_were)
{
    static const char *const texts[] = {
        "",
        "plain",
        "\"quoted\" \\ back",
        "a\nb\tc\x01\x1f\x7f",
        "/slash/",
        "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", /* two, three and four bytes */
        "\xf4\x8f\xbf\xbf",
        "\xed\x9f\xbf",
        "\xee\x80\x80"};

    for (size_t i = 0; i < UM_ARRAY_LEN(texts); i++)
        check_string(texts[i], texts[i]);
}
END_TEST

START_TEST(what_is_not_utf8_becomes_question_marks)
{
    check_string("a\xff"
                 "b",
                 "a?b");
    check_string("\xc3", "?"); /* cut */
    check_string("\xc3(", "?(");
    check_string("\xe2\x82", "??");
    check_string("\xc0\xaf", "??");           /* too long a form of a slash */
    check_string("\xed\xa0\x80", "???");      /* half a surrogate pair */
    check_string("\xf4\x90\x80\x80", "????"); /* beyond Unicode */
    check_string("\xf8\x88\x80\x80\x80", "?????");
}
END_TEST

START_TEST(every_byte_gives_valid_json)
{
    for (int first = 1; first < 256; first++)
        for (int second = 1; second < 256; second++) {
            struct um_buf b = UM_BUF_INIT;
            const char s[] = {(char)first, (char)second};

            json_text_string(&b, s, sizeof(s));
            json_decref(read_back(&b));
        }
}
END_TEST

START_TEST(commas_and_colons_are_where_they_belong)
{
    struct um_buf b = UM_BUF_INIT;
    json_t *tree,
        *meant = json_pack("{s:s,s:I,s:[s,i,b,{},[]],s:{s:b},s:s}", "s", "ends in {", "i",
                           (json_int_t)INT64_MIN, "list", "[", 1, 1, "o", "x", 0, "e:", ":");

    json_text_open(&b, '{');
    json_text_set_string(&b, "s", "ends in {");
    json_text_set_int(&b, "i", INT64_MIN);
    json_text_key(&b, "list", 4);
    json_text_open(&b, '[');
    json_text_string(&b, "[", 1);
    json_text_int(&b, 1);
    json_text_bool(&b, true);
    json_text_open(&b, '{');
    json_text_close(&b, '}');
    json_text_open(&b, '[');
    json_text_close(&b, ']');
    json_text_close(&b, ']');
    json_text_key(&b, "o", 1);
    json_text_open(&b, '{');
    json_text_set_bool(&b, "x", false);
    json_text_close(&b, '}');
    json_text_set_string(&b, "left out", NULL);
    json_text_set_string(&b, "e:", ":");
    json_text_close(&b, '}');
    tree = read_back(&b);
    ck_assert(json_equal(tree, meant));
    json_decref(tree);
    json_decref(meant);
}
END_TEST

START_TEST(real_numbers_stay_what_they_are)
{
    static const double values[] = {0, -0.5, 12, 1e300, -1e-300, 0.1, 123456789012345678.0};

    for (size_t i = 0; i < UM_ARRAY_LEN(values); i++) {
        struct um_buf b = UM_BUF_INIT;
        json_t *tree;

        json_text_open(&b, '[');
        json_text_real(&b, values[i]);
        json_text_real(&b, 1);
        json_text_close(&b, ']');
        tree = read_back(&b);
        ck_assert(json_is_real(json_array_get(tree, 0)));
        ck_assert_double_eq(json_real_value(json_array_get(tree, 0)), values[i]);
        json_decref(tree);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_text");
    TCase *tc = tcase_create("json_text");

    tcase_add_test(tc, strings_are_read_back_as_they_were);
    tcase_add_test(tc, what_is_not_utf8_becomes_question_marks);
    tcase_add_test(tc, every_byte_gives_valid_json);
    tcase_add_test(tc, commas_and_colons_are_where_they_belong);
    tcase_add_test(tc, real_numbers_stay_what_they_are);
    suite_add_tcase(suite, tc);
    return check_run(suite);
}
