/*
 * Between the files of the device parser; nobody else includes this.
 */
#ifndef VMCORE_GUEST_DEVICE_INTERNAL_H
#define VMCORE_GUEST_DEVICE_INTERNAL_H

#include "vmcore/guest/device.h"

/* Longest word, as given and as stored. */
#define DEVICE_WORD_MAX 400

struct device_parser {
    const char *word;
    const char *cwd; /* NULL: relative paths are refused */
    struct um_error *err;
    struct um_buf text; /* canonical text, built while parsing; starts as `name=` */
};

/* `"<word>": <text>` with the device's name as the field. */
enum um_code device_fail(struct device_parser *p, enum um_code code, const char *fmt, ...)
    um_format(3, 4) um_nonnull(1);
enum um_code device_no_memory(struct device_parser *p) um_nonnull(1);

/*
 * One path: not empty, no byte of `separators`, made absolute; appended to the text. what: `disk
 * image`, for messages.
 */
enum um_code device_path(struct device_parser *p, const char *what, const char *s, size_t len,
                         const char *separators, char **ret) um_nonnull(1, 2, 3, 5, 6) um_check;

/*
 * Unit number as the kernel reads it: base detection (`010` is 8). False: no digit, or above max.
 * *ret_end: first byte after the number.
 */
bool device_unit(const char *s, int max, int *ret, const char **ret_end)
    um_nonnull(1, 3, 4) um_check;

/* Parsers by kind; value is what follows `=`. They append it to p->text. */
typedef enum um_code device_parse_fn(struct device_parser *p, const char *value, struct device *d);
device_parse_fn device_parse_ubd; /* value: what follows the unit, flags first */
device_parse_fn device_parse_line;
device_parse_fn device_parse_mem, device_parse_hostfs, device_parse_initrd, device_parse_share,
    device_parse_umid, device_parse_net, device_parse_vec, device_parse_eth;

/* `lan,mac=…`: all that the struct says, each option once, in the order of the documentation. */
void device_net_print(const struct device_net *n, struct um_buf *b) um_nonnull(1, 2);
void device_net_free(struct device_net *n);

/*
 * A MAC address: six hexadecimal bytes with `:`, unicast, not all zero. exact: two digits each
 * (uml(kernel) 6.16 and later take nothing else).
 */
enum um_code device_mac(struct device_parser *p, const char *s, size_t len, bool exact,
                        uint8_t ret[6]) um_nonnull(1, 2, 5) um_check;

void device_done_chan(struct device_chan *c) um_nonnull(1);

/* Words of later versions (device_later.c): is it one, and the error that says what works today. */
bool device_later_known(const char *word) um_nonnull(1);
enum um_code device_later_fail(struct device_parser *p) um_nonnull(1);

#endif
