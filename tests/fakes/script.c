#include "fake_guest.h"

#include <stddef.h>

/* A word, where its first number goes (1 when it has none), and its second after a colon. */
static const struct {
    const char *name;
    size_t first, second;
} words[] = {
#define WORD(word, first, second)                                                                  \
    {                                                                                              \
        word, offsetof(struct script, first), offsetof(struct script, second)                      \
    }
#define FLAG(word) WORD(#word, word, word)
    FLAG(slow),
    FLAG(late),
    FLAG(silent),
    FLAG(frozen),
    FLAG(noready),
    FLAG(nosocket),
    FLAG(badreply),
    FLAG(diemidreply),
    FLAG(ignorecad),
    FLAG(cadreboot),
    FLAG(ignorehalt),
    FLAG(hog),
    FLAG(busyubd),
    FLAG(probebad),
    FLAG(exec),
    FLAG(lateremount),
    FLAG(flood),
    FLAG(output),
    WORD("outputforever", output_ms, output_ms),
    WORD("panic", panic_ms, panic_ms),
    WORD("exit", exit_code, exit_ms),
    WORD("reboot", reboot_ms, reboot_times),
};

static void set(struct script *s, size_t offset, long value)
{
    *(long *)((char *)s + offset) = value;
}

static void read_word(struct script *s, const char *word, size_t len)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t n = strlen(words[i].name);
        const char *p = word + n;
        long first = 1;

        if (len < n || memcmp(word, words[i].name, n) != 0 || (len > n && *p != '='))
            continue;
        if (*p == '=')
            first = str_number(p + 1, &p);
        set(s, words[i].first, first);
        if (*p == ':')
            set(s, words[i].second, str_number(p + 1, &p));
        return;
    }
    printk("fake: unknown script word ");
    printk_line(word, NULL, NULL);
}

static bool is_separator(char c)
{
    return c == ',' || c == '\n' || c == ' ' || c == '\0';
}

/* `a,b=1` or, with a slash in it, a file of such words. */
void script_read(struct script *s, const char *value)
{
    static char file[1024];

    if (str_find(value, '/')) {
        if (read_file(value, file, sizeof(file)) < 0) {
            printk_line("fake: cannot read ", value, NULL);
            return;
        }
        value = file;
    }
    while (*value) {
        size_t len = 0;

        while (!is_separator(value[len]))
            len++;
        if (len > 0)
            read_word(s, value, len);
        value += len + (value[len] != '\0');
    }
}
