/*
 * The kernel probe: /init of an initramfs that umld boots once with every kernel it registers. It
 * finds out by experiment whether this kernel on this host keeps user programs' vector registers,
 * because a wrong answer is silent data corruption in guests and CPU flags do not tell.
 *
 * Surprise: all reports go through /proc/mconsole, each write() one notification; nothing is read.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STORES = 2000, /* stores that each take a page fault */
    ROUNDS = 2000, /* context switches of each of the two threads */
    PAGE = 4096,
    REGISTERS = 4,             /* vector registers held across a switch */
    SYSLOG_ACTION_READ_ALL = 3 /* klogctl(2) */
};

/* 32 bytes: an AVX register. SSE uses the first half only. */
struct vector {
    uint64_t word[4];
};

static bool have_avx;
static size_t vector_size = sizeof(struct vector);

/* AVX needs the CPU's word and the kernel's: XGETBV says whether the upper halves are switched. */
static bool detect_avx(void)
{
    unsigned a, b, c, d, xcr0, high;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX))
        return false;
    __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
    return (xcr0 & 6) == 6;
}

static struct vector pattern(uint64_t seed)
{
    struct vector v;

    for (size_t i = 0; i < 4; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        v.word[i] = seed ^ (seed >> 29);
    }
    return v;
}

/* Register loaded, then stored where the page is not there yet: the fault is between the two. */
__attribute__((target("avx"))) static void store_avx(const struct vector *from, struct vector *to)
{
    __asm__ volatile("vmovdqu %1, %%ymm5\n\tvmovdqu %%ymm5, %0" : "=m"(*to) : "m"(*from) : "xmm5");
}

static void store_sse(const struct vector *from, struct vector *to)
{
    __asm__ volatile("movdqu %1, %%xmm5\n\tmovdqu %%xmm5, %0" : "=m"(*to) : "m"(*from) : "xmm5");
}

static int count_wrong_stores(void)
{
    char *area = mmap(NULL, (size_t)STORES * PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int wrong = 0;

    if (area == MAP_FAILED)
        return STORES;
    for (size_t i = 0; i < STORES; i++) {
        struct vector value = pattern(i + 1);
        struct vector *slot = (struct vector *)(void *)(area + i * PAGE + (i % 64) * 32);

        (have_avx ? store_avx : store_sse)(&value, slot);
        wrong += memcmp(slot, &value, vector_size) != 0;
    }
    munmap(area, (size_t)STORES * PAGE);
    return wrong;
}

/* The system call is inside, so that no compiled code uses the registers in between. */
__attribute__((target("avx"))) static void yield_avx(const struct vector in[REGISTERS],
                                                     struct vector out[REGISTERS])
{
    long number = SYS_sched_yield;

    __asm__ volatile("vmovdqu (%1), %%ymm6\n\tvmovdqu 32(%1), %%ymm7\n\t"
                     "vmovdqu 64(%1), %%ymm14\n\tvmovdqu 96(%1), %%ymm15\n\t"
                     "syscall\n\t"
                     "vmovdqu %%ymm6, (%2)\n\tvmovdqu %%ymm7, 32(%2)\n\t"
                     "vmovdqu %%ymm14, 64(%2)\n\tvmovdqu %%ymm15, 96(%2)"
                     : "+a"(number)
                     : "r"(in), "r"(out)
                     : "rcx", "r11", "memory", "xmm6", "xmm7", "xmm14", "xmm15");
}

static void yield_sse(const struct vector in[REGISTERS], struct vector out[REGISTERS])
{
    long number = SYS_sched_yield;

    __asm__ volatile("movdqu (%1), %%xmm6\n\tmovdqu 32(%1), %%xmm7\n\t"
                     "movdqu 64(%1), %%xmm14\n\tmovdqu 96(%1), %%xmm15\n\t"
                     "syscall\n\t"
                     "movdqu %%xmm6, (%2)\n\tmovdqu %%xmm7, 32(%2)\n\t"
                     "movdqu %%xmm14, 64(%2)\n\tmovdqu %%xmm15, 96(%2)"
                     : "+a"(number)
                     : "r"(in), "r"(out)
                     : "rcx", "r11", "memory", "xmm6", "xmm7", "xmm14", "xmm15");
}

/* How many threads are in their loops: rounds alone on the CPU would prove nothing. */
static atomic_int running;

static void *hold_registers(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    intptr_t corrupt = 0;

    atomic_fetch_add(&running, 1);
    while (atomic_load(&running) < 2)
        sched_yield();
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct vector in[REGISTERS], out[REGISTERS];
        bool same = true;

        for (uint64_t i = 0; i < REGISTERS; i++)
            in[i] = pattern(seed + round * REGISTERS + i);
        memset(out, 0, sizeof(out));
        (have_avx ? yield_avx : yield_sse)(in, out);
        for (size_t i = 0; i < REGISTERS; i++)
            same = same && memcmp(&in[i], &out[i], vector_size) == 0;
        corrupt += !same;
    }
    return (void *)corrupt;
}

/* What the experiments found, shared with the children that run them. */
struct verdict {
    int wrong_stores;
    int corrupt_rounds;
    bool threads_work;
};

static void try_stores(struct verdict *verdict)
{
    verdict->wrong_stores = count_wrong_stores();
}

static void try_threads(struct verdict *verdict)
{
    pthread_t thread[2];
    void *corrupt[2] = {NULL, NULL};

    for (uintptr_t i = 0; i < 2; i++)
        if (pthread_create(&thread[i], NULL, hold_registers, (void *)(i * 1000000 + 1)) != 0)
            return;
    for (size_t i = 0; i < 2; i++)
        if (pthread_join(thread[i], &corrupt[i]) != 0)
            return;
    verdict->corrupt_rounds = (int)((intptr_t)corrupt[0] + (intptr_t)corrupt[1]);
    verdict->threads_work = true;
}

/* In a child: an experiment that goes wrong may crash, and without init there is no report. */
static void run_experiment(void (*experiment)(struct verdict *), struct verdict *verdict)
{
    pid_t child = fork();

    if (child == 0) {
        experiment(verdict);
        _exit(0);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
}

/* The delay loop's calibration, from the kernel's own log; 0 when it is not there. */
static unsigned long long read_lpj(void)
{
    static char text[256 * 1024];
    int len = klogctl(SYSLOG_ACTION_READ_ALL, text, sizeof(text) - 1);
    const char *line;

    if (len <= 0)
        return 0;
    text[len] = '\0';
    line = strstr(text, "Calibrating delay loop");
    line = line ? strstr(line, "(lpj=") : NULL;
    return line ? strtoull(line + strlen("(lpj="), NULL, 10) : 0;
}

static void notify(const char *text)
{
    int fd = open("/proc/mconsole", O_WRONLY | O_CLOEXEC);
    ssize_t n;

    printf("umlprobe: %s\n", text);
    fflush(stdout);
    if (fd < 0)
        return;
    n = write(fd, text, strlen(text));
    if (n < 0)
        perror("umlprobe: /proc/mconsole");
    close(fd);
}

int main(void)
{
    char report[200];
    struct verdict *verdict =
        mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    /* On a host, where someone tries it by hand, it must not switch anything off. */
    bool in_guest = getpid() == 1;

    if (verdict == MAP_FAILED)
        return 1;
    if (in_guest) {
        mkdir("/proc", 0755);
        if (mount("proc", "/proc", "proc", 0, NULL) < 0)
            perror("umlprobe: mount /proc");
    }
    have_avx = detect_avx();
    if (!have_avx)
        vector_size = sizeof(struct vector) / 2;
    verdict->wrong_stores = STORES; /* unless the experiment says otherwise */
    run_experiment(try_stores, verdict);
    run_experiment(try_threads, verdict);
    snprintf(report, sizeof(report), "PROBE avx=%d threads=%d pthread=%s lpj=%llu isa=%s",
             verdict->wrong_stores, verdict->corrupt_rounds, verdict->threads_work ? "ok" : "fail",
             read_lpj(), have_avx ? "avx" : "sse");
    notify(report);
    notify("READY=1");
    if (in_guest) {
        sync();
        reboot(RB_POWER_OFF);
    }
    return verdict->wrong_stores || verdict->corrupt_rounds || !verdict->threads_work;
}
