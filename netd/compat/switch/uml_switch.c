#include "netd/compat/switch/program.h"

int main(int argc, char **argv)
{
    return switch_program(argc, argv);
}
