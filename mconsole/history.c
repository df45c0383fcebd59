#include "mconsole/history.h"

#include "vmcore/base/fd.h"
#include "vmcore/base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FILE_MAX = 4 * 1024 * 1024, /* nobody typed this: it is begun anew */
    LINE_MAX_BYTES = 1024
};

static int open_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);

    if (fd >= 0 && fchmod(fd, 0600) < 0)
        um_fd_close(&fd);
    return fd;
}

/* The last max lines of data, which is taken apart. Returns how many there were. */
static size_t take_lines(char *data, size_t max, struct um_strv *ret)
{
    size_t lines = 0, skip;
    char *save = NULL;

    for (const char *p = data; (p = strchr(p, '\n')); p++)
        lines++;
    skip = lines > max ? lines - max : 0;
    for (char *p = data; skip > 0; skip--)
        data = p = strchr(p, '\n') + 1;
    for (char *l = strtok_r(data, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
        if (!um_strv_add(ret, l))
            break;
    return lines;
}

static enum um_code cut(const char *path, const struct um_strv *lines, struct um_error *err)
{
    struct um_buf b = UM_BUF_INIT;
    enum um_code code;

    for (size_t i = 0; i < lines->n; i++)
        um_buf_printf(&b, "%s\n", lines->v[i]);
    if (b.failed)
        code = um_fail(err, UM_E_NO_RESOURCES, path, NULL, "out of memory");
    else
        code = um_file_replace(path, b.data ? b.data : "", b.len, 0600, err);
    um_buf_done(&b);
    return code;
}

enum um_code mconsole_history_open(size_t max, char *ret_path, size_t size, struct um_strv *ret,
                                   struct um_error *err)
{
    struct um_paths paths;
    enum um_code code = um_paths_default(false, &paths, err);
    char *data = NULL;
    um_autofd fd = -1;

    if (code == UM_OK)
        code = um_mkdir_parents(paths.state_dir, 0700, err);
    if (code)
        return code;
    snprintf(ret_path, size, "%s/mconsole_history", paths.state_dir);
    fd = open_file(ret_path);
    if (fd < 0)
        return um_fail_errno(err, errno, ret_path, "cannot keep a history");
    code = um_file_read(ret_path, FILE_MAX, &data, NULL, err);
    if (code == UM_E_INVALID)
        return cut(ret_path, ret, err);
    if (code)
        return code;
    if (take_lines(data, max, ret) > max)
        code = cut(ret_path, ret, err);
    free(data);
    return code;
}

void mconsole_history_add(const char *path, const char *line)
{
    char text[LINE_MAX_BYTES + 1];
    int n = snprintf(text, sizeof(text), "%s\n", line);
    um_autofd fd = -1;

    if (n >= (int)sizeof(text))
        return;
    fd = open_file(path);
    if (fd >= 0)
        (void)!um_fd_write_all(fd, text, (size_t)n); /* one write: whole lines, whoever else adds */
}
