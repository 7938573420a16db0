/* Where the sections of a new trace stand, and how a trace file is made. Shared by the recorder and the launcher:
 * allocates nothing, uses no stdio. */
#ifndef FIL4PROD_LAYOUT_H
#define FIL4PROD_LAYOUT_H

#include <stdint.h>

#include "format.h"

#define F4P_DEFAULT_FILE_BYTES (64ull << 20)
#define F4P_MIN_FILE_BYTES (1ull << 20)
#define F4P_MAX_FILE_BYTES (1ull << 40)

struct f4p_layout {
    uint64_t file_bytes;    /* [F4P_MIN_FILE_BYTES, F4P_MAX_FILE_BYTES]; rounded down to a page */
    uint64_t base_interval; /* bytes, >= 1; 1: exact */
    uint32_t flags;         /* enum f4p_header_flags */
    const uint8_t *job_id;  /* 16 bytes, or NULL: random */
};

/** Fills `header` (sections, times from the clocks, ids, check) for `layout`. 0, or -EINVAL for sizes out of range. */
int f4p_layout_header(struct f4p_header *header, const struct f4p_layout *layout);

/** Recomputes header->check after a change. */
void f4p_layout_seal(struct f4p_header *header);

/** The section of that kind, or NULL. `header` must be one of ours (a reader checks offsets itself). */
const struct f4p_section *f4p_layout_find(const struct f4p_header *header, enum f4p_section_kind kind);

/**
 * Makes the trace file `path`: mode 0600, never an existing one, never through a symbolic link, all blocks really
 * allocated (raw fallocate(2); a file system that cannot, gets zeroes written), header written. If the name is taken,
 * ".1", ".2", ... is appended. Only local file systems known to keep a mapping safe are accepted.
 * @param used   receives the name used; at least `used_bytes` = PATH_MAX bytes.
 * @param warning receives a static text, or NULL if there is nothing to warn of (tmpfs, overlay).
 * @return an open descriptor (O_RDWR | O_CLOEXEC), or -errno; -EOPNOTSUPP: file system refused. No file is left behind
 *         on failure, and SIGXFSZ does not reach the caller.
 */
int f4p_layout_create(const char *path, const struct f4p_header *header, char *used, unsigned used_bytes,
                      const char **warning);

/** One line for an error of f4p_layout_create, what it means and what to do; static text. */
const char *f4p_layout_error(int error);

#endif
