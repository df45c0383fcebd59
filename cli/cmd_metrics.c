#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/select.h"
#include "cli/text.h"
#include "schemas/api_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As the text format of Prometheus wants it inside quotes. */
static void print_quoted(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            putchar('\\');
        if (*s == '\n')
            fputs("\\n", stdout);
        else
            putchar(*s);
    }
    putchar('"');
}

/* The shortest form that is read back as the same number. */
static void print_number(double value)
{
    char text[40];

    snprintf(text, sizeof(text), "%.15g", value);
    if (strtod(text, NULL) < value || strtod(text, NULL) > value)
        snprintf(text, sizeof(text), "%.17g", value);
    printf(" %s\n", text);
}

static void print_sample(const char *name, const json_t *sample)
{
    const char *label, *separator = "{";
    json_t *value, *labels = json_object_get(sample, "labels");

    fputs(name, stdout);
    json_object_foreach(labels, label, value)
    {
        printf("%s%s=", separator, label);
        print_quoted(json_string_value(value) ? json_string_value(value) : "");
        separator = ",";
    }
    if (json_object_size(labels))
        putchar('}');
    print_number(json_number_value(json_object_get(sample, "value")));
}

static void print_family(const json_t *m)
{
    const char *name = text_get(m, "name", "?");
    const json_t *sample, *samples = json_object_get(m, "samples");
    size_t i;

    if (!json_array_size(samples))
        return;
    printf("# HELP %s %s\n# TYPE %s %s\n", name, text_get(m, "help", ""), name,
           text_get(m, "type", "untyped"));
    json_array_foreach(samples, i, sample)
    {
        print_sample(name, sample);
    }
}

static json_t *of_guests(const struct selection *chosen)
{
    json_t *params = json_object(), *names = json_array();

    for (size_t i = 0; i < chosen->count; i++)
        json_array_append_new(names, json_string(chosen->names[i]));
    json_object_set_new(params, "guests", names);
    return params;
}

static int run(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct selection chosen = {.names = NULL};
    json_t *params = NULL;
    const json_t *family;
    enum um_code code = UM_OK;
    bool text = false;
    size_t i;
    int status;

    if (select_given(args)) {
        code = select_guests(cli, args, args->count, &chosen, &reply);
        params = of_guests(&chosen);
        select_done(&chosen);
    }
    if (code) {
        json_decref(params);
        status = cli_reply_error(cli, &reply);
    } else {
        status = cli_ask(cli, API_SERVER_METRICS, params, CLI_SHORT_MS, &reply, &text);
    }
    if (text)
        json_array_foreach(json_object_get(reply.params, "metrics"), i, family)
        {
            print_family(family);
        }
    client_reply_done(&reply);
    return status;
}

static const struct option_row options[] = {
    SELECT_LABEL_OPTION,
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_metrics = {
    .name = "metrics",
    .usage = "[GUEST ...]",
    .summary = "Print what is measured, in the text format of Prometheus",
    .details = "What guests tell by METRIC NAME VALUE is guest_NAME, with the guest as a label.\n"
               "With guests named, only what belongs to them.",
    .group = GROUP_HOST,
    .words = WORDS_GUESTS,
    .options = options,
    .max_words = -1,
    .run = run,
};
