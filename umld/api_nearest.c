#include "umld/api_check.h"

#include <ctype.h>
#include <string.h>

enum { NEAREST_MAX = 64 }; /* names are short; a longer word is nobody's neighbour */

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to insert, remove or change to turn one word into the other (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
    size_t row[NEAREST_MAX + 1], len = strlen(b);

    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < len; j++) {
            size_t change = diagonal + (same(a[i], b[j]) ? 0 : 1);

            diagonal = row[j + 1];
            row[j + 1] = least(change, least(diagonal, row[j]) + 1);
        }
    }
    return row[len];
}

const char *api_nearest(const char *wrong, const char *(*next)(const void *arg, size_t index),
                        const void *arg)
{
    const char *best = NULL, *name;
    size_t len = strlen(wrong), best_distance = len / 3 + (len < 4 ? 1 : 2);

    if (len > NEAREST_MAX)
        return NULL;
    for (size_t i = 0; (name = next(arg, i)); i++) {
        size_t d = strlen(name) > NEAREST_MAX ? NEAREST_MAX : distance(wrong, name);

        if (d < best_distance) {
            best = name;
            best_distance = d;
        }
    }
    return best;
}
