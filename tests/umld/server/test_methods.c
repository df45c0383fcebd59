/* For every method of every interface, by its own description: nobody need remember to add one. */
#include "tests/umld/server/fixture.h"

#define INVALID "org.varlink.service.InvalidParameter"

static json_t *call(const struct api_method *m, json_t *params)
{
    json_t *request = json_pack("{s:s, s:o}", "method", m->name, "parameters", params);
    char *text;
    json_t *reply;

    if (m->flags & API_UPGRADE)
        json_object_set_new(request, "upgrade", json_true());
    text = json_dumps(request, 0);
    reply = fixture_execute(text, strlen(text));
    free(text);
    json_decref(request);
    return reply;
}

static void expect_error(json_t *reply, const char *error, const char *field, const char *what)
{
    json_t *params = json_object_get(reply, "parameters");
    const char *got = json_string_value(json_object_get(reply, "error"));

    ck_assert_msg(got && strcmp(got, error) == 0, "%s: got %s, wanted %s", what, got, error);
    if (field)
        ck_assert_msg(strcmp(json_string_value(json_object_get(params, "field")), field) == 0,
                      "%s: field %s, wanted %s", what,
                      json_string_value(json_object_get(params, "field")), field);
    if (strcmp(error, INVALID) == 0)
        ck_assert(
            json_equal(json_object_get(params, "parameter"), json_object_get(params, "field")));
    json_decref(reply);
}

static bool answers_at_once(int i)
{
    return i != API_METHOD_GUEST_START && !(api_methods[i].flags & API_UPGRADE) &&
           i != API_METHOD_SERVICE_GET_INTERFACE_DESCRIPTION;
}

/* The roles matrix. Stub replies are also checked against the interfaces on their way. */
START_TEST(each_method_is_open_to_its_role_and_those_above)
{
    const struct api_method *m = &api_methods[_i];

    fixture_start(NULL);
    for (enum api_role role = API_ROLE_NONE; role <= API_ROLE_ADMIN; role++)
        for (int all = 0; all < 2; all++) {
            json_t *reply;

            fixture.role = role;
            reply = call(m, sample_params(m, all));
            if (role < m->role) {
                expect_error(reply, "io.umld.Server.Denied", NULL, m->name);
                continue;
            }
            if (answers_at_once(_i)) {
                const char *error = json_string_value(json_object_get(reply, "error"));

                ck_assert_msg(reply && !error, "%s: %s", m->name, error);
            }
            json_decref(reply);
        }
    fixture_stop();
}
END_TEST

START_TEST(each_missing_field_is_named)
{
    const struct api_method *m = &api_methods[_i];
    const struct api_type *type = m->input;

    fixture_start(NULL);
    for (size_t f = 0; f < type->field_count; f++) {
        json_t *params = sample_params(m, true);

        if (type->fields[f].type->nullable) {
            json_decref(params);
            continue;
        }
        json_object_del(params, type->fields[f].name);
        expect_error(call(m, params), INVALID, type->fields[f].name, m->name);
        params = sample_params(m, true);
        json_object_set_new(params, type->fields[f].name, json_null());
        expect_error(call(m, params), INVALID, type->fields[f].name, m->name);
    }
    fixture_stop();
}
END_TEST

static json_t *wrong_value(enum api_kind kind)
{
    if (kind == API_KIND_OBJECT || kind == API_KIND_STRUCT || kind == API_KIND_MAP)
        return json_array();
    return kind == API_KIND_INT ? json_real(1.0) : json_object();
}

START_TEST(each_field_of_a_wrong_type_is_named)
{
    const struct api_method *m = &api_methods[_i];
    const struct api_type *type = m->input;

    fixture_start(NULL);
    for (size_t f = 0; f < type->field_count; f++) {
        json_t *params = sample_params(m, true);

        json_object_set_new(params, type->fields[f].name, wrong_value(type->fields[f].type->kind));
        expect_error(call(m, params), INVALID, type->fields[f].name, m->name);
    }
    fixture_stop();
}
END_TEST

START_TEST(unknown_fields_are_refused)
{
    const struct api_method *m = &api_methods[_i];
    json_t *params = sample_params(m, true);

    fixture_start(NULL);
    json_object_set_new(params, "nonsense", json_true());
    expect_error(call(m, params), INVALID, "nonsense", m->name);
    fixture_stop();
}
END_TEST

START_TEST(all_faults_come_in_one_reply)
{
    const struct api_method *m = &api_methods[_i];
    const struct api_type *type = m->input;
    json_t *params = json_object(), *reply;

    fixture_start(NULL);
    for (size_t f = 0; f < type->field_count; f++)
        json_object_set_new(params, type->fields[f].name, wrong_value(type->fields[f].type->kind));
    json_object_set_new(params, "nonsense", json_true());
    reply = call(m, params);
    ck_assert_uint_eq(
        json_array_size(json_object_get(json_object_get(reply, "parameters"), "more")),
        type->field_count);
    json_decref(reply);
    fixture_stop();
}
END_TEST

/* Values just outside the rule; the sample is a maximum, so the inside is covered above. */
START_TEST(each_rule_is_enforced)
{
    const struct api_method *m = &api_methods[_i];
    const struct api_type *type = m->input;

    fixture_start(NULL);
    for (size_t f = 0; f < type->field_count; f++)
        for (size_t n = 0; n < type->fields[f].constraint_count; n++) {
            const struct api_constraint *c = &type->fields[f].constraints[n];
            json_t *params = sample_params(m, true), *bad;
            char *text = NULL;

            if (c->rule == API_RULE_RANGE)
                bad = json_integer(c->max + 1);
            else if (c->rule == API_RULE_LENGTH)
                bad =
                    json_stringn(text = memset(malloc((size_t)c->max + 1), 'x', (size_t)c->max + 1),
                                 (size_t)c->max + 1);
            else
                bad = json_string("no such/thing");
            free(text);
            json_object_set_new(params, type->fields[f].name, bad);
            expect_error(call(m, params), INVALID, type->fields[f].name, m->name);
        }
    fixture_stop();
}
END_TEST

START_TEST(wire_names_of_errors_are_in_the_interface)
{
    const char *wire = um_code_info((enum um_code)_i)->wire, *text = NULL;
    char line[64];

    if (_i == UM_OK || _i == UM_E_USAGE || _i == UM_E_UNREACHABLE || _i == UM_E_PARTLY)
        return; /* never sent */
    for (size_t i = 0; i < api_interface_count; i++)
        if (strcmp(api_interfaces[i].name, "io.umld.Server") == 0)
            text = api_interfaces[i].text;
    snprintf(line, sizeof(line), "error %s (", wire);
    ck_assert_ptr_nonnull(text);
    ck_assert_msg(strstr(text, line) != NULL, "no error %s", wire);
}
END_TEST

static const struct suite_test tests[] = {
    {&each_method_is_open_to_its_role_and_those_above, API_METHOD_COUNT},
    {&each_missing_field_is_named, API_METHOD_COUNT},
    {&each_field_of_a_wrong_type_is_named, API_METHOD_COUNT},
    {&unknown_fields_are_refused, API_METHOD_COUNT},
    {&all_faults_come_in_one_reply, API_METHOD_COUNT},
    {&each_rule_is_enforced, API_METHOD_COUNT},
    {&wire_names_of_errors_are_in_the_interface, UM_CODE_COUNT},
};
SUITE_MAIN("methods", tests)
