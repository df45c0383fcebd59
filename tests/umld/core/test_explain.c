/* The table of explain: every state has an answer, every field a meaning. */
#include "tests/umld/core/fixture.h"
#include "umld/explain.h"
#include "umld/guest.h"
#include "vmcore/base/clock.h"

#include <stdlib.h>
#include <string.h>

static struct guest *make_guest(void)
{
    struct guest_definition def = GUEST_DEFINITION_INIT;
    struct um_error err;
    struct guest *g;

    def.name = strdup("web");
    ck_assert_int_eq(guest_create(umld, &def, &g, &err), UM_OK);
    return g;
}

START_TEST(every_state_ends_with_a_row_that_always_holds)
{
    for (int state = 0; state < GUEST_STATE_COUNT; state++) {
        const struct explain_rule *last = NULL, *rule;

        for (size_t i = 0; (rule = explain_rule_at(i)); i++)
            if (rule->state == (enum guest_state)state) {
                ck_assert_msg(!last || last->holds, "%s: a row behind one that always holds",
                              guest_state_info((enum guest_state)state)->name);
                last = rule;
            }
        ck_assert_msg(last && !last->holds, "%s has no answer",
                      guest_state_info((enum guest_state)state)->name);
    }
}
END_TEST

START_TEST(every_field_of_every_row_is_filled_in)
{
    struct guest *g = make_guest();
    struct explain e = {.g = g, .now_ns = um_clock_wall_ns()};
    const struct explain_rule *rule;

    for (size_t i = 0; (rule = explain_rule_at(i)); i++) {
        const char *texts[] = {rule->text, rule->advice[0], rule->advice[1]};

        for (size_t k = 0; k < UM_ARRAY_LEN(texts); k++) {
            struct um_buf out = UM_BUF_INIT;

            if (!texts[k])
                continue;
            explain_expand(&e, texts[k], &out);
            ck_assert_msg(out.data && !strpbrk(out.data, "{}"), "%s", texts[k]);
            um_buf_done(&out);
        }
    }
}
END_TEST

static void expect(const struct explain *e, const char *text)
{
    struct um_buf out = UM_BUF_INIT;

    explain_expand(e, explain_rule_find(e)->text, &out);
    ck_assert_msg(strstr(out.data, text), "%s", out.data);
    um_buf_done(&out);
}

START_TEST(the_first_row_that_holds_is_told)
{
    struct guest *g = make_guest();
    struct explain e = {.g = g, .now_ns = um_clock_wall_ns()};

    expect(&e, "never been started");
    g->boot = 7;
    expect(&e, "since a time not known");
    e.ends[0] = (struct explain_fact){5, UM_SEC_NS, "7", "exit status 3"};
    e.end_count = 1;
    expect(&e, "ended by itself at 1970-01-01 00:00:01Z: exit status 3; restart=never");
    e.facts[FACT_ASKED] = (struct explain_fact){6, UM_SEC_NS, "stop", "1000"};
    expect(&e, "was stopped because uid 1000 asked for it at 1970-01-01 00:00:01Z");
    strcpy(e.facts[FACT_ASKED].why, "job 12");
    expect(&e, "because job 12 asked");
    g->state = GUEST_FAILED;
    g->failures = 5;
    g->def.restart = RESTART_ON_FAILURE;
    e.ends[1] = (struct explain_fact){3, 0, "6", "kernel panic: first"};
    e.end_count = 2;
    expect(&e, "5 ends in a row, the last at 1970-01-01 00:00:01Z: exit status 3; the first at a "
               "time not known: kernel panic: first");
    g->state = GUEST_PREPARING;
    g->wants_slot = true;
    expect(&e, "waits for one of ");
    g->state = GUEST_RUNNING;
    g->up_ns = e.now_ns - 40 * UM_SEC_NS;
    strcpy(e.line, "mounting /");
    expect(&e, "up for 40 s, and nothing in it wrote READY=1 to /proc/mconsole; its console last "
               "said: mounting /");
    g->ready = true;
    g->ready_ns = e.now_ns - 3 * 3600 * UM_SEC_NS;
    expect(&e, "ready for 3 h");
    g->state = GUEST_STOPPED;
    g->ready = false;
}
END_TEST

static TCase *explaining(void)
{
    TCase *tc = tcase_create("explain");

    tcase_add_test(tc, every_state_ends_with_a_row_that_always_holds);
    tcase_add_test(tc, every_field_of_every_row_is_filled_in);
    tcase_add_test(tc, the_first_row_that_holds_is_told);
    return tc;
}

int main(void)
{
    return fixture_main((TCase *(*const[])(void)){explaining}, 1, "umld explain");
}
