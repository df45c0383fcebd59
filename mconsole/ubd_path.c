#include "mconsole/ubd_path.h"

#include "mconsole/wire.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_UBD "config ubd"
#define SEPARATORS ",:"

/* A COW file that is not there is made by the kernel, in a directory that is. */
static bool may_be_made(const char *path)
{
    char *dir = strdup(path);
    char *slash = dir ? strrchr(dir, '/') : NULL;
    bool ok = false;

    if (slash) {
        slash[slash == dir] = '\0';
        ok = access(dir, F_OK) == 0;
    }
    free(dir);
    return ok;
}

static enum um_code put_file(const char *name, size_t len, const char *cwd, bool has_backing,
                             struct um_buf *ret, struct um_error *err)
{
    um_autostr given = strndup(name, len);
    um_autostr path = given ? um_path_absolute(cwd, given) : NULL;

    if (!path)
        return um_fail(err, UM_E_NO_RESOURCES, NULL, "command", "out of memory");
    if (access(path, F_OK) < 0 && !(has_backing && may_be_made(path)))
        return um_fail(err, UM_E_INVALID, NULL, "command", "there is no file %s", path);
    if (strpbrk(path, SEPARATORS)) {
        um_fail(err, UM_E_INVALID, NULL, "command",
                "the path %s has a comma or colon in it, which separate file names", path);
        return um_hint(err, "use a link to the file in another directory");
    }
    um_buf_puts(ret, path);
    return UM_OK;
}

/* files: behind the `=`. */
static enum um_code put_files(const char *files, const char *cwd, struct um_buf *ret,
                              struct um_error *err)
{
    enum um_code code = UM_OK;

    /* file, then backing; the rest (a serial number) is no file */
    for (int field = 0; field < 2 && code == UM_OK; field++) {
        size_t len = strcspn(files, SEPARATORS);
        bool has_backing = field == 0 && files[len] && strcspn(files + len + 1, SEPARATORS) > 0;

        if (len > 0)
            code = put_file(files, len, cwd, has_backing, ret, err);
        files += len;
        if (!*files)
            return code;
        um_buf_append(ret, files++, 1);
    }
    um_buf_puts(ret, files);
    return code;
}

enum um_code mconsole_absolute_ubd(const char *command, const char *cwd, struct um_buf *ret,
                                   struct um_error *err)
{
    const char *equals = um_str_starts(command, CONFIG_UBD) ? strchr(command, '=') : NULL;
    struct um_buf b = UM_BUF_INIT;
    enum um_code code = UM_OK;

    if (equals) {
        um_buf_append(&b, command, (size_t)(equals + 1 - command));
        code = put_files(equals + 1, cwd, &b, err);
    } else {
        um_buf_puts(&b, command);
    }
    if (code == UM_OK && b.failed)
        code = um_fail(err, UM_E_NO_RESOURCES, NULL, "command", "out of memory");
    if (code == UM_OK && b.len > MCONSOLE_COMMAND_MAX)
        code = um_fail(err, UM_E_INVALID, NULL, "command",
                       "with absolute file names the command is %zu bytes long, the kernel takes "
                       "at most %d",
                       b.len, MCONSOLE_COMMAND_MAX);
    if (code) {
        um_buf_done(&b);
        return code;
    }
    um_buf_done(ret);
    *ret = b;
    return UM_OK;
}
