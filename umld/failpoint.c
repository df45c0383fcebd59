#include "umld/failpoint.h"

#include "vmcore/base/macros.h"

__attribute__((weak)) void failpoint(um_unused const char *name)
{
}

__attribute__((weak)) void failpoint_guest(um_unused const char *point,
                                           um_unused const struct guest *g)
{
}
