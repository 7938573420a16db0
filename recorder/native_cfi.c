#include "native_cfi.h"

#include <string.h>

#include "attributes.h"

#define MAX_SAVED 6 /* depth of DW_CFA_remember_state */
#define MAX_OPS 4096
#define WINDOW 256
#define MAX_AUGMENTATION 8
#define REG_FP 6
#define REG_SP 7
#define REG_RA 16

/* ---- bytes that are not trusted ---- */

/* What is being read: in place if the module stays, else a copy, for it may be unmapped at any time. */
struct window {
    uintptr_t low, high;
    const uint8_t *data;
    uint8_t copy[WINDOW];
};

struct bytes {
    struct window *window;
    uintptr_t at, end;
    bool bad;
};

static bool need(struct bytes *b, uint64_t count)
{
    if (!b->bad && b->end - b->at >= count)
        return true;
    b->bad = true;
    return false;
}

static bool refill(struct window *window, uintptr_t at, uintptr_t end)
{
    size_t bytes = end - at < WINDOW ? end - at : WINDOW;
    window->low = window->high = 0;
    if (!f4p_memory_read(window->copy, at, bytes))
        return false;
    window->data = window->copy;
    window->low = at;
    window->high = at + bytes;
    return true;
}

/* Inline, for most counts are constants and most reads are of a byte. */
static inline void fetch(struct bytes *b, void *to, size_t count)
{
    struct window *window = b->window;
    if (UNLIKELY(!need(b, count)))
        return;
    bool outside = !window->data || b->at < window->low || b->at + count > window->high;
    if (UNLIKELY(outside) && !refill(window, b->at, b->end)) {
        b->bad = true;
        return;
    }
    memcpy(to, window->data + (b->at - window->low), count);
    b->at += count;
}

#define GET(type)                           \
    static type get_##type(struct bytes *b) \
    {                                       \
        type value = 0;                     \
        fetch(b, &value, sizeof(value));    \
        return value;                       \
    }
GET(uint8_t)
GET(uint16_t)
GET(uint32_t)
GET(int32_t)
GET(uint64_t)
#undef GET

static uint64_t get_uleb(struct bytes *b)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = get_uint8_t(b);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
}

static int64_t get_sleb(struct bytes *b)
{
    uint64_t value = 0;
    for (unsigned shift = 0;;) {
        uint8_t byte = get_uint8_t(b);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (byte & 0x80)
            continue;
        if (byte & 0x40 && shift < 64)
            value |= UINT64_MAX << shift;
        return (int64_t)value;
    }
}

static void skip(struct bytes *b, uint64_t count)
{
    if (need(b, count))
        b->at += count;
}

/* DW_EH_PE_*; indirect ones (personalities only) are read but not followed. */
static uint64_t get_encoded(struct bytes *b, uint8_t encoding)
{
    uint64_t base = (encoding & 0x70) == 0x10 ? b->at : 0, value = 0;
    switch (encoding & 0x0f) {
    case 0x00:
    case 0x04:
    case 0x0c:
        value = get_uint64_t(b);
        break;
    case 0x01:
        value = get_uleb(b);
        break;
    case 0x02:
        value = get_uint16_t(b);
        break;
    case 0x03:
        value = get_uint32_t(b);
        break;
    case 0x09:
        value = (uint64_t)get_sleb(b);
        break;
    case 0x0a:
        value = (uint64_t)(int16_t)get_uint16_t(b);
        break;
    case 0x0b:
        value = (uint64_t)get_int32_t(b);
        break;
    default:
        b->bad = true;
    }
    return value + base;
}

/* ---- .eh_frame ---- */

struct entry { /* of a function (FDE), with what it has in common with others (CIE) */
    uintptr_t start;
    uint64_t code_align;
    int64_t data_align;
    bool signal;
    struct bytes initial, own; /* instructions */
};

/* Length word and what it spans; false at the end mark. */
static bool open_entry(struct bytes *b, struct window *window, const struct f4p_code_module *m, uintptr_t at)
{
    *b = (struct bytes){window, at, m->eh_high, at < m->eh_low || at >= m->eh_high};
    uint32_t length = get_uint32_t(b);
    if (!length || length == UINT32_MAX || !need(b, length))
        return false;
    b->end = b->at + length;
    return true;
}

static bool read_augmentation(struct bytes *b, char text[MAX_AUGMENTATION])
{
    for (unsigned i = 0; i < MAX_AUGMENTATION; i++)
        if (!(text[i] = (char)get_uint8_t(b)))
            return !b->bad;
    return false;
}

static bool read_common(struct entry *e, struct window *window, const struct f4p_code_module *m, uintptr_t at,
                        uint8_t *encoding, bool *augmented)
{
    struct bytes b;
    char augmentation[MAX_AUGMENTATION];
    if (!open_entry(&b, window, m, at) || get_uint32_t(&b) != 0)
        return false;
    uint8_t version = get_uint8_t(&b);
    if (!read_augmentation(&b, augmentation) || (version != 1 && version != 3))
        return false;
    e->code_align = get_uleb(&b);
    e->data_align = get_sleb(&b);
    uint64_t ra = version == 1 ? get_uint8_t(&b) : get_uleb(&b);
    *encoding = 0;
    *augmented = *augmentation == 'z';
    uintptr_t instructions = b.at;
    if (*augmented) {
        uint64_t bytes = get_uleb(&b);
        if (!need(&b, bytes))
            return false;
        instructions = b.at + bytes;
        for (const char *c = augmentation + 1; *c; c++) {
            if (*c == 'R')
                *encoding = get_uint8_t(&b);
            else if (*c == 'P')
                get_encoded(&b, get_uint8_t(&b));
            else if (*c == 'L')
                get_uint8_t(&b);
            else if (*c == 'S')
                e->signal = true;
        }
    } else if (*augmentation) {
        return false;
    }
    e->initial = (struct bytes){window, instructions, b.end, false};
    return !b.bad && ra == REG_RA;
}

static bool read_entry(struct entry *e, struct window *window, const struct f4p_code_module *m, uintptr_t at,
                       uintptr_t address)
{
    struct bytes b;
    uint8_t encoding;
    bool augmented;
    *e = (struct entry){0};
    if (!open_entry(&b, window, m, at))
        return false;
    uintptr_t here = b.at;
    uint32_t back = get_uint32_t(&b);
    if (!back || back > here || !read_common(e, window, m, here - back, &encoding, &augmented))
        return false;
    e->start = get_encoded(&b, encoding);
    uint64_t range = get_encoded(&b, encoding & 0x0f);
    if (b.bad || address < e->start || address - e->start >= range)
        return false;
    if (augmented)
        skip(&b, get_uleb(&b));
    e->own = b;
    return !b.bad;
}

/* The binary search table of .eh_frame_hdr, as every linker makes it. 0: no entry. */
static uintptr_t find_entry(const struct f4p_code_module *m, struct window *window, uintptr_t address)
{
    struct bytes b = {window, m->eh_header, m->eh_high, false};
    uint8_t version = get_uint8_t(&b), pointer = get_uint8_t(&b);
    uint8_t count_encoding = get_uint8_t(&b), table_encoding = get_uint8_t(&b);
    get_encoded(&b, pointer);
    if (version != 1 || count_encoding != 0x03 || table_encoding != 0x3b)
        return 0;
    uint32_t low = 0, high = get_uint32_t(&b);
    if (!high || !need(&b, high * 8ull))
        return 0;
    uintptr_t table = b.at, end = table + high * 8ull;
    int64_t wanted = (int64_t)(address - m->eh_header);
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        b = (struct bytes){window, table + middle * 8ull, end, false};
        if (get_int32_t(&b) <= wanted && !b.bad)
            low = middle;
        else
            high = middle;
    }
    b = (struct bytes){window, table + low * 8ull, end, false};
    int32_t start = get_int32_t(&b), entry = get_int32_t(&b);
    return !b.bad && start <= wanted ? m->eh_header + (uintptr_t)(intptr_t)entry : 0;
}

/* ---- instructions ---- */

enum where { WHERE_SAME, WHERE_CFA, WHERE_FP, WHERE_UNDEFINED, WHERE_OTHER };

struct row {
    uint8_t kind; /* SP, FP, DEREF or LOST */
    int64_t cfa;
    enum where fp, ra; /* WHERE_CFA: at CFA + offset */
    int64_t fp_at, ra_at;
};

/* An address given as an expression: "breg6 n, deref" where the stack was realigned, and the lazy PLT's formula. */
static void cfa_expression(struct row *row, struct bytes expression, uintptr_t address)
{
    static const uint8_t plt[] = {0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22};
    uint8_t bytes[sizeof(plt)] = {0};
    row->kind = F4P_RULE_LOST;
    if (expression.end - expression.at == sizeof(plt)) {
        fetch(&expression, bytes, sizeof(bytes));
        if (expression.bad || memcmp(bytes, plt, 6) != 0 || memcmp(bytes + 7, plt + 7, 4) != 0 ||
            (bytes[6] & 0xf0) != 0x30)
            return;
        row->kind = F4P_RULE_SP;
        row->cfa = 8 + ((address & 15) >= (bytes[6] & 0x0fu) ? 8 : 0);
        return;
    }
    uint8_t op = get_uint8_t(&expression);
    int64_t offset = get_sleb(&expression);
    bool ends = expression.at == expression.end;
    bool deref = !ends && get_uint8_t(&expression) == 0x06 && expression.at == expression.end;
    if (expression.bad || (op != 0x76 && op != 0x77) || (!ends && (!deref || op != 0x76)))
        return;
    row->kind = deref ? F4P_RULE_DEREF : op == 0x76 ? F4P_RULE_FP : F4P_RULE_SP;
    row->cfa = offset;
}

static struct bytes get_block(struct bytes *b)
{
    struct bytes block = *b;
    uint64_t bytes = get_uleb(b);
    block.at = b->at;
    skip(b, bytes);
    block.end = b->at;
    block.bad = b->bad;
    return block;
}

static void set_register(struct row *row, uint64_t reg, enum where where, int64_t at)
{
    if (reg == REG_FP) {
        row->fp = where;
        row->fp_at = at;
    } else if (reg == REG_RA) {
        row->ra = where;
        row->ra_at = at;
    }
}

static void register_expression(struct row *row, uint64_t reg, struct bytes expression)
{
    uint8_t op = get_uint8_t(&expression);
    int64_t offset = get_sleb(&expression);
    bool plain = !expression.bad && op == 0x76 && expression.at == expression.end;
    set_register(row, reg, plain ? WHERE_FP : WHERE_OTHER, offset);
}

static void set_cfa(struct row *row, uint64_t reg, int64_t offset)
{
    row->kind = reg == REG_SP ? F4P_RULE_SP : reg == REG_FP ? F4P_RULE_FP : F4P_RULE_LOST;
    row->cfa = offset;
}

struct machine {
    struct row row, initial, saved[MAX_SAVED];
    unsigned depth;
    uintptr_t at, address;
};

static void restore(struct machine *m, uint64_t reg)
{
    if (reg == REG_FP) {
        m->row.fp = m->initial.fp;
        m->row.fp_at = m->initial.fp_at;
    } else if (reg == REG_RA) {
        m->row.ra = m->initial.ra;
        m->row.ra_at = m->initial.ra_at;
    }
}

/* DW_CFA_* with the operand in further bytes. false: end, or one that is not known. */
static bool step_extended(struct machine *m, struct bytes *b, const struct entry *e, uint8_t op)
{
    struct row *row = &m->row;
    uint64_t reg;
    switch (op) {
    case 0x00: /* nop */
        return true;
    case 0x01: /* set_loc */
        return false;
    case 0x02: /* advance_loc1, 2, 4 */
        m->at += get_uint8_t(b) * e->code_align;
        return true;
    case 0x03:
        m->at += get_uint16_t(b) * e->code_align;
        return true;
    case 0x04:
        m->at += get_uint32_t(b) * e->code_align;
        return true;
    case 0x05: /* offset_extended */
        reg = get_uleb(b);
        set_register(row, reg, WHERE_CFA, (int64_t)get_uleb(b) * e->data_align);
        return true;
    case 0x06: /* restore_extended */
        restore(m, get_uleb(b));
        return true;
    case 0x07: /* undefined */
        set_register(row, get_uleb(b), WHERE_UNDEFINED, 0);
        return true;
    case 0x08: /* same_value */
        set_register(row, get_uleb(b), WHERE_SAME, 0);
        return true;
    case 0x09: /* register */
        set_register(row, get_uleb(b), WHERE_OTHER, 0);
        get_uleb(b);
        return true;
    case 0x0a: /* remember_state */
        if (m->depth == MAX_SAVED)
            return false;
        m->saved[m->depth++] = *row;
        return true;
    case 0x0b: /* restore_state */
        if (!m->depth)
            return false;
        *row = m->saved[--m->depth];
        return true;
    case 0x0c: /* def_cfa */
        reg = get_uleb(b);
        set_cfa(row, reg, (int64_t)get_uleb(b));
        return true;
    case 0x0d: /* def_cfa_register */
        set_cfa(row, get_uleb(b), row->cfa);
        return true;
    case 0x0e: /* def_cfa_offset */
        row->cfa = (int64_t)get_uleb(b);
        return true;
    case 0x0f: /* def_cfa_expression */
        cfa_expression(row, get_block(b), m->address);
        return true;
    case 0x10: /* expression */
        reg = get_uleb(b);
        register_expression(row, reg, get_block(b));
        return true;
    case 0x11: /* offset_extended_sf */
        reg = get_uleb(b);
        set_register(row, reg, WHERE_CFA, get_sleb(b) * e->data_align);
        return true;
    case 0x12: /* def_cfa_sf */
        reg = get_uleb(b);
        set_cfa(row, reg, get_sleb(b) * e->data_align);
        return true;
    case 0x13: /* def_cfa_offset_sf */
        row->cfa = get_sleb(b) * e->data_align;
        return true;
    case 0x14: /* val_offset, val_offset_sf */
    case 0x15:
        set_register(row, get_uleb(b), WHERE_OTHER, 0);
        get_uleb(b);
        return true;
    case 0x16: /* val_expression */
        set_register(row, get_uleb(b), WHERE_OTHER, 0);
        get_block(b);
        return true;
    case 0x2e: /* GNU_args_size */
        get_uleb(b);
        return true;
    default:
        return false;
    }
}

/* Up to the row that holds at m->address. false: something we do not know. */
static bool run(struct machine *m, struct bytes b, const struct entry *e)
{
    for (unsigned ops = 0; b.at < b.end; ops++) {
        uint8_t byte = get_uint8_t(&b), operand = byte & 0x3f;
        switch (byte & 0xc0) {
        case 0x40: /* advance_loc */
            m->at += operand * e->code_align;
            break;
        case 0x80: /* offset */
            set_register(&m->row, operand, WHERE_CFA, (int64_t)get_uleb(&b) * e->data_align);
            break;
        case 0xc0: /* restore */
            restore(m, operand);
            break;
        default:
            if (!step_extended(m, &b, e, byte))
                return false;
        }
        if (b.bad || ops > MAX_OPS)
            return false;
        if (m->at > m->address)
            return true;
    }
    return true;
}

#define FITS(value) ((value) > -(1 << 22) && (value) < 1 << 22)

static struct f4p_rule rule_of(const struct row *row)
{
    struct f4p_rule lost = {F4P_RULE_LOST, 0, F4P_FP_SAME};
    struct f4p_rule rule = {row->kind, (int32_t)row->cfa, F4P_FP_SAME};
    if (row->ra == WHERE_UNDEFINED)
        return (struct f4p_rule){F4P_RULE_END, 0, F4P_FP_SAME};
    if (row->kind == F4P_RULE_LOST || row->ra != WHERE_CFA || row->ra_at != -8 || !FITS(row->cfa) || !FITS(row->fp_at))
        return lost;
    if (row->kind == F4P_RULE_DEREF) {
        if (row->fp != WHERE_FP)
            return lost;
        rule.fp = (int32_t)row->fp_at;
    } else if (row->fp == WHERE_CFA) {
        rule.fp = (int32_t)row->fp_at;
    } else if (row->fp == WHERE_FP && row->kind == F4P_RULE_FP) {
        rule.fp = (int32_t)(row->fp_at - row->cfa);
    } else if (row->fp == WHERE_FP || row->fp == WHERE_OTHER) {
        return lost;
    }
    return rule;
}

struct f4p_rule f4p_cfi_rule(const struct f4p_code_module *module, uintptr_t address)
{
    struct f4p_rule none = {F4P_RULE_NONE, 0, F4P_FP_SAME}, lost = {F4P_RULE_LOST, 0, F4P_FP_SAME};
    struct window window = {.low = 0, .high = 0};
    struct entry entry;
    uint64_t look;

    if (!module->eh_header)
        return none;
    if (module->stays) {
        window.low = module->eh_low;
        window.high = module->eh_high;
        window.data = (const uint8_t *)module->eh_low;
    } else {
        if (!f4p_memory_read(&look, module->eh_header, sizeof(look)))
            return none;
        if (look != module->eh_look) {
            f4p_modules_stale();
            return lost;
        }
    }
    uintptr_t at = find_entry(module, &window, address);
    if (!at || !read_entry(&entry, &window, module, at, address))
        return none;
    if (entry.signal)
        return (struct f4p_rule){F4P_RULE_SIGNAL, 0, F4P_FP_SAME};
    struct machine m = {.row = {.kind = F4P_RULE_LOST}, .at = entry.start, .address = address};
    if (!run(&m, entry.initial, &entry))
        return lost;
    m.initial = m.row;
    m.at = entry.start;
    if (!run(&m, entry.own, &entry))
        return lost;
    return rule_of(&m.row);
}
