/*
 * Random SIGKILL: a multi-threaded program under the real library in exact mode is killed at a random instant; what the
 * real reader finds in its trace must be what the program's own book says, but for the one call of each thread that was
 * in flight.
 *
 * usage: crash_kill LIBRARY VICTIM DIRECTORY [--kills N] [--seed N]
 * Exit status 0: no trace was wrong; 1: one was, and is kept in DIRECTORY.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "format/reader.h"
#include "victim.h"

#define LIVE_ROOM 65536u

static struct {
    uint64_t kills, unborn, in_flight, undone, reallocs, blocks, calls, moves;
} covered;

static char path[4096];
static struct victim_log *book;
static bool used[LIVE_ROOM];

static void die(const char *what, uint64_t address, uint64_t size)
{
    printf("WRONG after %llu kills: %s (%llu bytes at 0x%llx); %s\n", (unsigned long long)covered.kills, what,
           (unsigned long long)size, (unsigned long long)address, path);
    exit(1);
}

/* ---- comparing ---- */

static bool take(const struct f4p_trace *trace, uint64_t address, uint64_t size)
{
    for (size_t i = 0; i < trace->live_count; i++) {
        const struct f4p_live *entry = &trace->live[i];
        if (used[i] || entry->size != size || entry->address != address)
            continue;
        used[i] = true;
        return true;
    }
    return false;
}

static void compare_slots(const struct f4p_trace *trace)
{
    for (unsigned i = 0; i < VICTIM_THREADS; i++) {
        covered.calls += book->threads[i].calls;
        for (unsigned j = 0; j < VICTIM_SLOTS; j++) {
            const struct victim_slot *slot = &book->threads[i].slots[j];
            if (!slot->address)
                continue;
            covered.blocks++;
            if (!take(trace, slot->address, slot->size))
                die("a live block is not in the trace", slot->address, slot->size);
        }
    }
}

static bool in_flight(const struct victim_thread *t)
{
    return t->phase != VICTIM_IDLE && !t->slots[t->slot].address;
}

/* Whether the call in flight of `t` may have left this entry. */
static bool explains(const struct victim_thread *t, const struct f4p_live *entry)
{
    bool old = entry->address == t->from_address && entry->size == t->from_size;
    return in_flight(t) &&
           ((t->phase != VICTIM_ALLOC && old) || (t->phase != VICTIM_FREE && entry->size == t->to_size));
}

/* Gives each entry from `i` on that no slot has taken a thread of its own that explains it, so that each thread in
 * realloc has one. An address that one thread gives back may already be another's: only all together can tell. */
static bool assign(const struct f4p_trace *trace, size_t i, unsigned taken)
{
    while (i < trace->live_count && (used[i] || !VICTIM_MARKED(trace->live[i].size)))
        i++;
    for (unsigned t = 0; t < VICTIM_THREADS; t++) {
        const struct victim_thread *thread = &book->threads[t];
        if (i == trace->live_count) {
            if (in_flight(thread) && thread->phase == VICTIM_REALLOC && !(taken & 1u << t))
                return false;
        } else if (!(taken & 1u << t) && explains(thread, &trace->live[i]) && assign(trace, i + 1, taken | 1u << t)) {
            return true;
        }
    }
    return i == trace->live_count;
}

static void compare_flight(const struct f4p_trace *trace)
{
    for (unsigned i = 0; i < VICTIM_THREADS; i++) {
        covered.in_flight += in_flight(&book->threads[i]);
        covered.reallocs += in_flight(&book->threads[i]) && book->threads[i].phase == VICTIM_REALLOC;
    }
    if (!assign(trace, 0, 0))
        die("the calls in flight do not explain what is in the trace: a block is lost, or was never there", 0, 0);
}

static void compare(const struct f4p_trace *trace)
{
    const struct f4p_state *s = &trace->state;
    if (!trace->damage.live_sound)
        die("the live set is not sound", 0, 0);
    if (!trace->damage.peak_sound)
        die("the peak is not sound", 0, 0);
    for (int i = 0; i < F4P_LOSS_COUNT; i++)
        if (s->lost[i] && i != F4P_LOSS_failed && i != F4P_LOSS_sites_full)
            die("something was lost", (uint64_t)i, s->lost[i]);
    if (s->thinned)
        die("a block was thinned in exact mode", 0, s->thinned);
    covered.undone += trace->op_in_flight;
    memset(used, 0, sizeof used);
    if (trace->live_count > LIVE_ROOM)
        die("too many blocks", 0, trace->live_count);
    compare_slots(trace);
    compare_flight(trace);
}

/* `early`: the kill may have come before the trace had a first state. */
static void judge(bool early)
{
    struct f4p_trace *trace;
    struct f4p_error error;
    if (f4p_trace_open(path, &trace, &error)) {
        bool unborn = error.code == F4P_READ_IO || error.code == F4P_READ_EMPTY || error.code == F4P_READ_NOT_TRACE;
        if (!early || !unborn)
            die(error.text, 0, 0);
        covered.unborn++;
        return;
    }
    if (early && trace->state.commit == 0)
        covered.unborn++; /* the file is there, but nothing had been committed to it */
    else
        compare(trace);
    f4p_trace_close(trace);
}

/* ---- killing ---- */

static void pause_us(uint64_t us)
{
    struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    nanosleep(&t, NULL);
}

static pid_t start(const char *library, const char *victim, int fd, uint64_t seed, const char *min_heap)
{
    char number[24], seed_text[24];
    snprintf(number, sizeof number, "%d", fd);
    snprintf(seed_text, sizeof seed_text, "%llu", (unsigned long long)seed);
    fflush(stdout);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    setenv("LD_PRELOAD", library, 1);
    setenv("FIL4PROD_INTERVAL", "1", 1);
    setenv("FIL4PROD_SIZE", "1M", 1);
    setenv("FIL4PROD_MIN_HEAP", min_heap, 1);
    setenv("FIL4PROD_OUTPUT", path, 1);
    execl(victim, victim, number, seed_text, (char *)NULL);
    _exit(127);
}

static uint64_t calls_made(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < sizeof book->threads / sizeof book->threads[0]; i++)
        sum += book->threads[i].calls;
    return sum;
}

static void one(const char *library, const char *victim, int fd, uint64_t seed)
{
    static uint64_t random = 88172645463325252u;
    random = random * 6364136223846793005u + seed * 2 + 1;
    uint64_t r = random >> 20;
    bool moves = r % 4 == 0, soon = r / 4 % 8 == 0;
    unlink(path);
    memset(book, 0, sizeof *book);
    pid_t pid = start(library, victim, fd, seed, moves ? "256K" : "0");
    if (pid < 0)
        die(strerror(errno), 0, 0);
    for (int i = 0; !soon && !book->ready && i < 20000; i++)
        pause_us(50);
    bool ready = book->ready;
    /* By what it has done, not by time alone: on a busy machine little is done in milliseconds. */
    for (int i = 0; ready && calls_made() < r / 32 % 1000 && i < 2000; i++)
        pause_us(50);
    pause_us(r / 32 % (soon ? 6000 : 1000));
    kill(pid, SIGKILL);
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        die("the program ended by itself", 0, (uint64_t)status);
    covered.kills++;
    covered.moves += moves;
    judge(moves || soon || !ready);
}

int main(int argc, char **argv)
{
    uint64_t kills = 100, seed = 1;
    if (argc < 4)
        return fprintf(stderr, "usage: crash_kill LIBRARY VICTIM DIRECTORY [--kills N] [--seed N]\n"), 2;
    for (int i = 4; i + 1 < argc; i += 2)
        *(strcmp(argv[i], "--kills") == 0 ? &kills : &seed) = strtoull(argv[i + 1], NULL, 10);
    snprintf(path, sizeof path, "%s/kill.trace", argv[3]);
    int fd = memfd_create("victim_log", 0);
    if (fd < 0 || ftruncate(fd, sizeof *book))
        return perror("memfd_create"), 2;
    book = mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (book == MAP_FAILED)
        return perror("mmap"), 2;
    for (uint64_t i = 0; i < kills; i++)
        one(argv[1], argv[2], fd, seed + i);
    unlink(path);
    printf("kills %llu\nbefore the first state %llu\ncalls in flight %llu\nof them realloc %llu\nops undone %llu\n"
           "blocks compared %llu\ncalls made %llu\n",
           (unsigned long long)covered.kills, (unsigned long long)covered.unborn, (unsigned long long)covered.in_flight,
           (unsigned long long)covered.reallocs, (unsigned long long)covered.undone, (unsigned long long)covered.blocks,
           (unsigned long long)covered.calls);
    return 0;
}
