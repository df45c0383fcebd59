#include "tests/umld/server/fixture.h"

static json_t *text_of_length(size_t len)
{
    char text[64];

    memset(text, 'x', sizeof(text));
    return json_stringn(text, len < sizeof(text) ? len : sizeof(text));
}

static json_t *constrained(const struct api_constraint *c)
{
    static const char *const examples[API_PATTERN_COUNT] = {
        [API_PATTERN_NAME] = "web", [API_PATTERN_PATH] = "/tmp", [API_PATTERN_DEVICE] = "con0"};

    switch (c->rule) {
    case API_RULE_RANGE:
        return json_integer(c->max);
    case API_RULE_LENGTH:
        return text_of_length((size_t)c->min);
    case API_RULE_PATTERN:
        return json_string(examples[c->pattern]);
    default:
        return json_string(c->words[0]);
    }
}

static json_t *sample_struct(const struct api_type *type, bool all)
{
    json_t *object = json_object();

    for (size_t i = 0; i < type->field_count; i++) {
        const struct api_field *f = &type->fields[i];

        if (all || !f->type->nullable)
            json_object_set_new(object, f->name, sample_value(f->type, f, all));
    }
    return object;
}

json_t *sample_value(const struct api_type *type, const struct api_field *field, bool all)
{
    if (field && field->constraint_count && type->kind != API_KIND_ARRAY)
        return constrained(&field->constraints[0]);
    switch (type->kind) {
    case API_KIND_BOOL:
        return json_true();
    case API_KIND_INT:
        return json_integer(1);
    case API_KIND_FLOAT:
        return json_real(0.5);
    case API_KIND_STRING:
        return json_string("text");
    case API_KIND_ENUM:
        return json_string(type->words[0]);
    case API_KIND_STRUCT:
        return sample_struct(type, all);
    case API_KIND_ARRAY:
        return json_pack("[o]", sample_value(type->element, field, all));
    case API_KIND_MAP:
        return json_pack("{s:o}", "key", sample_value(type->element, NULL, all));
    default:
        return json_object();
    }
}

json_t *sample_params(const struct api_method *method, bool all)
{
    return sample_struct(method->input, all);
}
