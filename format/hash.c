#include "hash.h"

#include <string.h>

#define P1 0x9e3779b185ebca87ull
#define P2 0xc2b2ae3d27d4eb4full
#define P3 0x165667b19e3779f9ull
#define P4 0x85ebca77c2b2ae63ull
#define P5 0x27d4eb2f165667c5ull

static inline uint64_t rotl(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static inline uint64_t get64(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline uint32_t get32(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static inline uint64_t mix(uint64_t lane, uint64_t word)
{
    return rotl(lane + word * P2, 31) * P1;
}

static inline uint64_t merge(uint64_t h, uint64_t lane)
{
    return (h ^ mix(0, lane)) * P1 + P4;
}

uint64_t f4p_hash(const void *data, size_t bytes, uint64_t seed)
{
    const unsigned char *p = data;
    size_t left = bytes;
    uint64_t h = seed + P5;

    if (left >= 32) {
        uint64_t a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1;
        for (; left >= 32; left -= 32, p += 32) {
            a = mix(a, get64(p));
            b = mix(b, get64(p + 8));
            c = mix(c, get64(p + 16));
            d = mix(d, get64(p + 24));
        }
        h = rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18);
        h = merge(merge(merge(merge(h, a), b), c), d);
    }
    h += bytes;
    for (; left >= 8; left -= 8, p += 8)
        h = rotl(h ^ mix(0, get64(p)), 27) * P1 + P4;
    if (left >= 4) {
        h = rotl(h ^ get32(p) * P1, 23) * P2 + P3;
        left -= 4;
        p += 4;
    }
    for (; left; left--, p++)
        h = rotl(h ^ *p * P5, 11) * P1;
    h = (h ^ h >> 33) * P2;
    h = (h ^ h >> 29) * P3;
    return h ^ h >> 32;
}
