/*
 * Device words: whatever parses must print a text that parses to itself, with and without the
 * directory. A crash, a leak or a different text is a find.
 */
#include "vmcore/guest/device.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char word[600];
    struct um_error err = UM_ERROR_INIT;
    struct device d, again;

    if (size >= sizeof(word))
        return 0;
    memcpy(word, data, size);
    word[size] = '\0';
    (void)device_word_known(word);
    if (device_parse(word, "/home/u", &d, &err) != UM_OK) {
        if (err.code == UM_OK || !err.message[0])
            abort();
        return 0;
    }
    if (!device_word_known(word) || device_parse(d.text, NULL, &again, &err) != UM_OK ||
        strcmp(d.text, again.text) != 0)
        abort();
    device_done(&again);
    device_done(&d);
    return 0;
}
