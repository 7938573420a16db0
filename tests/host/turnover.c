/* usage: turnover MIB SECONDS: a heap of MIB whose small blocks are replaced all the time. */
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define BLOCK 200

int main(int argc, char **argv)
{
    size_t count = (size_t)(argc > 1 ? atol(argv[1]) : 1) * ((1 << 20) / BLOCK);
    time_t end = time(NULL) + (argc > 2 ? atol(argv[2]) : 1);
    void **kept = calloc(count, sizeof(*kept));
    uint64_t random = 88172645463325252u;
    while (time(NULL) < end)
        for (int i = 0; i < 10000; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            size_t which = (random >> 33) % count;
            free(kept[which]);
            kept[which] = malloc(BLOCK);
        }
    return 0;
}
