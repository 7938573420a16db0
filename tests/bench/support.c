#include "support.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "format/layout.h"

#define CODES 2000
#define FRAMES 12
#define MAX_LIVE (1u << 20)

uint64_t f4p_bench_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t f4p_bench_random(struct f4p_bench *b)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return b->random;
}

static void *must(void *p, const char *what)
{
    if (p && p != MAP_FAILED)
        return p;
    fprintf(stderr, "bench: no %s\n", what);
    exit(1);
}

static uint32_t string(struct f4p_writer *w, const char *format, unsigned n)
{
    char text[64];
    int bytes = snprintf(text, sizeof(text), format, n);
    return f4p_writer_record(w, F4P_RECORD_STRING, 1, text, (size_t)bytes, NULL, 0);
}

static void make_codes(struct f4p_writer *w)
{
    static const char lines[] = "\x80\x00\xd8\x08\x0c\x88\x71\x90\xd8\x0c\x11\x90\x21\x91\x24\x90\x41\x91\x26\x88";
    for (unsigned i = 0; i < CODES; i++) {
        struct f4p_code code = {
            .file = string(w, "/srv/job/package/module_%u.py", i / 20),
            .first_line = 10 + i % 20 * 30,
            .lines = F4P_LINES_311,
            .table_bytes = sizeof(lines) - 1,
        };
        code.name = string(w, "function_%u", i);
        code.qualname = string(w, "Class.function_%u", i);
        f4p_writer_record(w, F4P_RECORD_CODE, 0, &code, sizeof(code), lines, sizeof(lines) - 1);
    }
    struct f4p_thread thread = {.tid = (uint32_t)getpid(), .flags = F4P_THREAD_MAIN};
    f4p_writer_record(w, F4P_RECORD_THREAD, 0, &thread, sizeof(thread), "MainThread", 10);
    uint64_t pid = (uint64_t)getpid();
    f4p_writer_fact(w, F4P_FACT_ID_PID, F4P_FACT_U64, &pid, sizeof(pid));
    f4p_writer_fact(w, F4P_FACT_ID_COMMAND, F4P_FACT_LIST, "python\0etl.py", 14);
}

/* Stacks share their outer frames, as a program's do. */
static void make_sites(struct f4p_bench *b)
{
    for (uint32_t i = 0; i < b->site_count; i++) {
        uint32_t node = F4P_NONE;
        for (unsigned frame = 0; frame < FRAMES; frame++) {
            uint32_t way = frame + 1 < FRAMES ? i >> (2 * (FRAMES - 1 - frame)) : i;
            node = f4p_writer_node(&b->w, node, (way * 31 + frame * 97) % CODES, 2 * (way / CODES % 10));
        }
        b->sites[i] = f4p_writer_site(&b->w, node, 0);
    }
}

void f4p_bench_open(struct f4p_bench *b, const char *path, uint64_t file_bytes, uint64_t interval, uint32_t sites)
{
    struct f4p_layout layout = {.file_bytes = file_bytes, .base_interval = interval};
    struct f4p_header header;
    char used[PATH_MAX];
    const char *warning;
    int fd = -1;

    memset(b, 0, sizeof(*b));
    if (f4p_layout_header(&header, &layout))
        must(NULL, "such layout");
    if (path) {
        unlink(path);
        fd = f4p_layout_create(path, &header, used, sizeof(used), &warning);
        if (fd < 0)
            must(NULL, f4p_layout_error(-fd));
    }
    int flags = path ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    void *base = must(mmap(NULL, header.file_bytes, PROT_READ | PROT_WRITE, flags, fd, 0), "mapping");
    if (path)
        close(fd);
    size_t memory = f4p_writer_memory(&header);
    void *index = must(mmap(NULL, memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "memory");
    b->random = 88172645463325252u;
    b->next_address = 0x7f0000000000u;
    b->site_count = sites;
    b->sites = must(calloc(sites, sizeof(*b->sites)), "memory");
    b->live = must(calloc(MAX_LIVE, sizeof(*b->live)), "memory");
    f4p_writer_init(&b->w, base, &header, index, 4711);
    make_codes(&b->w);
    make_sites(b);
    f4p_writer_commit(&b->w, 0);
}

void f4p_bench_close(struct f4p_bench *b)
{
    f4p_writer_finish(&b->w, F4P_STATUS_EXITED, F4P_PASSIVE_NONE, b->t_ns);
    munmap(b->w.base, b->w.header.file_bytes);
    free(b->sites);
    free(b->live);
}

static struct f4p_block_facts new_block(struct f4p_bench *b)
{
    uint64_t r = f4p_bench_random(b);
    struct f4p_block_facts block = {
        .address = b->next_address += 16 + (r >> 50 << 4),
        .size = 16 + (r >> 20) % 4000,
        .site = b->sites[(r >> 32) % b->site_count],
        .shift = (uint8_t)b->w.state.shift,
        .kind = F4P_KIND_MALLOC,
    };
    return block;
}

void f4p_bench_alloc(struct f4p_bench *b)
{
    struct f4p_block_facts block = new_block(b);
    f4p_writer_alloc(&b->w, &block, b->t_ns);
    uint32_t index = f4p_writer_find(&b->w, block.address);
    if (index != F4P_NONE && b->live_count < MAX_LIVE)
        b->live[b->live_count++] = index;
}

/* A block that thinning took is passed over. */
static uint32_t pick(struct f4p_bench *b)
{
    while (b->live_count) {
        uint32_t at = (uint32_t)(f4p_bench_random(b) % b->live_count), index = b->live[at];
        b->live[at] = b->live[--b->live_count];
        if (b->w.live[index].kind)
            return index;
    }
    return F4P_NONE;
}

void f4p_bench_free(struct f4p_bench *b)
{
    uint32_t index = pick(b);
    if (index != F4P_NONE)
        f4p_writer_free(&b->w, index, b->t_ns);
}

void f4p_bench_move(struct f4p_bench *b)
{
    uint32_t index = pick(b);
    if (index == F4P_NONE)
        return;
    struct f4p_block_facts block = new_block(b);
    f4p_writer_unlink(&b->w, index);
    f4p_writer_replace(&b->w, index, &block, b->t_ns);
    b->live[b->live_count++] = index;
}
