/* Hash tables that number what they see: strings, and fixed-size keys, each from 0 in order of appearance. */
#ifndef FIL4PROD_INTERN_H
#define FIL4PROD_INTERN_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is empty. */
struct f4p_strings {
    const char **text; /* by id; owned copies */
    uint32_t count, room;
    uint64_t *slots;
    uint32_t slot_count;
};

/** Id of `text`, which is copied when new; F4P_NONE when memory runs out. */
uint32_t f4p_strings_put(struct f4p_strings *strings, const char *text);
void f4p_strings_free(struct f4p_strings *strings);

/* Keys of `bytes` bytes, kept in the order of their ids. Zero-initialised but for `bytes` is empty. */
struct f4p_keys {
    uint8_t *data; /* id i stands at data + i * bytes */
    size_t bytes;  /* of a key, padding zeroed by the caller */
    uint32_t count, room;
    uint64_t *slots;
    uint32_t slot_count;
};

/** Id of `key`, new ones appended; F4P_NONE when memory runs out. */
uint32_t f4p_keys_put(struct f4p_keys *keys, const void *key);
/** Id of `key`, or F4P_NONE if it was never put. */
uint32_t f4p_keys_find(const struct f4p_keys *keys, const void *key);
void f4p_keys_free(struct f4p_keys *keys);

#endif
