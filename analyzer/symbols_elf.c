/* Names from ELF symbol tables alone, where elfutils was not there at build time. */
#include "symbols_private.h"

#ifndef HAVE_LIBDW

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file in memory; nothing in it is trusted. */
struct image {
    const uint8_t *data;
    uint64_t bytes;
    Elf64_Ehdr header;
};

static bool copy(const struct image *image, uint64_t at, void *to, size_t bytes)
{
    if (at > image->bytes || image->bytes - at < bytes)
        return false;
    memcpy(to, image->data + at, bytes);
    return true;
}

static bool section(const struct image *image, unsigned index, Elf64_Shdr *to)
{
    uint64_t at;
    return index < image->header.e_shnum &&
           !__builtin_add_overflow(image->header.e_shoff, (uint64_t)index * sizeof *to, &at) &&
           copy(image, at, to, sizeof *to) && to->sh_offset <= image->bytes &&
           to->sh_size <= image->bytes - to->sh_offset;
}

static bool notes_match(const struct image *image, const Elf64_Shdr *notes, const struct f4p_module_view *module)
{
    for (uint64_t at = notes->sh_offset, end = at + notes->sh_size; end - at >= sizeof(Elf64_Nhdr);) {
        Elf64_Nhdr note;
        if (!copy(image, at, &note, sizeof note))
            return false;
        at += sizeof note;
        uint64_t name = (note.n_namesz + 3ull) & ~3ull, value = (note.n_descsz + 3ull) & ~3ull;
        if (name + value > end - at)
            return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(image->data + at, "GNU", 4) == 0)
            return note.n_descsz == module->build_id_bytes &&
                   memcmp(image->data + at + name, module->build_id, note.n_descsz) == 0;
        at += name + value;
    }
    return false;
}

static bool same_build(const struct image *image, const struct f4p_module_view *module)
{
    Elf64_Shdr s;
    if (!module->build_id_bytes)
        return true;
    for (unsigned i = 0; i < image->header.e_shnum; i++)
        if (section(image, i, &s) && s.sh_type == SHT_NOTE && notes_match(image, &s, module))
            return true;
    return false;
}

/* The best symbol of each address so far: the nearest one that begins at or before it and covers it. */
struct best {
    uint64_t start;
    const char *name;
};

static void take_symbol(struct best *best, const uint64_t *offsets, size_t count, const Elf64_Sym *symbol,
                        const char *name)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (offsets[middle] < symbol->st_value)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count && offsets[low] - symbol->st_value < symbol->st_size; low++)
        if (!best[low].name || best[low].start < symbol->st_value)
            best[low] = (struct best){symbol->st_value, name};
}

static void take_table(const struct image *image, const Elf64_Shdr *table, const uint64_t *offsets, size_t count,
                       struct best *best)
{
    Elf64_Shdr strings;
    if (!section(image, table->sh_link, &strings) || !strings.sh_size ||
        image->data[strings.sh_offset + strings.sh_size - 1])
        return;
    for (uint64_t i = 0; i < table->sh_size / sizeof(Elf64_Sym); i++) {
        Elf64_Sym symbol;
        memcpy(&symbol, image->data + table->sh_offset + i * sizeof symbol, sizeof symbol);
        unsigned type = ELF64_ST_TYPE(symbol.st_info);
        if ((type == STT_FUNC || type == STT_GNU_IFUNC) && symbol.st_shndx != SHN_UNDEF &&
            symbol.st_name < strings.sh_size)
            take_symbol(best, offsets, count, &symbol, (const char *)image->data + strings.sh_offset + symbol.st_name);
    }
}

static enum f4p_symbol_status read_image(struct image *image, const struct f4p_module_view *module,
                                         const uint64_t *offsets, size_t count, f4p_symbol_sink *sink, void *context)
{
    Elf64_Shdr s;
    if (!copy(image, 0, &image->header, sizeof image->header) || memcmp(image->header.e_ident, ELFMAG, SELFMAG) != 0 ||
        image->header.e_ident[EI_CLASS] != ELFCLASS64)
        return F4P_SYMBOL_NO_FILE;
    if (!same_build(image, module))
        return F4P_SYMBOL_OTHER_BUILD;
    struct best *best = calloc(count, sizeof *best);
    if (!best)
        return F4P_SYMBOL_NO_FILE;
    for (unsigned i = 0; i < image->header.e_shnum; i++)
        if (section(image, i, &s) && (s.sh_type == SHT_SYMTAB || s.sh_type == SHT_DYNSYM))
            take_table(image, &s, offsets, count, best);
    for (size_t i = 0; i < count; i++)
        if (best[i].name)
            sink(context, &(struct f4p_symbol_found){.offset = offsets[i], .function = best[i].name, .file = ""});
    free(best);
    return F4P_SYMBOL_READ;
}

enum f4p_symbol_status f4p_symbols_read_file(const char *path, const char *debug, const struct f4p_module_view *module,
                                             const uint64_t *offsets, size_t count, f4p_symbol_sink *sink,
                                             void *context)
{
    enum f4p_symbol_status status = F4P_SYMBOL_NO_FILE;
    struct stat st;
    (void)debug;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return status;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data != MAP_FAILED) {
            struct image image = {.data = data, .bytes = (uint64_t)st.st_size};
            status = read_image(&image, module, offsets, count, sink, context);
            munmap(data, (size_t)st.st_size);
        }
    }
    close(fd);
    return status;
}

#endif
