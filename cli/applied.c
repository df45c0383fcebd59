#include "cli/applied.h"

#include "cli/text.h"

#include <stdio.h>
#include <string.h>

void applied_print(struct cli *cli, const char *name, const json_t *reply)
{
    const json_t *list = json_object_get(reply, "applied"), *a;
    size_t i;

    /* Keys that are no devices have no row, and are read at a start. */
    if (!json_array_size(list) && text_bool(reply, "changed", true))
        cli_note(cli, "guest \"%s\": it runs; the change takes effect at its next start", name);
    json_array_foreach(list, i, a)
    {
        const char *device = text_get(a, "device", ""), *how = text_get(a, "how", ""),
                   *note = text_get(a, "note", "");

        if (strcmp(how, "live") == 0)
            printf("%s: %s: live\n", name, device);
        fflush(stdout);
        if (strcmp(how, "nextStart") == 0)
            cli_note(cli, "guest \"%s\": %s: takes effect at its next start%s%s", name, device,
                     note[0] ? ": " : "", note);
    }
}
