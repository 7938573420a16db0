#include "layout.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hash.h"

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void random_id(uint8_t id[16])
{
    if (syscall(SYS_getrandom, id, 16L, (long)GRND_NONBLOCK) == 16) /* getrandom(3) is a cancellation point */
        return;
    uint64_t seed[3] = {clock_ns(CLOCK_REALTIME), clock_ns(CLOCK_MONOTONIC), (uint64_t)getpid()};
    for (int i = 0; i < 2; i++) {
        uint64_t h = f4p_hash(seed, sizeof(seed), (uint64_t)i);
        memcpy(id + 8 * i, &h, 8);
    }
}

static uint64_t pages(uint64_t bytes)
{
    return (bytes + F4P_PAGE - 1) / F4P_PAGE * F4P_PAGE;
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

struct plan {
    struct f4p_header *header;
    uint64_t offset;
};

static void place(struct plan *plan, enum f4p_section_kind kind, uint64_t bytes)
{
    struct f4p_section *section = &plan->header->sections[plan->header->section_count++];
    section->kind = kind;
    section->offset = plan->offset;
    section->bytes = pages(bytes);
    plan->offset += section->bytes;
}

/* Shares of what is left after the parts of fixed size, in 1/1000. In exact mode the live table is what counts. */
static void place_all(struct plan *plan, uint64_t file_bytes, bool exact)
{
    uint64_t timeline = 2 * (uint64_t)F4P_BUCKETS * sizeof(struct f4p_bucket);

    place(plan, F4P_SECTION_CONTROL, sizeof(struct f4p_control));
    place(plan, F4P_SECTION_LAUNCH, sizeof(struct f4p_launch));
    place(plan, F4P_SECTION_TIMELINE, timeline);
    place(plan, F4P_SECTION_LAUNCH_TIMELINE, timeline);
    place(plan, F4P_SECTION_OPEN, F4P_OPEN_BYTES);
    place(plan, F4P_SECTION_LAUNCH_RECORDS, clamp(file_bytes / 64, 32u << 10, 1u << 20));

    uint64_t share = (file_bytes - plan->offset) / 1000;
    uint64_t index_limit = (uint64_t)(F4P_NONE - 1); /* records are numbered by 32 bits */
    place(plan, F4P_SECTION_LIVE, clamp(share * (exact ? 450 : 130), 0, index_limit * sizeof(struct f4p_live)));
    place(plan, F4P_SECTION_SITES, clamp(share * (exact ? 100 : 130), 0, 1ull << 31));
    place(plan, F4P_SECTION_NODES, clamp(share * (exact ? 100 : 125), 0, 1ull << 31));
    place(plan, F4P_SECTION_RECORDS, clamp(share * (exact ? 60 : 115), 0, 1ull << 31));
    uint64_t level = clamp(share * (exact ? 60 : 100), 0, 1ull << 31) / F4P_LEVELS / F4P_PAGE * F4P_PAGE;
    place(plan, F4P_SECTION_KEYFRAMES, level * F4P_LEVELS);
    place(plan, F4P_SECTION_RESIDENT,
          sizeof(struct f4p_resident) +
              f4p_layout_find(plan->header, F4P_SECTION_LIVE)->bytes / sizeof(struct f4p_live) *
                  sizeof(struct f4p_mark) +
              f4p_layout_find(plan->header, F4P_SECTION_SITES)->bytes / sizeof(struct f4p_site) * 2 *
                  sizeof(struct f4p_site_mark));
    /* The last page is in no section: the recorder asks for it to see whether the file is still whole. */
    place(plan, F4P_SECTION_HISTORY, (file_bytes - F4P_PAGE - plan->offset) / F4P_PAGE * F4P_PAGE);
}

void f4p_layout_seal(struct f4p_header *header)
{
    header->check = f4p_hash(header, offsetof(struct f4p_header, check), 0);
}

int f4p_layout_header(struct f4p_header *header, const struct f4p_layout *layout)
{
    uint64_t file_bytes = layout->file_bytes / F4P_PAGE * F4P_PAGE;

    if (file_bytes < F4P_MIN_FILE_BYTES || file_bytes > F4P_MAX_FILE_BYTES || layout->base_interval < 1 ||
        layout->base_interval > 1ull << 40)
        return -EINVAL;

    memset(header, 0, sizeof(*header));
    memcpy(header->magic, F4P_MAGIC, sizeof(header->magic));
    header->version_major = F4P_VERSION_MAJOR;
    header->version_minor = F4P_VERSION_MINOR;
    header->header_bytes = sizeof(*header);
    header->file_bytes = file_bytes;
    header->start_realtime_ns = clock_ns(CLOCK_REALTIME);
    header->start_monotonic_ns = clock_ns(CLOCK_MONOTONIC);
    header->base_interval = layout->base_interval;
    header->flags = layout->flags;
    random_id(header->trace_id);
    if (layout->job_id)
        memcpy(header->job_id, layout->job_id, sizeof(header->job_id));
    else
        random_id(header->job_id);

    struct plan plan = {header, F4P_PAGE};
    place_all(&plan, file_bytes, layout->base_interval == 1);
    f4p_layout_seal(header);
    return 0;
}

const struct f4p_section *f4p_layout_find(const struct f4p_header *header, enum f4p_section_kind kind)
{
    for (uint32_t i = 0; i < header->section_count && i < F4P_MAX_SECTIONS; i++)
        if (header->sections[i].kind == (uint32_t)kind)
            return &header->sections[i];
    return NULL;
}
