#include "lines.h"

/* Bytes are read as unsigned and made signed by hand: plain char differs between machines. */
static int signed_byte(uint8_t byte)
{
    return byte < 128 ? byte : (int)byte - 256;
}

static uint32_t clamp_offset(uint64_t offset)
{
    return offset < F4P_NONE ? (uint32_t)offset : F4P_NONE;
}

static uint32_t clamp_line(int64_t line)
{
    return line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
}

void f4p_line_walk_start(struct f4p_line_walk *walk, const uint8_t *table, size_t bytes, uint32_t kind,
                         uint32_t first_line)
{
    *walk = (struct f4p_line_walk){
        .at = table, .end = table ? table + bytes : table, .kind = kind, .first_line = first_line, .line = first_line};
}

/* 3.8, 3.9: pairs (offset step, line step); the line changes after the offset has moved, the last one has no end. */
static bool next_lnotab(struct f4p_line_walk *walk, struct f4p_line_range *range)
{
    range->from = clamp_offset(walk->offset);
    range->line = clamp_line(walk->line);
    if (walk->end - walk->at < 2) {
        range->to = F4P_NONE;
        walk->last = true;
        return true;
    }
    walk->offset += walk->at[0];
    walk->line += signed_byte(walk->at[1]);
    walk->at += 2;
    range->to = clamp_offset(walk->offset);
    return true;
}

/* 3.10: pairs (length, line step); -128: no line. */
static bool next_310(struct f4p_line_walk *walk, struct f4p_line_range *range)
{
    if (walk->end - walk->at < 2)
        return false;
    int step = signed_byte(walk->at[1]);
    range->from = clamp_offset(walk->offset);
    walk->offset += walk->at[0];
    range->to = clamp_offset(walk->offset);
    if (step != -128)
        walk->line += step;
    range->line = step == -128 ? 0 : clamp_line(walk->line);
    walk->at += 2;
    return true;
}

/* Six bits a byte, 0x40: more follow; what does not fit 32 bits is dropped. */
static uint32_t read_varint(struct f4p_line_walk *walk)
{
    uint64_t value = 0;
    unsigned shift = 0;
    while (walk->at < walk->end) {
        uint8_t byte = *walk->at++;
        if (shift < 32)
            value |= (uint64_t)(byte & 63) << shift;
        shift += 6;
        if (!(byte & 64))
            break;
    }
    return (uint32_t)value;
}

static int64_t read_signed_varint(struct f4p_line_walk *walk)
{
    uint32_t value = read_varint(walk);
    return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

static void skip(struct f4p_line_walk *walk, size_t bytes)
{
    size_t left = (size_t)(walk->end - walk->at);
    walk->at += bytes < left ? bytes : left;
}

/* 3.11 on: 1 | code:4 | length-1:3, lengths in units of two bytes, columns skipped. */
static bool next_311(struct f4p_line_walk *walk, struct f4p_line_range *range)
{
    if (walk->at >= walk->end)
        return false;
    uint8_t head = *walk->at++;
    unsigned code = head >> 3 & 15;
    range->from = clamp_offset(walk->offset);
    walk->offset += 2u * ((head & 7u) + 1);
    range->to = clamp_offset(walk->offset);
    if (code == 14) {
        walk->line += read_signed_varint(walk);
        for (int column = 0; column < 3; column++)
            read_varint(walk);
    } else if (code == 13) {
        walk->line += read_signed_varint(walk);
    } else if (code >= 10 && code <= 12) {
        walk->line += (int)code - 10;
        skip(walk, 2);
    } else if (code < 10) {
        skip(walk, 1);
    }
    range->line = code == 15 ? 0 : clamp_line(walk->line);
    return true;
}

bool f4p_line_walk_next(struct f4p_line_walk *walk, struct f4p_line_range *range)
{
    if (walk->last)
        return false;
    switch (walk->kind) {
    case F4P_LINES_LNOTAB:
        return next_lnotab(walk, range);
    case F4P_LINES_310:
        return next_310(walk, range);
    case F4P_LINES_311:
        return next_311(walk, range);
    default:
        return false;
    }
}

void f4p_line_decode_many(const uint8_t *table, size_t bytes, uint32_t kind, uint32_t first_line,
                          const uint32_t *offsets, size_t count, uint32_t *lines)
{
    struct f4p_line_walk walk;
    struct f4p_line_range range;
    uint32_t before = first_line;
    size_t next = 0;
    f4p_line_walk_start(&walk, table, bytes, kind, first_line);
    while (next < count && offsets[next] != F4P_NONE && f4p_line_walk_next(&walk, &range)) {
        if (range.line && range.from < range.to)
            before = range.line;
        for (; next < count && offsets[next] < range.to; next++)
            lines[next] = before;
    }
    for (; next < count; next++)
        lines[next] = first_line;
}

uint32_t f4p_line_decode(const uint8_t *table, size_t bytes, uint32_t kind, uint32_t first_line, uint32_t offset)
{
    uint32_t line;
    f4p_line_decode_many(table, bytes, kind, first_line, &offset, 1, &line);
    return line;
}
