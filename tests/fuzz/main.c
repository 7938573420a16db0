/* usage: fuzz_corpus FILE...: feeds each to the fuzz target, without libFuzzer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define MOST (64u << 20)

int main(int argc, char **argv)
{
    static uint8_t data[MOST];
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file)
            return perror(argv[i]), 1;
        size_t bytes = fread(data, 1, MOST, file);
        fclose(file);
        /* of its own size, so that a sanitizer sees a read behind it */
        uint8_t *exact = malloc(bytes + !bytes);
        if (!exact)
            return 1;
        memcpy(exact, data, bytes);
        LLVMFuzzerTestOneInput(exact, bytes);
        free(exact);
        printf("%s\n", argv[i]);
        fflush(stdout);
    }
    printf("inputs %d\n", argc - 1);
    return argc < 2;
}
