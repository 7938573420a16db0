#include "intern.h"

#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "format/hash.h"

static int grow_slots(uint32_t **slots, uint32_t *slot_count)
{
    uint32_t count = *slot_count ? *slot_count * 2 : 256;
    uint32_t *bigger = malloc(count * sizeof *bigger);
    if (!bigger)
        return -1;
    memset(bigger, 0xff, count * sizeof *bigger);
    free(*slots);
    *slots = bigger;
    *slot_count = count;
    return 0;
}

static void insert_slot(uint32_t *slots, uint32_t slot_count, uint64_t hash, uint32_t id)
{
    uint32_t at = (uint32_t)hash & (slot_count - 1);
    while (slots[at] != F4P_NONE)
        at = (at + 1) & (slot_count - 1);
    slots[at] = id;
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
    if (strings->count * 2 >= strings->slot_count) {
        if (grow_slots(&strings->slots, &strings->slot_count))
            return F4P_NONE;
        for (uint32_t id = 0; id < strings->count; id++)
            insert_slot(strings->slots, strings->slot_count, f4p_hash(strings->text[id], strlen(strings->text[id]), 0),
                        id);
    }
    for (uint32_t at = (uint32_t)hash & (strings->slot_count - 1); strings->slots[at] != F4P_NONE;
         at = (at + 1) & (strings->slot_count - 1))
        if (!strcmp(strings->text[strings->slots[at]], text))
            return strings->slots[at];
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
    for (uint32_t at = (uint32_t)hash & (keys->slot_count - 1); keys->slots[at] != F4P_NONE;
         at = (at + 1) & (keys->slot_count - 1))
        if (!memcmp(keys->data + keys->slots[at] * keys->bytes, key, keys->bytes))
            return keys->slots[at];
    return F4P_NONE;
}

uint32_t f4p_keys_find(const struct f4p_keys *keys, const void *key)
{
    return keys->slot_count ? find_key(keys, key, f4p_hash(key, keys->bytes, 0)) : F4P_NONE;
}

uint32_t f4p_keys_put(struct f4p_keys *keys, const void *key)
{
    uint64_t hash = f4p_hash(key, keys->bytes, 0);
    if (keys->count * 2 >= keys->slot_count) {
        if (grow_slots(&keys->slots, &keys->slot_count))
            return F4P_NONE;
        for (uint32_t id = 0; id < keys->count; id++)
            insert_slot(keys->slots, keys->slot_count, f4p_hash(keys->data + id * keys->bytes, keys->bytes, 0), id);
    }
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
