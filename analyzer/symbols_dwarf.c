/* Names, lines and inlined functions with elfutils. Runs in a child process: what is read is not trusted. */
#include "symbols_private.h"

#ifdef HAVE_LIBDW

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_CHAIN 64u
#define MAX_NESTING 200u
#define MAX_LINKS (1u << 26)

/* One address, and the functions it is in. */
struct point {
    uint64_t offset;
    Dwarf_Off unit; /* DIE of its compilation unit; 0: none */
    uint32_t depth;
    uint32_t inner; /* index of the innermost function's link + 1; 0: none */
};

/* A function, and the one that it is inlined into. */
struct link {
    Dwarf_Off die;
    uint32_t outer; /* index + 1; 0: none */
};

struct span {
    uint64_t low, high;
    Dwarf_Off unit;
};

struct name;

struct reading {
    Dwfl_Module *module;
    Dwarf *dwarf;
    Dwarf_Addr bias;
    struct point *points; /* ascending by offset */
    struct link *links;
    uint32_t link_count, link_room;
    struct name *names; /* of the symbol table, ascending */
    size_t name_count;
    size_t count;
    f4p_symbol_sink *sink;
    void *context;
};

/* ---- which unit an address belongs to ---- */

struct spans {
    struct span *list;
    size_t count, room;
};

static bool add_span(struct spans *spans, uint64_t low, uint64_t high, Dwarf_Off unit)
{
    if (spans->count == spans->room) {
        size_t room = spans->room ? spans->room * 2 : 256;
        struct span *list = realloc(spans->list, room * sizeof *list);
        if (!list)
            return false;
        spans->list = list;
        spans->room = room;
    }
    spans->list[spans->count++] = (struct span){low, high, unit};
    return true;
}

static int by_low(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return x->low < y->low ? -1 : x->low > y->low;
}

/* From the units' own ranges: not every compiler writes .debug_aranges. */
static void find_units(struct reading *r)
{
    struct spans spans = {0};
    Dwarf_CU *cu = NULL;
    Dwarf_Half version;
    uint8_t type;
    Dwarf_Die die;
    while (dwarf_get_units(r->dwarf, cu, &cu, &version, &type, &die, NULL) == 0) {
        Dwarf_Addr base, low, high;
        ptrdiff_t at = 0;
        if (type != DW_UT_compile)
            continue;
        while ((at = dwarf_ranges(&die, at, &base, &low, &high)) > 0)
            if (low < high && !add_span(&spans, low, high, dwarf_dieoffset(&die)))
                goto out;
    }
    if (spans.count)
        qsort(spans.list, spans.count, sizeof *spans.list, by_low);
    for (size_t i = 0, span = 0; i < r->count && spans.count; i++) {
        uint64_t address = r->points[i].offset - r->bias;
        while (span + 1 < spans.count && spans.list[span + 1].low <= address)
            span++;
        if (address >= spans.list[span].low && address < spans.list[span].high)
            r->points[i].unit = spans.list[span].unit;
    }
out:
    free(spans.list);
}

/* ---- which functions ---- */

struct scan {
    struct reading *reading;
    size_t from, to; /* points of the unit */
};

static void add_link(struct reading *r, struct point *point, Dwarf_Off die)
{
    if (point->depth == MAX_CHAIN)
        return;
    if (r->link_count == r->link_room) {
        uint32_t room = r->link_room ? r->link_room * 2 : 1024;
        struct link *links = room <= MAX_LINKS ? realloc(r->links, room * sizeof *links) : NULL;
        if (!links)
            return;
        r->links = links;
        r->link_room = room;
    }
    r->links[r->link_count++] = (struct link){die, point->inner};
    point->inner = r->link_count;
    point->depth++;
}

/* Puts `die` into the chains of the points it covers; false: it covers none. */
static bool cover(const struct scan *s, Dwarf_Die *die)
{
    Dwarf_Addr base, low, high;
    ptrdiff_t at = 0;
    bool covers = false;
    while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0) {
        size_t from = s->from, to = s->to;
        while (from < to) {
            size_t middle = from + (to - from) / 2;
            if (s->reading->points[middle].offset - s->reading->bias < low)
                from = middle + 1;
            else
                to = middle;
        }
        for (; from < s->to && s->reading->points[from].offset - s->reading->bias < high; from++) {
            covers = true;
            add_link(s->reading, &s->reading->points[from], dwarf_dieoffset(die));
        }
    }
    return covers;
}

/* Depth first, so that chains grow from the outside in. */
static void scan_children(const struct scan *s, Dwarf_Die *parent, unsigned nesting)
{
    Dwarf_Die die;
    if (nesting > MAX_NESTING || dwarf_child(parent, &die) != 0)
        return;
    do {
        switch (dwarf_tag(&die)) {
        case DW_TAG_inlined_subroutine:
            if (!cover(s, &die))
                break;
            scan_children(s, &die, nesting + 1);
            break;
        case DW_TAG_subprogram:
            cover(s, &die);
            scan_children(s, &die, nesting + 1);
            break;
        case DW_TAG_lexical_block:
        case DW_TAG_try_block:
        case DW_TAG_catch_block:
        case DW_TAG_namespace:
        case DW_TAG_module:
        case DW_TAG_class_type:
        case DW_TAG_structure_type:
        case DW_TAG_union_type:
            scan_children(s, &die, nesting + 1);
            break;
        default:
            break;
        }
    } while (dwarf_siblingof(&die, &die) == 0);
}

static int by_value(const void *a, const void *b)
{
    const Dwarf_Off *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Points of one unit may lie apart, as linkers sort functions: each unit is scanned once, against all points. */
static void scan_units(struct reading *r)
{
    struct scan scan = {.reading = r, .from = 0, .to = r->count};
    Dwarf_Off *units = malloc(r->count * sizeof *units);
    if (!units)
        return;
    for (size_t i = 0; i < r->count; i++)
        units[i] = r->points[i].unit;
    qsort(units, r->count, sizeof *units, by_value);
    for (size_t i = 0; i < r->count; i++) {
        Dwarf_Die die;
        if (units[i] && (!i || units[i] != units[i - 1]) && dwarf_offdie(r->dwarf, units[i], &die))
            scan_children(&scan, &die, 0);
    }
    free(units);
}

/* ---- results ---- */

static const char *die_name(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    static const unsigned names[] = {DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *name = dwarf_formstring(dwarf_attr_integrate(die, names[i], &attribute));
        if (name && *name)
            return name;
    }
    return "";
}

static const char *call_file(Dwarf_Die *unit, Dwarf_Die *inlined, uint32_t *line)
{
    Dwarf_Attribute attribute;
    Dwarf_Files *files;
    Dwarf_Word value;
    size_t count;
    *line = 0;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &value) == 0 && value <= UINT32_MAX)
        *line = (uint32_t)value;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &value) != 0 ||
        dwarf_getsrcfiles(unit, &files, &count) != 0 || value >= count)
        return "";
    const char *file = dwarf_filesrc(files, value, NULL, NULL);
    return file ? file : "";
}

static const char *point_line(Dwarf_Die *unit, uint64_t address, uint32_t *line)
{
    Dwarf_Line *found = dwarf_getsrc_die(unit, address);
    int number = 0;
    *line = 0;
    if (!found)
        return "";
    if (dwarf_lineno(found, &number) == 0 && number > 0)
        *line = (uint32_t)number;
    const char *file = dwarf_linesrc(found, NULL, NULL);
    return file ? file : "";
}

/* ---- the symbol table ---- */

/* libdwfl's own look-up goes through the whole table each time. */
struct name {
    uint64_t start, bytes;
    const char *text;
    bool local;
};

/* By address; of those at one address the last counts: what is global, or has a size. */
static int by_start(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->local != y->local)
        return x->local ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(y->text, x->text);
}

static void read_names(struct reading *r)
{
    int count = dwfl_module_getsymtab(r->module);
    r->names = count > 0 ? malloc((size_t)count * sizeof *r->names) : NULL;
    for (int i = 1; r->names && i < count; i++) {
        GElf_Sym symbol;
        GElf_Addr address;
        const char *text = dwfl_module_getsym_info(r->module, i, &symbol, &address, NULL, NULL, NULL);
        int type = GELF_ST_TYPE(symbol.st_info);
        if (text && *text && symbol.st_shndx != SHN_UNDEF &&
            (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE))
            r->names[r->name_count++] =
                (struct name){address, symbol.st_size, text, GELF_ST_BIND(symbol.st_info) == STB_LOCAL};
    }
    if (r->names)
        qsort(r->names, r->name_count, sizeof *r->names, by_start);
}

static const char *table_name(const struct reading *r, uint64_t address)
{
    size_t low = 0, high = r->names ? r->name_count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->names[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    /* Labels inside a function have no size: the function around them stands a little before. */
    for (size_t i = low, steps = 0; i-- > 0 && steps < 64; steps++)
        if (r->names[i].bytes ? address - r->names[i].start < r->names[i].bytes : i + 1 == low)
            return r->names[i].text;
    return "";
}

/* ---- a result ---- */

static void report(struct reading *r, struct point *p)
{
    struct f4p_symbol_found found = {.offset = p->offset};
    Dwarf_Die unit, die;
    bool has_unit = p->unit && dwarf_offdie(r->dwarf, p->unit, &unit);
    const char *outer = table_name(r, p->offset);
    found.file = has_unit ? point_line(&unit, p->offset - r->bias, &found.line) : "";
    for (uint32_t at = has_unit ? p->inner : 0; at; at = r->links[at - 1].outer, found.depth++) {
        if (!dwarf_offdie(r->dwarf, r->links[at - 1].die, &die))
            break;
        found.function = die_name(&die);
        if (dwarf_tag(&die) != DW_TAG_inlined_subroutine) {
            /* Local functions (lambdas) have no full name but there. */
            if (!*found.function || strncmp(outer, "_Z", 2) == 0 || strncmp(outer, "_R", 2) == 0)
                found.function = outer;
            r->sink(r->context, &found);
            return;
        }
        r->sink(r->context, &found);
        found.file = call_file(&unit, &die, &found.line);
    }
    found.function = outer;
    if (*outer || found.line)
        r->sink(r->context, &found);
}

/* ---- files ---- */

static int no_elf(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base, char **file, Elf **elf)
{
    (void)module, (void)user, (void)name, (void)base, (void)file, (void)elf;
    return -1;
}

/* libdwfl's own list, and one more directory. */
static char debug_path[PATH_MAX + 32], *debug_path_pointer = debug_path;

static const Dwfl_Callbacks callbacks = {.find_elf = no_elf,
                                         .find_debuginfo = dwfl_standard_find_debuginfo,
                                         .section_address = dwfl_offline_section_address,
                                         .debuginfo_path = &debug_path_pointer};

static bool same_build(Dwfl_Module *file, const struct f4p_module_view *module)
{
    const unsigned char *bits;
    GElf_Addr address;
    if (!module->build_id_bytes)
        return true;
    int bytes = dwfl_module_build_id(file, &bits, &address);
    return bytes > 0 && (uint32_t)bytes == module->build_id_bytes && memcmp(bits, module->build_id, (size_t)bytes) == 0;
}

static void read_points(struct reading *r, const uint64_t *offsets)
{
    r->points = calloc(r->count, sizeof *r->points);
    if (!r->points)
        return;
    for (size_t i = 0; i < r->count; i++)
        r->points[i].offset = offsets[i];
    r->dwarf = dwfl_module_getdwarf(r->module, &r->bias);
    if (r->dwarf) {
        find_units(r);
        scan_units(r);
    }
    read_names(r);
    for (size_t i = 0; i < r->count; i++)
        report(r, &r->points[i]);
    free(r->names);
    free(r->links);
    free(r->points);
}

enum f4p_symbol_status f4p_symbols_read_file(const char *path, const char *debug, const struct f4p_module_view *module,
                                             const uint64_t *offsets, size_t count, f4p_symbol_sink *sink,
                                             void *context)
{
    enum f4p_symbol_status status = F4P_SYMBOL_NO_FILE;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return status;
    snprintf(debug_path, sizeof debug_path, "+:.debug:/usr/lib/debug:%s", debug);
    Dwfl *dwfl = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? dwfl_begin(&callbacks) : NULL;
    if (!dwfl)
        goto out;
    dwfl_report_begin(dwfl);
    struct reading reading = {.count = count, .sink = sink, .context = context};
    reading.module = dwfl_report_elf(dwfl, path, path, fd, 0, true);
    if (reading.module)
        fd = -1; /* libdwfl's now */
    if (reading.module && dwfl_report_end(dwfl, NULL, NULL) == 0) {
        status = same_build(reading.module, module) ? F4P_SYMBOL_READ : F4P_SYMBOL_OTHER_BUILD;
        if (status == F4P_SYMBOL_READ)
            read_points(&reading, offsets);
    }
    dwfl_end(dwfl);
out:
    if (fd >= 0)
        close(fd);
    return status;
}

#endif
