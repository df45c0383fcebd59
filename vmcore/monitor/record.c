#include "vmcore/monitor/monitor.h"

#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <inttypes.h>
#include <string.h>

void mon_text_clean(char *dst, size_t size, const char *src, size_t len)
{
    size_t n = 0;

    while (n < len && n + 1 < size && src[n]) {
        unsigned char c = (unsigned char)src[n];

        dst[n++] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    dst[n] = '\0';
    while (n > 0 && dst[n - 1] == ' ')
        dst[--n] = '\0';
}

void mon_record_format(const struct mon_config *c, const struct mon_state *s, struct um_buf *b)
{
    um_buf_printf(b, "version=%d\nguest=%s\nboot=%" PRIu64 "\nwait_status=%d\n", MON_EXIT_VERSION,
                  c->guest, s->boot, s->wait_status);
    um_buf_printf(b, "exit_wall_ns=%" PRId64 "\nstart_wall_ns=%" PRId64 "\nflags=%u\nmain_pid=%d\n",
                  s->exit_wall_ns, s->start_wall_ns, s->flags, s->main_pid);
    um_buf_printf(b, "exec_errno=%d\npanic=%s\n", s->exec_errno, s->panic);
}

bool mon_record_write(const struct monitor *m)
{
    struct um_buf b = UM_BUF_INIT;
    struct um_error err = UM_ERROR_INIT;
    enum um_code code = UM_E_NO_RESOURCES;
    char text[1024];

    mon_record_format(&m->config, &m->state, &b);
    if (!b.failed)
        code = um_file_replace(m->config.exit, b.data, b.len, 0600, &err);
    if (code)
        um_log(UM_LOG_ERROR, "guest %s: exit record not written: %s", m->config.guest,
               um_error_text(&err, text, sizeof(text)));
    um_buf_done(&b);
    return code == UM_OK;
}
