/*
 * What the fake guest needs of an operating system, without a C library: a static glibc program
 * touches 700 KiB, this one some 40 KiB, and tests run a thousand of them. x86-64 only, as UML is.
 */
#ifndef TESTS_FAKES_SYS_H
#define TESTS_FAKES_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

/* Result of the system call, or -errno. */
static inline long sys(long n, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

#define SYS(name, ...) SYS_ARGS(SYS_##name, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SYS_ARGS(n, a, b, c, d, e, f, ...)                                                         \
    sys(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* The compiler calls these on its own; sizes are small. */
void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

bool str_equal(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
const char *str_find(const char *s, char c);      /* NULL: absent */
long str_number(const char *s, const char **end); /* decimal with sign; *end at the first other */

/* Text being put together; what does not fit is dropped. Always NUL terminated. */
struct text {
    char *p;
    size_t len, cap;
};

#define TEXT(name, size)                                                                           \
    char name##_space[size];                                                                       \
    struct text name = {name##_space, 0, size}

void put(struct text *t, const char *s);
void put_n(struct text *t, const char *s, size_t n);
void put_number(struct text *t, long v, int min_digits);
/* NULL-terminated list of strings. */
void put_all(struct text *t, ...) __attribute__((sentinel));

int64_t now_ms(void);
void sleep_ms(long ms);
long read_file(const char *path, char *buf, size_t size); /* bytes, NUL added; or -errno */

_Noreturn void leave(int status);
_Noreturn void die_by_abort(void);

/* The program; envp follows argv on the stack. */
int fake_main(int argc, char **argv, char **envp);

#endif
