#include "python_late.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

#define CHUNK 8 /* entries read at once: the job's stack may be small */
#define MAX_PHDRS 64
#define MAX_DYNAMIC 128
#define MAX_CHAIN 4096
#define MAX_NAME 64
#define WORD_BITS (8 * sizeof(ElfW(Addr)))

static bool expected;

void f4p_python_late_start(void)
{
    expected = true;
}

struct exports {
    uintptr_t symbols, strings;
    uintptr_t hash; /* DT_GNU_HASH: {buckets, first symbol, bloom words, shift}, bloom filter, buckets, chains */
};

/* The loader relocates these pointers in place. */
static void take_entry(struct exports *exports, const struct f4p_code_module *m, const ElfW(Dyn) * entry)
{
    uintptr_t at = entry->d_un.d_ptr < m->bias ? m->bias + entry->d_un.d_ptr : entry->d_un.d_ptr;
    if (entry->d_tag == DT_SYMTAB)
        exports->symbols = at;
    else if (entry->d_tag == DT_STRTAB)
        exports->strings = at;
    else if (entry->d_tag == DT_GNU_HASH)
        exports->hash = at;
}

static bool read_dynamic(struct exports *exports, const struct f4p_code_module *m, uintptr_t at)
{
    ElfW(Dyn) entries[CHUNK];
    for (unsigned i = 0; i < MAX_DYNAMIC; i++) {
        if (i % CHUNK == 0 && !f4p_memory_read(entries, at + i * sizeof(*entries), sizeof(entries)))
            return false;
        if (entries[i % CHUNK].d_tag == DT_NULL)
            break;
        take_entry(exports, m, &entries[i % CHUNK]);
    }
    return exports->symbols && exports->strings && exports->hash;
}

static bool find_exports(struct exports *exports, const struct f4p_code_module *m)
{
    ElfW(Ehdr) header;
    ElfW(Phdr) p;
    if (!m->inode || !f4p_memory_read(&header, m->start, sizeof(header)) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(p))
        return false;
    *exports = (struct exports){0};
    for (unsigned i = 0; i < header.e_phnum && i < MAX_PHDRS; i++) {
        if (!f4p_memory_read(&p, m->start + header.e_phoff + i * sizeof(p), sizeof(p)))
            return false;
        if (p.p_type == PT_DYNAMIC)
            return read_dynamic(exports, m, m->bias + p.p_vaddr);
    }
    return false;
}

static bool is_symbol(const struct exports *exports, uint32_t index, const char *name, ElfW(Sym) * symbol)
{
    char found[MAX_NAME];
    size_t bytes = strlen(name) + 1;
    return bytes <= sizeof(found) &&
           f4p_memory_read(symbol, exports->symbols + index * sizeof(*symbol), sizeof(*symbol)) &&
           symbol->st_shndx != SHN_UNDEF && f4p_memory_read(found, exports->strings + symbol->st_name, bytes) &&
           memcmp(found, name, bytes) == 0;
}

static bool find_symbol(const struct exports *exports, const char *name, ElfW(Sym) * symbol)
{
    uint32_t hash = 5381, head[4], index, entry;
    ElfW(Addr) bloom;

    for (const char *c = name; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    if (!f4p_memory_read(head, exports->hash, sizeof(head)) || !head[0] || !head[2])
        return false;
    uintptr_t filter = exports->hash + sizeof(head), buckets = filter + (uintptr_t)head[2] * sizeof(bloom);
    uintptr_t chains = buckets + 4 * (uintptr_t)head[0];
    if (!f4p_memory_read(&bloom, filter + hash / WORD_BITS % head[2] * sizeof(bloom), sizeof(bloom)) ||
        !(bloom >> hash % WORD_BITS & bloom >> (hash >> (head[3] & 31)) % WORD_BITS & 1))
        return false;
    if (!f4p_memory_read(&index, buckets + 4 * (uintptr_t)(hash % head[0]), sizeof(index)) || index < head[1])
        return false;
    for (unsigned i = 0; i < MAX_CHAIN; i++, index++) {
        if (!f4p_memory_read(&entry, chains + 4 * (uintptr_t)(index - head[1]), sizeof(entry)))
            return false;
        if ((entry | 1) == (hash | 1) && is_symbol(exports, index, name, symbol))
            return true;
        if (entry & 1)
            return false;
    }
    return false;
}

void *f4p_python_late_symbol(const struct f4p_code_module *module, const char *name, size_t *bytes)
{
    struct exports exports;
    ElfW(Sym) symbol;
    if (!find_exports(&exports, module) || !find_symbol(&exports, name, &symbol))
        return NULL;
    *bytes = symbol.st_size;
    return (void *)(module->bias + symbol.st_value);
}

bool f4p_python_late_is(const struct f4p_code_module *module)
{
    size_t bytes;
    return expected && f4p_python_late_symbol(module, "Py_GetVersion", &bytes);
}
