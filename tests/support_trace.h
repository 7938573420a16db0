/* Traces for tests: made by the real writer in private memory, with an oracle beside it that knows nothing of bytes. */
#ifndef FIL4PROD_SUPPORT_TRACE_H
#define FIL4PROD_SUPPORT_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "format/reader.h"
#include "format/writer.h"

struct f4p_fixture_block {
    uint64_t address, size;
};

/* What was true right after an op. */
struct f4p_fixture_moment {
    uint64_t t_ns, seq;
    struct f4p_sums live;
};

struct f4p_fixture {
    struct f4p_header header;
    uint8_t *base; /* header.file_bytes; the header itself stands in it */
    void *memory;
    struct f4p_writer w;
    uint64_t t_ns, random, next_address;
    struct f4p_fixture_block *blocks; /* live now */
    size_t block_count, block_room;
    struct f4p_fixture_moment *moments;
    size_t moment_count, moment_room;
    struct f4p_sums *peak; /* per site, at state.peak */
    size_t peak_sites;
    uint64_t peak_seq;
};

/** A trace of `file_bytes` with `sites` sites on stacks of Python code, two threads, a module and a few facts.
 * `base`: NULL, or zeroed memory of that size to build it in. */
void f4p_fixture_make(struct f4p_fixture *f, void *base, uint64_t file_bytes, uint64_t interval, uint32_t sites,
                      uint64_t seed);
void f4p_fixture_free(struct f4p_fixture *f);

/** `ops` random allocs, frees and reallocs that keep about `blocks` blocks live. */
void f4p_fixture_churn(struct f4p_fixture *f, size_t ops, size_t blocks);

/** One op each. */
void f4p_fixture_alloc(struct f4p_fixture *f, uint32_t site, uint64_t size);
void f4p_fixture_release(struct f4p_fixture *f, size_t block);

/** The byte of a section. */
void *f4p_fixture_section(const struct f4p_fixture *f, enum f4p_section_kind kind);

/** The last moment at or before t; NULL before the first. */
const struct f4p_fixture_moment *f4p_fixture_at(const struct f4p_fixture *f, uint64_t t_ns);

uint64_t f4p_fixture_random(struct f4p_fixture *f);

#endif
