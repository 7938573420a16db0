/*
 * Makes the trace of the screen tests: always the same bytes of fact, whatever the machine and the day. A Python job of
 * 100 s whose cache grows to the cgroup's limit, with a spike at 30 s, in two threads, through a library and native
 * code; killed by the kernel. Exact mode, so that numbers are round.
 *
 * usage: tui_generate FILE [hostile|running|damaged]
 *   hostile  names with escape sequences, bidi marks, wide, combining and invalid characters
 *   running  no end: the recorder still writes
 *   damaged  some bytes of the sites are overwritten
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/hash.h"
#include "format/layout.h"
#include "format/writer.h"

#define MIB ((uint64_t)1 << 20)
#define SECOND 1000000000ull
#define FILE_BYTES (4 * MIB)
#define LIMIT (512 * MIB)

struct job {
    struct f4p_header header;
    struct f4p_writer w;
    uint8_t *base;
    uint64_t next_address;
    uint32_t site[6];
};

static const char *const plain_names[] = {"<module>", "run_day", "load", "Cache.put", "decode", "worker"};
static const char *const hostile_names[] = {"<module>",
                                            "run\x1b[2J\x1b]0;owned\x07_day",
                                            "\u5909\u63db\u3059\u308b",    /* wide */
                                            "Ca\u0301che.\u202eput\u202c", /* combining, bidi */
                                            "de\377\376code\r\nX",         /* not UTF-8, line breaks */
                                            "w\u200bo\u2028rker"};

static uint32_t string(struct job *job, const char *text)
{
    return f4p_writer_record(&job->w, F4P_RECORD_STRING, 8, text, strlen(text), NULL, 0);
}

static void make_codes(struct job *job, const char *const *names)
{
    /* one line a table: entry of length 1, no line step, then one code unit a line on */
    static const char *const files[] = {
        "/srv/job/etl.py", "/srv/job/etl.py", "/srv/job/etl.py", "/srv/job/etl.py", "/usr/lib/python3.11/codecs.py",
        "/srv/job/etl.py"};
    static const uint32_t lines[] = {70, 60, 30, 12, 320, 50};
    for (uint32_t i = 0; i < 6; i++) {
        struct f4p_code code = {
            .file = string(job, files[i]), .first_line = lines[i], .lines = F4P_LINES_311, .table_bytes = 8};
        code.name = code.qualname = string(job, names[i]);
        /* 0xd8: code 11 (line + 1), one unit; columns follow */
        f4p_writer_record(&job->w, F4P_RECORD_CODE, 0, &code, sizeof code, "\x80\x00\xd8\x00\x00\xd8\x00\x00", 8);
    }
}

static void make_stacks(struct job *job)
{
    struct f4p_writer *w = &job->w;
    static const char path[] = "/usr/lib/python3/dist-packages/numpy/core/_multiarray_umath.so";
    struct f4p_module module = {.start = 0x10000, .end = 0x90000, .bias = 0x10000, .path_bytes = sizeof path - 1};
    f4p_writer_record(w, F4P_RECORD_MODULE, 0, &module, sizeof module, path, sizeof path - 1);
    for (uint32_t i = 0; i < 2; i++) {
        struct f4p_thread thread = {.tid = 4711 + i, .flags = i == 0 ? F4P_THREAD_MAIN : 0};
        f4p_writer_record(w, F4P_RECORD_THREAD, 0, &thread, sizeof thread, i ? "reader" : "etl", i ? 6 : 3);
    }
    uint32_t module_node = f4p_writer_node(w, F4P_NONE, 0, 2), day = f4p_writer_node(w, module_node, 1, 2);
    uint32_t load = f4p_writer_node(w, day, 2, 0), load_next = f4p_writer_node(w, day, 2, 2);
    job->site[0] = f4p_writer_site(w, f4p_writer_node(w, load, 3, 4), 0);                        /* the cache */
    job->site[1] = f4p_writer_site(w, f4p_writer_node(w, load_next, 4, 2), 0);                   /* decoded text */
    job->site[2] = f4p_writer_site(w, f4p_writer_node(w, load_next, F4P_NODE_NATIVE, 0x400), 0); /* an array */
    uint32_t worker = f4p_writer_node(w, F4P_NONE, 5, 2);
    job->site[3] = f4p_writer_site(w, worker, 1);                                               /* the other thread */
    job->site[4] = f4p_writer_site(w, f4p_writer_node(w, worker, 2, 4), 1);                     /* the spike */
    job->site[5] = f4p_writer_site(w, f4p_writer_node(w, F4P_NONE, F4P_NODE_NATIVE, 0x800), 1); /* no Python */
}

static void make_facts(struct job *job)
{
    struct f4p_writer *w = &job->w;
    uint64_t pid = 4711;
    f4p_writer_fact(w, F4P_FACT_ID_PID, F4P_FACT_U64, &pid, sizeof pid);
    f4p_writer_fact(w, F4P_FACT_ID_COMMAND, F4P_FACT_LIST, "python3\0etl.py\0--day\0007", 23);
    f4p_writer_fact(w, F4P_FACT_ID_CWD, F4P_FACT_TEXT, "/srv/job", 8);
    f4p_writer_fact(w, F4P_FACT_ID_HOST, F4P_FACT_TEXT, "node7", 5);
    f4p_writer_fact(w, F4P_FACT_ID_PYTHON, F4P_FACT_TEXT, "3.11.2", 6);
}

static const char source[] = "import codecs\n\n\nclass Cache:\n    def __init__(self):\n        self.rows = {}\n\n\n"
                             "    def get(self, key):\n        return self.rows.get(key)\n\n"
                             "    def put(self, key, row):\n        key = key, row[0]\n"
                             "        self.rows[key] = row.split()\n        return row\n";

static void make_source(struct job *job)
{
    struct f4p_source head = {.file = string(job, "/srv/job/etl.py"), .first_line = 1};
    f4p_writer_record(&job->w, F4P_RECORD_SOURCE, 0, &head, sizeof head, source, sizeof source - 1);
}

static uint64_t alloc(struct job *job, unsigned site, uint64_t size, uint64_t t_ns)
{
    struct f4p_block_facts block = {job->next_address, size, job->site[site], 0, F4P_KIND_MALLOC};
    job->next_address += 1 << 30;
    f4p_writer_alloc(&job->w, &block, t_ns);
    return block.address;
}

static void release(struct job *job, uint64_t address, uint64_t t_ns)
{
    f4p_writer_free(&job->w, f4p_writer_find(&job->w, address), t_ns);
}

/* One step a second. */
static void run(struct job *job)
{
    uint64_t spike = 0;
    for (uint64_t second = 0; second < 100; second++) {
        uint64_t t = second * SECOND + SECOND / 2;
        alloc(job, 0, 4 * MIB, t); /* 400 MiB in the end */
        if (second % 2 == 0)
            alloc(job, 1, MIB, t + 1000);
        if (second == 10)
            alloc(job, 2, 16 * MIB, t + 2000);
        if (second < 32)
            alloc(job, 3, 256 << 10, t + 3000);
        if (second == 50)
            alloc(job, 5, MIB, t + 4000);
        if (second == 30)
            spike = alloc(job, 4, 160 * MIB, t + 5000);
        if (second == 30)
            release(job, spike, t + 200000000);
        uint64_t heap = job->w.state.live.bytes / F4P_Q8;
        f4p_writer_usage(&job->w, t + 300000000, heap + 30 * MIB, heap + 36 * MIB);
    }
}

static void seal_vitals(struct f4p_vitals *v)
{
    v->check = f4p_hash(v, offsetof(struct f4p_vitals, check), 0);
}

static void set_vital(struct f4p_vitals *v, enum f4p_vital which, uint64_t value)
{
    v->value[which] = value;
    v->valid |= 1ull << which;
}

static void *section(const struct job *job, enum f4p_section_kind kind)
{
    return job->base + f4p_layout_find(&job->header, kind)->offset;
}

static void end(struct job *job, int running)
{
    struct f4p_launch *launch = section(job, F4P_SECTION_LAUNCH);
    struct f4p_control *control = section(job, F4P_SECTION_CONTROL);
    uint64_t t = 100 * SECOND;
    struct f4p_vitals first = {.seq = 1, .t_ns = 1}, last = {.seq = 2, .t_ns = t};
    set_vital(&first, F4P_VITAL_cgroup_oom_kill, 0);
    set_vital(&first, F4P_VITAL_cgroup_limit, LIMIT);
    set_vital(&last, F4P_VITAL_rss, 505 * MIB);
    set_vital(&last, F4P_VITAL_rss_anon, 500 * MIB);
    set_vital(&last, F4P_VITAL_cgroup_usage, LIMIT - 4096);
    set_vital(&last, F4P_VITAL_cgroup_limit, LIMIT);
    set_vital(&last, F4P_VITAL_cgroup_anon, 504 * MIB);
    set_vital(&last, F4P_VITAL_cgroup_oom_kill, 0);
    seal_vitals(&first);
    seal_vitals(&last);
    control->first = launch->first = first;
    control->last[0] = launch->last[0] = last;
    if (running)
        return;
    set_vital(&last, F4P_VITAL_cgroup_oom_kill, 1);
    last.seq = 3;
    seal_vitals(&last);
    launch->end = last;
    struct f4p_launch_state state = {
        .seq = 2, .t_ns = t, .status = F4P_LAUNCH_ENDED, .pid = 4711, .wait_status = 9, .end_t_ns = t};
    state.check = f4p_hash(&state, offsetof(struct f4p_launch_state, check), 0);
    launch->state[0] = state;
}

static void seal_header(struct job *job)
{
    job->header.start_realtime_ns = 1795316400ull * SECOND;
    job->header.start_monotonic_ns = 1000 * SECOND;
    memset(job->header.job_id, 7, sizeof job->header.job_id);
    memset(job->header.trace_id, 8, sizeof job->header.trace_id);
    job->header.flags |= F4P_HEADER_LAUNCHER;
    f4p_layout_seal(&job->header);
    memcpy(job->base, &job->header, sizeof job->header);
}

int main(int argc, char **argv)
{
    struct f4p_layout layout = {.file_bytes = FILE_BYTES, .base_interval = 1};
    static struct job job;
    const char *kind = argc > 2 ? argv[2] : "";
    if (argc < 2 || f4p_layout_header(&job.header, &layout))
        return 2;
    int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)job.header.file_bytes)) {
        perror(argv[1]);
        return 1;
    }
    job.base = mmap(NULL, job.header.file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *memory = calloc(1, f4p_writer_memory(&job.header));
    if (job.base == MAP_FAILED || !memory)
        return 1;
    job.next_address = (uint64_t)1 << 40;
    seal_header(&job);
    f4p_writer_init(&job.w, job.base, &job.header, memory, 1);
    job.w.state.pid = 4711;
    make_facts(&job);
    make_codes(&job, strcmp(kind, "hostile") ? plain_names : hostile_names);
    make_stacks(&job);
    make_source(&job);
    f4p_writer_commit(&job.w, 1000);
    run(&job);
    end(&job, !strcmp(kind, "running"));
    if (!strcmp(kind, "damaged"))
        memset((uint8_t *)section(&job, F4P_SECTION_SITES) + 3 * sizeof(struct f4p_site), 0x5a, 64);
    free(memory);
    return 0;
}
