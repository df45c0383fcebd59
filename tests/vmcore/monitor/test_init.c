#include "tests/vmcore/monitor/suite.h"
#include "vmcore/monitor/init.h"
#include "vmcore/monitor/init_proto.h"

static const char *parse(char **argv, struct mon_init_options *o)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    return mon_init_parse(argc, argv, o);
}

START_TEST(defaults_are_a_namespace_and_descriptor_nine)
{
    char *argv[] = {(char[]){"umlinit"}, (char[]){"--"}, (char[]){"/k"}, (char[]){"mem=1M"}, NULL};
    struct mon_init_options o;

    ck_assert_ptr_null(parse(argv, &o));
    ck_assert_int_eq(o.cpu, -1);
    ck_assert_int_eq(o.control, INIT_CONTROL_FD);
    ck_assert(o.own_namespace);
    ck_assert_int_eq(o.uid, 0);
    ck_assert_ptr_null(o.preload);
    ck_assert_str_eq(o.kernel_argv[0], "/k");
    ck_assert_str_eq(o.kernel_argv[1], "mem=1M");
    ck_assert_ptr_null(o.kernel_argv[2]);
}
END_TEST

START_TEST(all_options_are_read_and_the_kernels_own_are_left_alone)
{
    char *argv[] = {(char[]){"umlinit"},
                    (char[]){"--cpu"},
                    (char[]){"3"},
                    (char[]){"--preload"},
                    (char[]){"/l.so"},
                    (char[]){"--control"},
                    (char[]){"12"},
                    (char[]){"--uid"},
                    (char[]){"1879048193"},
                    (char[]){"--no-namespace"},
                    (char[]){"--"},
                    (char[]){"/k"},
                    (char[]){"--cpu"},
                    (char[]){"--"},
                    NULL};
    struct mon_init_options o;

    ck_assert_ptr_null(parse(argv, &o));
    ck_assert_int_eq(o.cpu, 3);
    ck_assert_int_eq(o.control, 12);
    ck_assert_int_eq(o.uid, 1879048193);
    ck_assert(!o.own_namespace);
    ck_assert_str_eq(o.preload, "/l.so");
    ck_assert_str_eq(o.kernel_argv[1], "--cpu");
    ck_assert_str_eq(o.kernel_argv[2], "--");
}
END_TEST

START_TEST(what_cannot_be_meant_is_refused)
{
    char u[] = "umlinit", dash[] = "--", k[] = "/k", rel[] = "k", cpu[] = "--cpu", x[] = "x";
    char bad[] = "--nope", pre[] = "--preload", ctl[] = "--control", two[] = "2";
    char uid[] = "--uid", zero[] = "0";
    char *rows[][6] = {{u},
                       {u, dash},
                       {u, dash, rel},
                       {u, cpu, x, dash, k},
                       {u, cpu},
                       {u, bad, dash, k},
                       {u, pre, rel, dash, k},
                       {u, ctl, two, dash, k},
                       {u, k},
                       {u, uid, zero, dash, k},
                       {u, uid, x, dash, k}};
    struct mon_init_options o;

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++)
        ck_assert_msg(parse(rows[i], &o) != NULL, "row %zu was accepted", i);
}
END_TEST

SUITE_MAIN("init", defaults_are_a_namespace_and_descriptor_nine,
           all_options_are_read_and_the_kernels_own_are_left_alone, what_cannot_be_meant_is_refused)
