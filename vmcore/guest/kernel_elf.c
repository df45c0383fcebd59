/*
 * A small ELF reader: is this a program for this machine, which loader and libraries does it need,
 * and where does the loader find them? The sandbox has no /etc/ld.so.cache, so only the directories
 * the loader knows by itself count. Every offset comes from the file and is not trusted: all reads
 * go through read_at(), which fails instead of reading less.
 */
#include "vmcore/guest/kernel.h"

#include "vmcore/base/fd.h"
#include "vmcore/base/own_files.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PHDR_MAX    128
#define DYNAMIC_MAX 4096 /* entries */
#define STRING_MAX  4096
#define NEEDED_MAX  64

/* Where glibc's loader looks without a cache: Debian's order, then the plain one of others. */
static const char *const default_dirs[] = {"/lib/x86_64-linux-gnu",
                                           "/usr/lib/x86_64-linux-gnu",
                                           "/lib64",
                                           "/usr/lib64",
                                           "/lib",
                                           "/usr/lib"};

struct elf_file {
    int fd;
    uint64_t size;
    Elf64_Ehdr head;
    Elf64_Phdr phdrs[PHDR_MAX];
    struct um_strv needed;
    char *runpath; /* DT_RUNPATH or DT_RPATH */
    char *interp;
};

static void elf_done(struct elf_file *f)
{
    um_fd_close(&f->fd);
    um_strv_done(&f->needed);
    free(f->runpath);
    free(f->interp);
}

static bool read_at(const struct elf_file *f, uint64_t offset, void *data, size_t len)
{
    return offset <= f->size && len <= f->size - offset &&
           pread(f->fd, data, len, (off_t)offset) == (ssize_t)len;
}

/* String of at most max bytes, its NUL included. NULL: none, or no memory. */
static char *read_string(const struct elf_file *f, uint64_t offset, uint64_t max)
{
    char buf[STRING_MAX];

    if (offset >= f->size)
        return NULL;
    if (max > f->size - offset)
        max = f->size - offset;
    if (max > sizeof(buf))
        max = sizeof(buf);
    if (!read_at(f, offset, buf, max) || !memchr(buf, '\0', max))
        return NULL;
    return strdup(buf);
}

/* NULL: fine; else what is wrong. */
static const char *read_head(struct elf_file *f)
{
    const Elf64_Ehdr *h = &f->head;

    if (!read_at(f, 0, &f->head, sizeof(f->head)) || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
        return "it is no ELF program";
    if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
        h->e_machine != EM_X86_64)
        return "it is not for x86-64";
    if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
        return "it is no program";
    if (h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum || h->e_phnum > PHDR_MAX ||
        !read_at(f, h->e_phoff, f->phdrs, h->e_phnum * sizeof(Elf64_Phdr)))
        return "its program headers are damaged";
    return NULL;
}

/* File offset of a virtual address. */
static bool address_offset(const struct elf_file *f, uint64_t address, uint64_t *ret)
{
    for (int i = 0; i < f->head.e_phnum; i++) {
        const Elf64_Phdr *p = &f->phdrs[i];

        if (p->p_type == PT_LOAD && address >= p->p_vaddr && address - p->p_vaddr < p->p_filesz &&
            p->p_offset <= UINT64_MAX - (address - p->p_vaddr)) {
            *ret = p->p_offset + (address - p->p_vaddr);
            return true;
        }
    }
    return false;
}

static const char *take_string(struct elf_file *f, const Elf64_Dyn *d, uint64_t table,
                               uint64_t size)
{
    char *s = NULL;

    if (d->d_un.d_val >= size || table > UINT64_MAX - d->d_un.d_val)
        return "its dynamic section is damaged";
    s = read_string(f, table + d->d_un.d_val, size - d->d_un.d_val);
    if (!s)
        return "its dynamic section is damaged";
    if (d->d_tag != DT_NEEDED) {
        /* RUNPATH replaces RPATH. */
        if (d->d_tag == DT_RUNPATH || !f->runpath) {
            free(f->runpath);
            f->runpath = s;
        } else {
            free(s);
        }
        return NULL;
    }
    if (f->needed.n >= NEEDED_MAX || !*s || strchr(s, '/') || !um_strv_add(&f->needed, s)) {
        free(s);
        return "it needs libraries in an unusual way";
    }
    free(s);
    return NULL;
}

static const char *read_dynamic(struct elf_file *f, const Elf64_Phdr *p)
{
    size_t n = p->p_filesz / sizeof(Elf64_Dyn);
    uint64_t table = 0, size = 0;
    const char *problem = NULL;
    Elf64_Dyn *entries;

    if (!n || n > DYNAMIC_MAX)
        return "its dynamic section is damaged";
    entries = calloc(n, sizeof(*entries));
    if (!entries || !read_at(f, p->p_offset, entries, n * sizeof(*entries))) {
        free(entries);
        return "its dynamic section is damaged";
    }
    for (size_t i = 0; i < n && entries[i].d_tag != DT_NULL; i++) {
        if (entries[i].d_tag == DT_STRTAB && !address_offset(f, entries[i].d_un.d_ptr, &table))
            problem = "its dynamic section is damaged";
        else if (entries[i].d_tag == DT_STRSZ)
            size = entries[i].d_un.d_val;
    }
    for (size_t i = 0; i < n && entries[i].d_tag != DT_NULL && !problem; i++)
        if (entries[i].d_tag == DT_NEEDED || entries[i].d_tag == DT_RUNPATH ||
            entries[i].d_tag == DT_RPATH)
            problem = take_string(f, &entries[i], table, size);
    free(entries);
    return problem;
}

static const char *read_segments(struct elf_file *f)
{
    const char *problem = NULL;

    for (int i = 0; i < f->head.e_phnum && !problem; i++) {
        const Elf64_Phdr *p = &f->phdrs[i];

        if (p->p_type == PT_DYNAMIC && !f->needed.n) {
            problem = read_dynamic(f, p);
        } else if (p->p_type == PT_INTERP && !f->interp) {
            f->interp = read_string(f, p->p_offset, p->p_filesz);
            if (!f->interp || f->interp[0] != '/')
                problem = "its loader's name is damaged";
        }
    }
    return problem;
}

/* Open and read one file. *ret_problem: what is wrong with its content, when -1 and errno 0. */
static bool elf_open(const char *path, struct elf_file *f, const char **ret_problem)
{
    struct stat st;

    memset(f, 0, sizeof(*f));
    *ret_problem = NULL;
    f->fd = um_open_named(path);
    if (f->fd < 0 || fstat(f->fd, &st) < 0) {
        elf_done(f);
        return false;
    }
    f->size = (uint64_t)st.st_size;
    *ret_problem = S_ISREG(st.st_mode) ? read_head(f) : "it is no file";
    if (!*ret_problem)
        *ret_problem = read_segments(f);
    if (*ret_problem)
        elf_done(f);
    return !*ret_problem;
}

/* The directories of a run path, then the usual ones; NULL at the end. *pos starts at 0. */
static char *next_dir(const struct elf_file *f, const char *path, size_t *pos, size_t *usual)
{
    const char *rest = f->runpath ? f->runpath + *pos : "";
    size_t len = strcspn(rest, ":");
    const char *slash = strrchr(path, '/');
    char *dir = NULL;

    if (*rest) {
        *pos += len + (rest[len] == ':');
        if (strncmp(rest, "$ORIGIN", 7) == 0)
            return asprintf(&dir, "%.*s%.*s", slash ? (int)(slash - path) : 0, path, (int)len - 7,
                            rest + 7) < 0
                       ? NULL
                       : dir;
        return strndup(rest, len);
    }
    return *usual < UM_ARRAY_LEN(default_dirs) ? strdup(default_dirs[(*usual)++]) : NULL;
}

/* Where the loader finds a library that the file at path needs; NULL: nowhere. */
static char *find_library(const struct elf_file *f, const char *path, const char *name)
{
    size_t pos = 0, usual = 0;
    char *dir;

    while ((dir = next_dir(f, path, &pos, &usual))) {
        char *candidate = NULL;
        struct elf_file lib;
        const char *problem;

        if (dir[0] != '/' || asprintf(&candidate, "%s/%s", dir, name) < 0)
            candidate = NULL;
        free(dir);
        if (candidate && elf_open(candidate, &lib, &problem)) {
            elf_done(&lib);
            return candidate;
        }
        free(candidate);
    }
    return NULL;
}

static bool base_listed(const struct um_strv *libs, const char *name)
{
    for (size_t i = 0; i < libs->n; i++) {
        const char *slash = strrchr(libs->v[i], '/');

        if (strcmp(slash ? slash + 1 : libs->v[i], name) == 0)
            return true;
    }
    return false;
}

static enum um_code add_needed(const struct elf_file *f, const char *path, struct um_strv *libs,
                               struct um_error *err)
{
    for (size_t i = 0; i < f->needed.n; i++) {
        const char *name = f->needed.v[i];
        char *found;
        bool added;

        if (base_listed(libs, name))
            continue;
        found = libs->n < NEEDED_MAX ? find_library(f, path, name) : NULL;
        if (!found) {
            um_fail(err, UM_E_MISSING_SOFTWARE, NULL, NULL,
                    "%s needs the library %s, which is in none of the usual directories", path,
                    name);
            um_hint(err, "install its package; the sandbox does not use /etc/ld.so.conf");
            return UM_E_MISSING_SOFTWARE;
        }
        added = um_strv_add(libs, found);
        free(found);
        if (!added)
            return um_fail(err, UM_E_NO_RESOURCES, NULL, NULL, "out of memory");
    }
    return UM_OK;
}

/* What the libraries need in turn; the list grows while it is walked. */
static enum um_code add_indirect(struct um_strv *libs, struct um_error *err)
{
    enum um_code code = UM_OK;

    for (size_t i = 0; i < libs->n && !code; i++) {
        um_autostr path = strdup(libs->v[i]);
        struct elf_file f;
        const char *problem;

        if (!path || !elf_open(path, &f, &problem))
            continue;
        code = add_needed(&f, path, libs, err);
        elf_done(&f);
    }
    return code;
}

/* pthread_cancel() loads it when a kernel from 7.2 on halts (reference §17.1). */
static bool add_libgcc(const struct elf_file *f, const char *path, struct um_strv *libs)
{
    um_autostr found = find_library(f, path, "libgcc_s.so.1");

    return !found || base_listed(libs, "libgcc_s.so.1") || um_strv_add(libs, found);
}

static enum um_code collect(const char *path, const struct elf_file *f, struct kernel_elf *e,
                            struct um_error *err)
{
    enum um_code code = UM_OK;

    e->pie = f->head.e_type == ET_DYN;
    e->dynamic = f->interp;
    if (!e->dynamic)
        return UM_OK;
    e->interp = strdup(f->interp);
    if (!e->interp || !um_strv_add(&e->libs, f->interp))
        return um_fail(err, UM_E_NO_RESOURCES, NULL, NULL, "out of memory");
    if (access(f->interp, R_OK) < 0)
        return um_fail(err, UM_E_MISSING_SOFTWARE, NULL, NULL, "%s needs the loader %s: %s", path,
                       f->interp, strerror(errno));
    code = add_needed(f, path, &e->libs, err);
    if (!code && !add_libgcc(f, path, &e->libs))
        code = um_fail(err, UM_E_NO_RESOURCES, NULL, NULL, "out of memory");
    return code ? code : add_indirect(&e->libs, err);
}

void kernel_elf_done(struct kernel_elf *e)
{
    if (!e)
        return;
    free(e->interp);
    um_strv_done(&e->libs);
    *e = KERNEL_ELF_INIT;
}

static enum um_code not_a_kernel(const char *path, const char *why, struct um_error *err)
{
    um_fail(err, UM_E_INVALID, NULL, NULL, "%s cannot be a kernel: %s", path, why);
    um_hint(err, "give the binary, for example /usr/bin/linux.uml of Debian's user-mode-linux");
    return UM_E_INVALID;
}

enum um_code kernel_elf_read(const char *path, struct kernel_elf *ret, struct um_error *err)
{
    struct kernel_elf e = KERNEL_ELF_INIT;
    const char *problem;
    struct elf_file f;
    enum um_code code;

    if (!elf_open(path, &f, &problem)) {
        if (!problem)
            return um_fail_errno(err, errno, NULL, "kernel %s", path);
        return not_a_kernel(path, problem, err);
    }
    if (access(path, X_OK) < 0) {
        elf_done(&f);
        um_fail(err, UM_E_DENIED, NULL, NULL, "kernel %s is not executable", path);
        um_hint(err, "chmod +x %s", path);
        return UM_E_DENIED;
    }
    code = collect(path, &f, &e, err);
    elf_done(&f);
    if (code)
        kernel_elf_done(&e);
    else
        *ret = e;
    return code;
}

/* In what is loaded of the file; debug information, which may be large, is not looked at. */
static bool loads_text(const struct elf_file *f, const char *text)
{
    char data[16 << 10];
    size_t len = strlen(text);

    for (int i = 0; i < f->head.e_phnum; i++) {
        uint64_t at = f->phdrs[i].p_offset, end = f->size;

        if (f->phdrs[i].p_type != PT_LOAD || at > f->size)
            continue;
        if (f->phdrs[i].p_filesz < end - at)
            end = at + f->phdrs[i].p_filesz;
        while (end - at >= len) {
            size_t n = end - at < sizeof(data) ? (size_t)(end - at) : sizeof(data);

            if (!read_at(f, at, data, n))
                break;
            if (memmem(data, n, text, len))
                return true;
            at += n - len + 1;
        }
    }
    return false;
}

enum um_code kernel_elf_check(const char *path, struct um_error *err)
{
    struct kernel_elf e = KERNEL_ELF_INIT;
    enum um_code code = kernel_elf_read(path, &e, err);
    const char *problem = NULL;
    struct elf_file f;

    if (code)
        return code;
    kernel_elf_done(&e);
    if (!elf_open(path, &f, &problem))
        return um_fail_errno(err, errno, NULL, "kernel %s", path);
    if (!loads_text(&f, "CONFIG_UML=y"))
        code = not_a_kernel(path, "it is a program, but no user-mode Linux kernel", err);
    elf_done(&f);
    return code;
}
