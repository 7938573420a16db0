#include "intern.h"

#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "format/hash.h"

/* A slot is the low half of the hash above the id: a key is looked at only if that is equal, and growing asks no key.
 */
static uint32_t id_of(uint64_t slot)
{
    return (uint32_t)slot;
}

static void insert_slot(uint64_t *slots, uint32_t slot_count, uint64_t hash, uint32_t id)
{
    uint32_t at = (uint32_t)hash & (slot_count - 1);
    while (id_of(slots[at]) != F4P_NONE)
        at = (at + 1) & (slot_count - 1);
    slots[at] = hash << 32 | id;
}

static int grow_slots(uint64_t **slots, uint32_t *slot_count)
{
    uint32_t count = *slot_count ? *slot_count * 2 : 256;
    uint64_t *bigger = malloc(count * sizeof *bigger);
    if (!bigger)
        return -1;
    memset(bigger, 0xff, count * sizeof *bigger);
    for (uint32_t i = 0; i < *slot_count; i++)
        if (id_of((*slots)[i]) != F4P_NONE)
            insert_slot(bigger, count, (*slots)[i] >> 32, id_of((*slots)[i]));
    free(*slots);
    *slots = bigger;
    *slot_count = count;
    return 0;
}

static int make_room(void **array, uint32_t count, uint32_t *room, size_t bytes)
{
    if (count < *room)
        return 0;
    uint32_t more = *room ? *room * 2 : 64;
    void *bigger = realloc(*array, more * bytes);
    if (!bigger)
        return -1;
    *array = bigger;
    *room = more;
    return 0;
}

uint32_t f4p_strings_put(struct f4p_strings *strings, const char *text)
{
    uint64_t hash = f4p_hash(text, strlen(text), 0);
    if (strings->count * 2 >= strings->slot_count && grow_slots(&strings->slots, &strings->slot_count))
        return F4P_NONE;
    for (uint32_t at = (uint32_t)hash & (strings->slot_count - 1); id_of(strings->slots[at]) != F4P_NONE;
         at = (at + 1) & (strings->slot_count - 1))
        if (strings->slots[at] >> 32 == (uint32_t)hash && !strcmp(strings->text[id_of(strings->slots[at])], text))
            return id_of(strings->slots[at]);
    if (make_room((void **)&strings->text, strings->count, &strings->room, sizeof *strings->text))
        return F4P_NONE;
    char *copy = strdup(text);
    if (!copy)
        return F4P_NONE;
    insert_slot(strings->slots, strings->slot_count, hash, strings->count);
    strings->text[strings->count] = copy;
    return strings->count++;
}

void f4p_strings_free(struct f4p_strings *strings)
{
    for (uint32_t id = 0; id < strings->count; id++)
        free((char *)strings->text[id]);
    free(strings->text);
    free(strings->slots);
    *strings = (struct f4p_strings){0};
}

static uint32_t find_key(const struct f4p_keys *keys, const void *key, uint64_t hash)
{
    for (uint32_t at = (uint32_t)hash & (keys->slot_count - 1); id_of(keys->slots[at]) != F4P_NONE;
         at = (at + 1) & (keys->slot_count - 1))
        if (keys->slots[at] >> 32 == (uint32_t)hash &&
            !memcmp(keys->data + id_of(keys->slots[at]) * keys->bytes, key, keys->bytes))
            return id_of(keys->slots[at]);
    return F4P_NONE;
}

uint32_t f4p_keys_find(const struct f4p_keys *keys, const void *key)
{
    return keys->slot_count ? find_key(keys, key, f4p_hash(key, keys->bytes, 0)) : F4P_NONE;
}

uint32_t f4p_keys_put(struct f4p_keys *keys, const void *key)
{
    uint64_t hash = f4p_hash(key, keys->bytes, 0);
    if (keys->count * 2 >= keys->slot_count && grow_slots(&keys->slots, &keys->slot_count))
        return F4P_NONE;
    uint32_t known = find_key(keys, key, hash);
    if (known != F4P_NONE)
        return known;
    if (make_room((void **)&keys->data, keys->count, &keys->room, keys->bytes))
        return F4P_NONE;
    insert_slot(keys->slots, keys->slot_count, hash, keys->count);
    memcpy(keys->data + keys->count * keys->bytes, key, keys->bytes);
    return keys->count++;
}

void f4p_keys_free(struct f4p_keys *keys)
{
    free(keys->data);
    free(keys->slots);
    keys->data = NULL;
    keys->slots = NULL;
    keys->count = keys->room = keys->slot_count = 0;
}
