#include "cli/mconsole_verb.h"

#include "cli/text.h"
#include "vmcore/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mconsole_verb_fill(const struct cli *cli, const char *command, json_t *params)
{
    json_object_set_new(params, "command", json_string(command));
    if (cli->timeout_ms)
        json_object_set_new(params, "timeoutMs", json_integer(cli->timeout_ms));
}

bool mconsole_verb_refused(const json_t *reply, struct um_error *err)
{
    char clean[400];

    if (text_int(reply, "status", 0) == 0)
        return false;
    um_str_clean(text_get(reply, "text", ""), clean, sizeof(clean));
    um_fail(err, UM_E_GUEST_ERROR, NULL, NULL, "the guest's kernel: %s", clean);
    return true;
}

void mconsole_verb_tell(struct cli *cli, const char *name, const json_t *reply)
{
    const char *text = text_get(reply, "text", "");
    size_t size = strlen(text) + 1;
    char *clean = malloc(size), *rest = clean, *line;

    if (!clean)
        abort();
    um_str_clean(text, clean, size);
    if (!clean[0])
        printf("%s: done\n", name);
    while (clean[0] && (line = strsep(&rest, "\n")))
        if (line[0] || rest)
            printf("%s%s%s\n", cli->several ? name : "", cli->several ? ": " : "", line);
    free(clean);
}
