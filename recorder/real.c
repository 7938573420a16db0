#include "real.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "attributes.h"

/* ---- ELF symbol look-up ---- */

struct object {
    ElfW(Addr) bias;
    const ElfW(Sym) * symbols;
    const char *strings;
    const uint32_t *gnu_hash;
    const uint32_t *sysv_hash;
    const ElfW(Half) * versions;
};

/* glibc relocates d_ptr of most objects in place, but not the vdso's. */
static const void *pointer(ElfW(Addr) bias, ElfW(Addr) value)
{
    return (const void *)(value < bias ? bias + value : value);
}

static bool object_open(struct object *object, const struct dl_phdr_info *info)
{
    const ElfW(Dyn) *dynamic = NULL;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            dynamic = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    if (!dynamic)
        return false;

    *object = (struct object){.bias = info->dlpi_addr};
    for (const ElfW(Dyn) *d = dynamic; d->d_tag != DT_NULL; d++) {
        const void *p = pointer(info->dlpi_addr, d->d_un.d_ptr);
        switch (d->d_tag) {
        case DT_SYMTAB:
            object->symbols = p;
            break;
        case DT_STRTAB:
            object->strings = p;
            break;
        case DT_GNU_HASH:
            object->gnu_hash = p;
            break;
        case DT_HASH:
            object->sysv_hash = p;
            break;
        case DT_VERSYM:
            object->versions = p;
            break;
        }
    }
    return object->symbols && object->strings && (object->gnu_hash || object->sysv_hash);
}

static bool symbol_matches(const struct object *object, uint32_t index, const char *name)
{
    const ElfW(Sym) *symbol = &object->symbols[index];
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    if (symbol->st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_OBJECT && type != STT_GNU_IFUNC))
        return false;
    if (object->versions && object->versions[index] & 0x8000) /* not the default version */
        return false;
    return strcmp(object->strings + symbol->st_name, name) == 0;
}

/* GNU hash section: header {buckets, first symbol, bloom words, shift}, bloom filter, buckets, chains. */
static uint32_t find_gnu(const struct object *object, const char *name)
{
    uint32_t hash = 5381;
    for (const char *c = name; *c; c++)
        hash = hash * 33 + (unsigned char)*c;

    const uint32_t *h = object->gnu_hash;
    uint32_t count = h[0], first = h[1];
    const uint32_t *buckets = (const uint32_t *)((const ElfW(Addr) *)(h + 4) + h[2]);
    const uint32_t *chain = buckets + count;
    uint32_t index = count ? buckets[hash % count] : 0;
    if (index < first)
        return 0;
    for (;; index++) {
        uint32_t entry = chain[index - first];
        if ((entry | 1) == (hash | 1) && symbol_matches(object, index, name))
            return index;
        if (entry & 1)
            return 0;
    }
}

static uint32_t find_sysv(const struct object *object, const char *name)
{
    uint32_t count = object->sysv_hash[1];
    for (uint32_t i = 1; i < count; i++)
        if (symbol_matches(object, i, name))
            return i;
    return 0;
}

struct search {
    const char *name;
    void *found;
    size_t bytes;
    bool behind; /* we come before what was found */
};

static int search_object(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    struct search *search = data;
    struct object object;
    static const char self;

    if (!object_open(&object, info))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        ElfW(Addr) start = info->dlpi_addr + p->p_vaddr, at = (ElfW(Addr)) & self;
        if (p->p_type == PT_LOAD && at >= start && at < start + p->p_memsz) {
            search->behind = true; /* that was us */
            return 0;
        }
    }
    uint32_t index = object.gnu_hash ? find_gnu(&object, search->name) : find_sysv(&object, search->name);
    if (!index)
        return 0;
    const ElfW(Sym) *symbol = &object.symbols[index];
    void *address = (void *)(object.bias + symbol->st_value);
    if (ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC)
        address = ((void *(*)(void))address)();
    search->found = address;
    search->bytes = symbol->st_size;
    return 1;
}

void *f4p_symbol_sized(const char *name, size_t *bytes)
{
    struct search search = {name, NULL, 0, false};
    dl_iterate_phdr(search_object, &search);
    *bytes = search.bytes;
    return search.found;
}

void *f4p_symbol(const char *name)
{
    size_t bytes;
    return f4p_symbol_sized(name, &bytes);
}

void f4p_symbol_function(void *to, const char *name)
{
    void *found = f4p_symbol(name);
    memcpy(to, &found, sizeof(found));
}

/* ---- the allocator ---- */

static bool complete = true;

static void *missing(void)
{
    errno = ENOSYS;
    return NULL;
}

static void resolve_one(void *to, const char *name)
{
    void *found = f4p_symbol(name);
    if (!found) {
        void *(*none)(void) = missing;
        memcpy(to, &none, sizeof(none));
        complete = false;
        return;
    }
    memcpy(to, &found, sizeof(found));
}

static struct {
    ElfW(Addr) start, end;
} allocator;

static int find_allocator(struct dl_phdr_info *info, size_t size, void *data)
{
    ElfW(Addr) low = UINTPTR_MAX, high = 0, at = *(ElfW(Addr) *)data;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        ElfW(Addr) start = info->dlpi_addr + p->p_vaddr;
        if (p->p_type != PT_LOAD)
            continue;
        low = start < low ? start : low;
        high = start + p->p_memsz > high ? start + p->p_memsz : high;
    }
    if (at < low || at >= high)
        return 0;
    allocator.start = low;
    allocator.end = high;
    return 1;
}

bool f4p_real_allocator_has(const void *address)
{
    return (ElfW(Addr))address >= allocator.start && (ElfW(Addr))address < allocator.end;
}

static COLD void resolve(void)
{
#define X(type, name, parameters, arguments) resolve_one(&f4p_real.name, #name);
    F4P_REAL(X)
    X(void, free, , )
#undef X
    struct search search = {"malloc", NULL, 0, false};
    dl_iterate_phdr(search_object, &search);
    ElfW(Addr) at = (ElfW(Addr))f4p_real.malloc;
    if (search.behind)
        dl_iterate_phdr(find_allocator, &at);
    else /* the program's own, or one preloaded before us: nobody asks us for blocks, so what it maps is all there is */
        allocator.start = allocator.end = at;
}

bool f4p_real_complete(void)
{
    if (!allocator.end)
        resolve();
    return complete;
}

#define X(type, name, parameters, arguments) \
    static COLD type first_##name parameters \
    {                                        \
        resolve();                           \
        return f4p_real.name arguments;      \
    }
F4P_REAL(X)
#undef X

static COLD void first_free(void *block)
{
    resolve();
    f4p_real.free(block);
}

struct f4p_real f4p_real = {
#define X(type, name, parameters, arguments) .name = first_##name,
    F4P_REAL(X)
#undef X
        .free = first_free,
};
