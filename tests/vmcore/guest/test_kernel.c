/*
 * Facts from texts and files. With /usr/bin/linux.uml installed it is the sample; without, the ELF
 * tests use this test program itself.
 */
#include "tests/check_run.h"
#include "vmcore/guest/kernel.h"

#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *text;
    int major, minor, patch;
    bool guard, kill_safe;
} versions[] = {
    {"6.1.176\n", 6, 1, 176, true, false},     {"6.12.101", 6, 12, 101, true, false},
    {"6.12.116\n", 6, 12, 116, true, false},   {"6.12.117\n", 6, 12, 117, true, true},
    {"6.13.0-rc1\n", 6, 13, 0, false, true},   {"6.13\n", 6, 13, 0, false, true},
    {"7.2.4-custom+\n", 7, 2, 4, false, true}, {"5.10.200\n", 5, 10, 200, true, false},
    {"10.0.1\n", 10, 0, 1, false, true},
};

START_TEST(versions_decide_what_is_needed)
{
    struct kernel_facts f = KERNEL_FACTS_INIT;

    ck_assert_int_eq(kernel_parse_version(versions[_i].text, "k", &f, NULL), UM_OK);
    ck_assert_int_eq(f.major, versions[_i].major);
    ck_assert_int_eq(f.minor, versions[_i].minor);
    ck_assert_int_eq(f.patch, versions[_i].patch);
    ck_assert(f.guard == versions[_i].guard);
    ck_assert(f.kill_safe == versions[_i].kill_safe);
    ck_assert_ptr_null(strchr(f.release, '\n'));
}
END_TEST

START_TEST(other_texts_are_no_version)
{
    static const char *const bad[] = {
        "",      "\n",      "GNU bash, version 5\n", "6\n",
        "6.\n",  "x.1.2\n", "6.1.2\nmore\n",         "6.1.999999999\n",
        "6.1.\n"};
    struct kernel_facts f = KERNEL_FACTS_INIT;
    char long_text[300];

    for (size_t i = 0; i < UM_ARRAY_LEN(bad); i++)
        ck_assert_msg(kernel_parse_version(bad[i], "k", &f, NULL) == UM_E_INVALID, "%s", bad[i]);
    memset(long_text, '1', sizeof(long_text));
    long_text[1] = '.';
    long_text[299] = '\0';
    ck_assert_int_eq(kernel_parse_version(long_text, "k", &f, NULL), UM_E_INVALID);
}
END_TEST

START_TEST(configuration_gives_options_and_transports)
{
    struct kernel_facts f = KERNEL_FACTS_INIT, copy;
    struct um_error err;

    ck_assert_int_eq(kernel_parse_config("# comment\nCONFIG_UML=y\nCONFIG_HOSTFS=y\n"
                                         "CONFIG_UML_NET_TUNTAP=y\nCONFIG_UML_NET_VECTOR=y\n"
                                         "# CONFIG_UML_NET_PCAP is not set\n"
                                         "CONFIG_CON_ZERO_CHAN=\"fd:0,fd:1\"\nCONFIG_HOSTFSX=y",
                                         "k", &f, &err),
                     UM_OK);
    ck_assert_str_eq(kernel_config(&f, "HOSTFS"), "y");
    ck_assert_str_eq(kernel_config(&f, "CON_ZERO_CHAN"), "fd:0,fd:1");
    ck_assert_ptr_null(kernel_config(&f, "UML_NET_PCAP"));
    ck_assert_ptr_null(kernel_config(&f, "MODULES"));
    ck_assert_uint_eq(f.transports.n, 2);
    ck_assert(um_strv_contains(&f.transports, "tuntap"));
    ck_assert(um_strv_contains(&f.transports, "vector"));
    ck_assert(kernel_facts_copy(&f, &copy));
    ck_assert_str_eq(kernel_config(&copy, "UML"), "y");
    kernel_facts_done(&f);
    kernel_facts_done(&copy);
    ck_assert_int_eq(kernel_parse_config("CONFIG_X86=y\n", "k", &f, &err), UM_E_INVALID);
    ck_assert_int_eq(kernel_parse_config("", "k", &f, &err), UM_E_INVALID);
    kernel_facts_done(&f);
    kernel_facts_done(NULL);
}
END_TEST

START_TEST(help_tells_the_generations_apart)
{
    struct kernel_facts f = KERNEL_FACTS_INIT;

    ck_assert_int_eq(kernel_parse_help("User Mode Linux v6.1\n\nvec[0-9]+:<option>\n"
                                       "eth[0-9]+=<transport>\n  seccomp= is not here\n",
                                       "k", &f, NULL),
                     UM_OK);
    ck_assert(f.legacy_net && f.vector && !f.seccomp && !f.smp);
    ck_assert_int_eq(kernel_parse_help("User Mode Linux v7.2\nseccomp=<on/off/auto>\nncpus=<n>\n",
                                       "k", &f, NULL),
                     UM_OK);
    ck_assert(!f.legacy_net && !f.vector && f.seccomp && f.smp);
    ck_assert_int_eq(kernel_parse_help("Usage: ls\n", "k", &f, NULL), UM_E_INVALID);
}
END_TEST

START_TEST(the_probe_line_is_read_strictly)
{
    static const char *const bad[] = {"READY=1",
                                      "PROBE",
                                      "PROBE avx=0",
                                      "PROBE avx=0 threads=0",
                                      "PROBE avx=x threads=0 pthread=ok",
                                      "PROBE avx=0 threads=-1 pthread=ok",
                                      "PROBEX avx=0 threads=0 pthread=ok"};
    struct kernel_probe p;

    ck_assert(kernel_probe_parse("PROBE avx=0 threads=0 pthread=ok lpj=49152", &p));
    ck_assert(p.ran && p.pthread_ok && !p.avx_wrong && !p.threads_wrong);
    ck_assert_uint_eq(p.lpj, 49152);
    ck_assert(kernel_probe_parse("PROBE new=1 threads=3 avx=12 pthread=hung\n", &p));
    ck_assert_uint_eq(p.avx_wrong, 12);
    ck_assert_uint_eq(p.threads_wrong, 3);
    ck_assert(!p.pthread_ok);
    ck_assert_uint_eq(p.lpj, 0);
    for (size_t i = 0; i < UM_ARRAY_LEN(bad); i++)
        ck_assert_msg(!kernel_probe_parse(bad[i], &p), "%s", bad[i]);
}
END_TEST

START_TEST(the_verdict_follows_the_probe)
{
    struct kernel_facts f = {.uml = true, .guard = true, .major = 6, .minor = 1};
    struct kernel_probe good = {.ran = true, .pthread_ok = true}, wrong = good,
                        none = {.ran = false};
    struct kernel_verdict v;

    kernel_judge(&f, true, &good, true, NULL, &v);
    ck_assert_int_eq(v.xstate, KERNEL_XSTATE_GUARDED);
    ck_assert(v.usable && v.guard && !v.problem[0]);
    kernel_judge(&f, false, &good, false, NULL, &v);
    ck_assert_int_eq(v.xstate, KERNEL_XSTATE_OK);
    ck_assert(v.usable && !v.guard);
    wrong.avx_wrong = 5;
    kernel_judge(&f, false, &wrong, false, NULL, &v);
    ck_assert_int_eq(v.xstate, KERNEL_XSTATE_BROKEN);
    ck_assert(!v.usable && strstr(v.problem, "5 wrong") && strstr(v.hint, "dynamically linked"));
    kernel_judge(&f, true, &none, true, "kernel panic: x", &v);
    ck_assert(!v.usable && strstr(v.problem, "kernel panic: x") && strstr(v.hint, "6.13"));
    f.guard = false;
    kernel_judge(&f, true, &none, false, NULL, &v);
    ck_assert_int_eq(v.xstate, KERNEL_XSTATE_UNKNOWN);
    ck_assert(!v.usable && !v.guard);
    f.uml = false;
    kernel_judge(&f, true, &good, false, NULL, &v);
    ck_assert(!v.usable);
}
END_TEST

START_TEST(xstate_names_go_both_ways)
{
    enum kernel_xstate back;

    for (int i = 0; i < KERNEL_XSTATE_COUNT; i++) {
        ck_assert(kernel_xstate_from_name(kernel_xstate_name((enum kernel_xstate)i), &back));
        ck_assert_int_eq(back, i);
    }
    ck_assert(!kernel_xstate_from_name("fine", &back));
}
END_TEST

START_TEST(versions_are_ordered)
{
    struct kernel_facts a = {.major = 6, .minor = 1, .patch = 9}, b = {.major = 6, .minor = 12};

    ck_assert_int_lt(kernel_version_compare(&a, &b), 0);
    ck_assert_int_gt(kernel_version_compare(&b, &a), 0);
    ck_assert_int_eq(kernel_version_compare(&a, &a), 0);
    b.minor = 1;
    ck_assert_int_gt(kernel_version_compare(&a, &b), 0);
}
END_TEST

/* A dynamic x86-64 program to look at. */
static const char *sample(void)
{
    return access("/usr/bin/linux.uml", R_OK) == 0 ? "/usr/bin/linux.uml" : "/proc/self/exe";
}

START_TEST(a_program_names_its_loader_and_libraries)
{
    struct kernel_elf e = KERNEL_ELF_INIT;
    struct um_error err = UM_ERROR_INIT;
    bool libc = false;

    ck_assert_msg(kernel_elf_read(sample(), &e, &err) == UM_OK, "%s", err.message);
    ck_assert(e.dynamic);
    ck_assert_str_eq(e.libs.v[0], e.interp);
    for (size_t i = 0; i < e.libs.n; i++) {
        ck_assert_msg(access(e.libs.v[i], R_OK) == 0, "%s", e.libs.v[i]);
        libc = libc || strstr(e.libs.v[i], "/libc.so.6");
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(e.libs.v[i], e.libs.v[j]);
    }
    ck_assert(libc);
    kernel_elf_done(&e);
    kernel_elf_done(NULL);
}
END_TEST

START_TEST(what_is_no_program_is_refused)
{
    struct kernel_elf e = KERNEL_ELF_INIT;
    struct um_error err;

    ck_assert_int_eq(kernel_elf_read("/nonexistent", &e, &err), UM_E_NOT_FOUND);
    ck_assert_int_eq(kernel_elf_read("/", &e, &err), UM_E_INVALID);
    ck_assert_int_eq(kernel_elf_read("/dev/zero", &e, &err), UM_E_INVALID);
    ck_assert_int_eq(kernel_elf_read("/etc/passwd", &e, &err), UM_E_INVALID);
    ck_assert(strstr(err.message, "no ELF") != NULL);
}
END_TEST

/* A copy of the first len bytes of the sample, with a path to open it by. */
static int copy_of(size_t len, char *path, size_t size)
{
    int fd = memfd_create("kernel", MFD_CLOEXEC), from = open(sample(), O_RDONLY | O_CLOEXEC);
    char buf[65536];
    ssize_t n;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_ge(from, 0);
    while (len && (n = read(from, buf, len < sizeof(buf) ? len : sizeof(buf))) > 0) {
        ck_assert_int_eq(write(fd, buf, (size_t)n), n);
        len -= (size_t)n;
    }
    close(from);
    snprintf(path, size, "/proc/self/fd/%d", fd);
    return fd;
}

START_TEST(a_file_cut_anywhere_in_its_headers_is_refused)
{
    struct kernel_elf e = KERNEL_ELF_INIT;
    char path[64];
    int fd = copy_of(1024, path, sizeof(path));

    for (off_t len = 1024; len >= 0; len--) {
        ck_assert_int_eq(ftruncate(fd, len), 0);
        ck_assert_int_eq(kernel_elf_read(path, &e, NULL), UM_E_INVALID);
    }
    close(fd);
}
END_TEST

START_TEST(a_damaged_byte_in_the_headers_never_crashes_the_reader)
{
    static const unsigned char values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    char path[64];
    int fd = copy_of((size_t)1 << 30, path, sizeof(path));

    for (off_t at = 0; at < 700; at++) {
        unsigned char old;

        ck_assert_int_eq(pread(fd, &old, 1, at), 1);
        for (size_t i = 0; i < UM_ARRAY_LEN(values); i++) {
            struct kernel_elf e = KERNEL_ELF_INIT;

            ck_assert_int_eq(pwrite(fd, &values[i], 1, at), 1);
            if (kernel_elf_read(path, &e, NULL) == UM_OK)
                kernel_elf_done(&e);
        }
        ck_assert_int_eq(pwrite(fd, &old, 1, at), 1);
    }
    close(fd);
}
END_TEST

/* Output of the installed kernel, when there is one. */
static char *run(const char *option)
{
    char command[128], *text = calloc(1, 1 << 20);
    FILE *f;

    snprintf(command, sizeof(command), "/usr/bin/linux.uml %s", option);
    f = popen(command, "r");
    ck_assert_ptr_nonnull(text);
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, f), 0);
    pclose(f);
    return text;
}

/* A static program of one loaded segment, with the text at an offset; loaded bytes of it are said.
 */
static enum um_code check_with(const char *text, size_t offset, size_t loaded)
{
    struct um_error err;
    char path[64], data[64 << 10] = "";
    Elf64_Ehdr head = {.e_type = ET_EXEC,
                       .e_machine = EM_X86_64,
                       .e_phoff = sizeof(head),
                       .e_phentsize = sizeof(Elf64_Phdr),
                       .e_phnum = 1};
    Elf64_Phdr load = {.p_type = PT_LOAD, .p_filesz = loaded};
    int fd = memfd_create("kernel", MFD_CLOEXEC);
    enum um_code code;

    memcpy(head.e_ident, ELFMAG, SELFMAG);
    head.e_ident[EI_CLASS] = ELFCLASS64;
    head.e_ident[EI_DATA] = ELFDATA2LSB;
    memcpy(data, &head, sizeof(head));
    memcpy(data + sizeof(head), &load, sizeof(load));
    memcpy(data + offset, text, strlen(text));
    ck_assert_int_eq(write(fd, data, sizeof(data)), sizeof(data));
    ck_assert_int_eq(fchmod(fd, 0700), 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    code = kernel_elf_check(path, &err);
    ck_assert(code == UM_OK || strstr(err.message, "no user-mode Linux kernel"));
    close(fd);
    return code;
}

START_TEST(a_program_without_the_configuration_of_a_kernel_is_none)
{
    const size_t all = 64 << 10;
    struct um_error err;

    for (size_t at = (16 << 10) - 13; at <= (16 << 10) + 1; at++) /* reading is done in pieces */
        ck_assert_int_eq(check_with("CONFIG_UML=y", at, all), UM_OK);
    ck_assert_int_eq(check_with("CONFIG_UML=y", all - 12, all), UM_OK);
    ck_assert_int_eq(check_with("CONFIG_UML=y", all - 12, UINT64_MAX), UM_OK);
    ck_assert_int_eq(check_with("CONFIG_UML=y", all - 12, all - 1), UM_E_INVALID);
    ck_assert_int_eq(check_with("CONFIG_UML=n", 4096, all), UM_E_INVALID);
    ck_assert_int_eq(kernel_elf_check("/bin/sh", &err), UM_E_INVALID);
    ck_assert_int_eq(kernel_elf_check("/nonexistent", &err), UM_E_NOT_FOUND);
    if (access("/usr/bin/linux.uml", X_OK) == 0)
        ck_assert_int_eq(kernel_elf_check("/usr/bin/linux.uml", &err), UM_OK);
}
END_TEST

START_TEST(the_installed_kernel_is_understood)
{
    struct kernel_facts f = KERNEL_FACTS_INIT;
    char *version, *config, *help;

    if (access("/usr/bin/linux.uml", X_OK) < 0) {
        printf("no /usr/bin/linux.uml: its output is not tested\n");
        return;
    }
    version = run("--version");
    config = run("--showconfig");
    help = run("--help");
    ck_assert_int_eq(kernel_parse_version(version, "k", &f, NULL), UM_OK);
    ck_assert_int_eq(kernel_parse_config(config, "k", &f, NULL), UM_OK);
    ck_assert_int_eq(kernel_parse_help(help, "k", &f, NULL), UM_OK);
    ck_assert(f.uml && f.major >= 5);
    ck_assert_str_eq(kernel_config(&f, "UML"), "y");
    kernel_facts_done(&f);
    free(version);
    free(config);
    free(help);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("kernel");
    TCase *t = tcase_create("facts");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, versions_decide_what_is_needed, 0, UM_ARRAY_LEN(versions));
    tcase_add_test(t, other_texts_are_no_version);
    tcase_add_test(t, configuration_gives_options_and_transports);
    tcase_add_test(t, help_tells_the_generations_apart);
    tcase_add_test(t, the_probe_line_is_read_strictly);
    tcase_add_test(t, the_verdict_follows_the_probe);
    tcase_add_test(t, xstate_names_go_both_ways);
    tcase_add_test(t, versions_are_ordered);
    tcase_add_test(t, a_program_names_its_loader_and_libraries);
    tcase_add_test(t, what_is_no_program_is_refused);
    tcase_add_test(t, a_file_cut_anywhere_in_its_headers_is_refused);
    tcase_add_test(t, a_damaged_byte_in_the_headers_never_crashes_the_reader);
    tcase_add_test(t, a_program_without_the_configuration_of_a_kernel_is_none);
    tcase_add_test(t, the_installed_kernel_is_understood);
    suite_add_tcase(s, t);
    return check_run(s);
}
