#include "format/hash.h"
#include "tests/support_run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Vectors of the reference implementation's own sanity check: a buffer made by a 64-bit generator, seeds 0 and PRIME32.
 */
#define PRIME32 2654435761u
#define PRIME64 11400714785074694797ull

static void fill(uint8_t *buffer, size_t bytes)
{
    uint64_t generator = PRIME32;
    for (size_t i = 0; i < bytes; i++) {
        buffer[i] = (uint8_t)(generator >> 56);
        generator *= PRIME64;
    }
}

START_TEST(test_hash_vectors)
{
    static const struct {
        size_t bytes;
        uint64_t seed, hash;
    } vectors[] = {
        {0, 0, 0xef46db3751d8e999},        {0, PRIME32, 0xac75fda2929b17ef}, {1, 0, 0xe934a84adb052768},
        {1, PRIME32, 0x5014607643a9b4c3},  {4, 0, 0x9136a0dca57457ee},       {14, 0, 0x8282dcc4994e35c8},
        {14, PRIME32, 0xc3bd6bf63deb6df0}, {222, 0, 0xb641ae8cb691c174},     {222, PRIME32, 0x20cb8ab7ae10c14a},
    };
    uint8_t buffer[222];
    fill(buffer, sizeof buffer);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        ck_assert_uint_eq(f4p_hash(buffer, vectors[i].bytes, vectors[i].seed), vectors[i].hash);
}
END_TEST

START_TEST(test_hash_text)
{
    ck_assert_uint_eq(f4p_hash("a", 1, 0), 0xd24ec4f1a98c6e5b);
    ck_assert_uint_eq(f4p_hash("abc", 3, 0), 0x44bc2cf5ad770999);
    ck_assert_uint_eq(f4p_hash(NULL, 0, 0), 0xef46db3751d8e999);
}
END_TEST

/* Every length, every alignment: equal bytes hash equal, and one changed bit never goes unseen. */
START_TEST(test_hash_alignment)
{
    uint8_t plain[100], moved[108];
    fill(plain, sizeof plain);
    for (size_t bytes = 0; bytes <= sizeof plain; bytes++) {
        uint64_t hash = f4p_hash(plain, bytes, 7);
        for (size_t shift = 0; shift < 8; shift++) {
            memcpy(moved + shift, plain, bytes);
            ck_assert_uint_eq(f4p_hash(moved + shift, bytes, 7), hash);
        }
        for (size_t bit = 0; bit < 8 * bytes; bit++) {
            plain[bit / 8] ^= (uint8_t)(1 << bit % 8);
            ck_assert_uint_ne(f4p_hash(plain, bytes, 7), hash);
            plain[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hash");
    TCase *tests = tcase_create("hash");
    tcase_add_test(tests, test_hash_vectors);
    tcase_add_test(tests, test_hash_text);
    tcase_add_test(tests, test_hash_alignment);
    suite_add_tcase(suite, tests);
    return support_run(suite);
}
