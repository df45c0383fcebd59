/* org.varlink.service: what every Varlink service answers about itself. */
#include "schemas/api_rows.h"
#include "umld/server_private.h"

#include <string.h>

void api_service_get_info(um_unused struct umld *umld, struct api_call *call,
                          um_unused const json_t *params)
{
    json_t *names = json_array();

    for (size_t i = 0; i < api_interface_count; i++)
        json_array_append_new(names, json_string(api_interfaces[i].name));
    api_reply(call, json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor", "umld", "product",
                              "umld, a manager for user-mode Linux", "version", UMLD_VERSION, "url",
                              "", "interfaces", names));
}

void api_service_get_interface_description(um_unused struct umld *umld, struct api_call *call,
                                           const json_t *params)
{
    const char *name = json_string_value(json_object_get(params, "interface"));
    struct um_error err;

    for (size_t i = 0; i < api_interface_count; i++)
        if (strcmp(api_interfaces[i].name, name) == 0) {
            api_reply(call, json_pack("{s:s}", "description", api_interfaces[i].text));
            return;
        }
    um_fail(&err, UM_E_NOT_FOUND, name, "interface", "there is no such interface");
    server_fail_call(call, "org.varlink.service.InterfaceNotFound",
                     json_pack("{s:s}", "interface", name), &err, 1, 1);
}
