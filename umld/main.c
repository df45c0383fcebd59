#include "umld/umld.h"

int main(int argc, char **argv)
{
    return umld_main(argc, argv);
}
