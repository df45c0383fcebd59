/*
 * Replays files (or every file of the directories) named on the command line through a fuzz target,
 * for compilers without libFuzzer. Each is also tried cut off at every length, which is what most
 * crashes of decoders need.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20, CUT_MAX = 4096 };

static unsigned inputs;

/* A copy of exactly that size, so that a sanitizer sees the first byte too many. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    inputs++;
}

static void replay_file(const char *path)
{
    static uint8_t data[INPUT_MAX];
    FILE *f = fopen(path, "rb");
    size_t size;

    if (!f) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    size = fread(data, 1, sizeof(data), f);
    fclose(f);
    run(data, size);
    for (size_t cut = 0; cut < size && cut < CUT_MAX; cut++)
        run(data, cut);
}

static void replay(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;

    if (!d) {
        replay_file(path);
        return;
    }
    while ((e = readdir(d))) {
        char file[4096];

        if (e->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
        replay_file(file);
    }
    closedir(d);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%u inputs\n", inputs);
    return inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
