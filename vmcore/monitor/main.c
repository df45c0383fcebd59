#include "vmcore/base/log.h"
#include "vmcore/monitor/monitor.h"
#include "vmcore/monitor/order.h"

#include <unistd.h>

int main(void)
{
    struct mon_config config;
    struct um_error err = UM_ERROR_INIT;
    char text[1024];

    um_log_init("umlmon");
    if (mon_config_read(ORDER_FD, &config, &err) != UM_OK) {
        um_log(UM_LOG_ERROR, "%s", um_error_text(&err, text, sizeof(text)));
        return 2;
    }
    close(ORDER_FD);
    return mon_run(&config);
}
