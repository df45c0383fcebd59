#include "netd/program.h"

int main(int argc, char **argv)
{
    return netd_program(argc, argv);
}
