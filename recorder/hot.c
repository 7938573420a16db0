#include "hot.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/layout.h"
#include "session.h"

#define CHUNK (64u << 10)
#define MOST (8u << 20)

static struct {
    uint8_t *base;
    uint64_t locked[F4P_SECTION_MAX + 1]; /* bytes of the sections, from their starts */
    uint64_t budget;                      /* bytes that may still be locked */
} hot;

static void lock_next(enum f4p_section_kind kind, uint64_t used)
{
    uint64_t *locked = &hot.locked[kind];
    if (*locked >= used)
        return;
    const struct f4p_section *section = f4p_layout_find(&f4p_session.writer.header, kind);
    while (*locked < used && *locked < section->bytes && hot.budget >= CHUNK) {
        uint64_t chunk = section->bytes - *locked < CHUNK ? section->bytes - *locked : CHUNK;
        if (syscall(SYS_mlock2, hot.base + section->offset + *locked, chunk, MLOCK_ONFAULT) != 0) {
            hot.budget = 0; /* not allowed: the job may be slow near its limit */
            return;
        }
        *locked += chunk;
        hot.budget -= chunk;
    }
}

void f4p_hot_next(void)
{
    const struct f4p_state *state = &f4p_session.writer.state;
    if (!hot.budget)
        return;
    lock_next(F4P_SECTION_CONTROL, 1);
    lock_next(F4P_SECTION_OPEN, F4P_OPEN_BYTES);
    lock_next(F4P_SECTION_TIMELINE, 2 * (uint64_t)F4P_BUCKETS * sizeof(struct f4p_bucket));
    lock_next(F4P_SECTION_SITES, state->sites * sizeof(struct f4p_site) + F4P_PAGE);
    lock_next(F4P_SECTION_LIVE, state->live_high * sizeof(struct f4p_live) + F4P_PAGE);
    lock_next(F4P_SECTION_NODES, state->nodes * sizeof(struct f4p_node) + F4P_PAGE);
}

void f4p_hot_start(void *base)
{
    struct rlimit limit;
    memset(hot.locked, 0, sizeof(hot.locked));
    hot.base = base;
    hot.budget = MOST;
    mlock(hot.base + f4p_session.writer.header.file_bytes - F4P_PAGE, F4P_PAGE);
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur / 2 < MOST)
        hot.budget = limit.rlim_cur / 2;
    f4p_hot_next();
}
