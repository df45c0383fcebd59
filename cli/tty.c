#include "cli/tty.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static volatile sig_atomic_t raw_fd = -1;

void tty_restore(void)
{
    int fd = (int)raw_fd;

    if (fd < 0)
        return;
    tcsetattr(fd, TCSADRAIN, &saved);
    raw_fd = -1;
}

static void on_fatal(int signo)
{
    tty_restore();
    raise(signo); /* SA_RESETHAND: the default action this time */
}

static void restore_on_fatal_signals(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    struct sigaction sa = {.sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};

    for (unsigned i = 0; i < UM_ARRAY_LEN(signals); i++)
        sigaction(signals[i], &sa, NULL);
}

bool tty_raw(int fd)
{
    static bool registered;
    struct termios raw;

    if (tcgetattr(fd, &saved) < 0)
        return false;
    raw = saved;
    cfmakeraw(&raw);
    if (!registered) {
        registered = true;
        atexit(tty_restore);
        restore_on_fatal_signals();
    }
    raw_fd = fd;
    if (tcsetattr(fd, TCSADRAIN, &raw) == 0)
        return true;
    raw_fd = -1;
    return false;
}

bool tty_size(int fd, int *ret_rows, int *ret_columns)
{
    struct winsize ws;

    if (ioctl(fd, TIOCGWINSZ, &ws) < 0 || ws.ws_row == 0 || ws.ws_col == 0)
        return false;
    *ret_rows = ws.ws_row;
    *ret_columns = ws.ws_col;
    return true;
}
