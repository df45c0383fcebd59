#include "sys.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>

__asm__(".globl _start\n"
        "_start:\n"
        "  xor %ebp, %ebp\n"
        "  mov %rsp, %rdi\n"
        "  and $-16, %rsp\n"
        "  call fake_start\n");

void fake_start(long *stack);

/* psABI: argc, argv, NULL, envp, NULL on the initial stack. */
void fake_start(long *stack)
{
    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1);

    leave(fake_main(argc, argv, argv + argc + 1));
}

void *memcpy(void *dst, const void *src, size_t n)
{
    void *d = dst;

    __asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    void *d = dst;

    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *p = a, *q = b;

    for (; n > 0; n--, p++, q++)
        if (*p != *q)
            return *p - *q;
    return 0;
}

size_t strlen(const char *s)
{
    const char *p = s;

    while (*p)
        p++;
    return (size_t)(p - s);
}

bool str_starts(const char *s, const char *prefix)
{
    while (*prefix)
        if (*s++ != *prefix++)
            return false;
    return true;
}

bool str_equal(const char *a, const char *b)
{
    return str_starts(a, b) && strlen(a) == strlen(b);
}

const char *str_find(const char *s, char c)
{
    for (; *s; s++)
        if (*s == c)
            return s;
    return NULL;
}

long str_number(const char *s, const char **end)
{
    bool negative = *s == '-';
    long v = 0;

    for (s += negative; *s >= '0' && *s <= '9'; s++)
        v = v * 10 + (*s - '0');
    if (end)
        *end = s;
    return negative ? -v : v;
}

void put_n(struct text *t, const char *s, size_t n)
{
    if (n > t->cap - 1 - t->len)
        n = t->cap - 1 - t->len;
    memcpy(t->p + t->len, s, n);
    t->len += n;
    t->p[t->len] = '\0';
}

void put(struct text *t, const char *s)
{
    put_n(t, s, strlen(s));
}

void put_number(struct text *t, long v, int min_digits)
{
    char digits[24];
    int n = 0;
    unsigned long rest = v < 0 ? 0ul - (unsigned long)v : (unsigned long)v;

    if (v < 0)
        put(t, "-");
    for (; rest > 0 || n < min_digits || n == 0; rest /= 10)
        digits[n++] = (char)('0' + rest % 10);
    while (n > 0)
        put_n(t, &digits[--n], 1);
}

void put_all(struct text *t, ...)
{
    const char *s;
    va_list ap;

    va_start(ap, t);
    while ((s = va_arg(ap, const char *)))
        put(t, s);
    va_end(ap);
}

int64_t now_ms(void)
{
    struct timespec ts;

    SYS(clock_gettime, CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void sleep_ms(long ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    SYS(nanosleep, &ts, &ts);
}

long read_file(const char *path, char *buf, size_t size)
{
    long fd = SYS(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    long n;

    if (fd < 0)
        return fd;
    n = SYS(read, fd, buf, size - 1);
    SYS(close, fd);
    if (n >= 0)
        buf[n] = '\0';
    return n;
}

void leave(int status)
{
    for (;;)
        SYS(exit_group, status);
}

void die_by_abort(void)
{
    SYS(kill, SYS(getpid, 0), SIGABRT);
    leave(134); /* pid 1 of a namespace does not get it */
}
