#include "mconsole/compat.h"

int main(int argc, char **argv)
{
    return uml_mconsole_main(argc, argv);
}
