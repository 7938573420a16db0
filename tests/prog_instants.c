/*
 * A job that knows its own heap at any time: five lines hold blocks, and grow and shrink towards levels that change at
 * random. From time to time it notes the time and what each line holds; at its end it prints the notes,
 * "REALTIME_NS BYTES0 ... BYTES4" each, and dies by SIGKILL. usage: prog_instants SEED
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LINES 5
#define SLOTS 60000
#define STEPS 120000
#define NOTES 120

struct block {
    void *memory;
    size_t bytes;
};

static struct line {
    struct block blocks[SLOTS];
    size_t count;
    uint64_t bytes, level;
} lines[LINES];

static struct note {
    uint64_t t_ns, bytes[LINES];
} notes[NOTES];

static uint64_t state;

static uint64_t next(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

#define HOLD(number)                                                   \
    __attribute__((noinline)) static void *hold_##number(size_t bytes) \
    {                                                                  \
        void *volatile memory = malloc(bytes);                         \
        return memory;                                                 \
    }
HOLD(0)
HOLD(1)
HOLD(2)
HOLD(3)
HOLD(4)
static void *(*const hold[LINES])(size_t) = {hold_0, hold_1, hold_2, hold_3, hold_4};
static const uint64_t highest[LINES] = {8 << 20, 6 << 20, 12 << 20, 4 << 20, 16 << 20};

/* Each line has sizes of its own: one size, few, many; small ones and some large. */
static size_t size(int line)
{
    switch (line) {
    case 0:
        return 400;
    case 1:
        return 64 << next() % 4;
    case 2:
        return 1 + next() % 2000;
    case 3:
        return 100;
    default:
        return next() % 8 ? 1 + next() % 500 : 1 + next() % 60000;
    }
}

static void step(int number)
{
    struct line *line = &lines[number];
    if (next() % 3000 == 0 || !line->level)
        line->level = highest[number] / 4 + next() % (highest[number] / 4 * 3);
    if (line->bytes < line->level && line->count < SLOTS) {
        struct block *block = &line->blocks[line->count++];
        block->bytes = size(number);
        block->memory = hold[number](block->bytes);
        line->bytes += block->bytes;
    } else if (line->count) {
        struct block *block = &line->blocks[next() % line->count];
        free(block->memory);
        line->bytes -= block->bytes;
        *block = line->blocks[--line->count];
    }
}

static void note(struct note *note)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    note->t_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    for (int i = 0; i < LINES; i++)
        note->bytes[i] = lines[i].bytes;
}

static void print_notes(void)
{
    static char text[NOTES * LINES * 24];
    size_t used = 0;
    for (int i = 0; i < NOTES; i++) {
        used += (size_t)sprintf(text + used, "%llu", (unsigned long long)notes[i].t_ns);
        for (int j = 0; j < LINES; j++)
            used += (size_t)sprintf(text + used, " %llu", (unsigned long long)notes[i].bytes[j]);
        text[used++] = '\n';
    }
    for (size_t done = 0; done < used;) {
        ssize_t wrote = write(1, text + done, used - done);
        if (wrote <= 0)
            exit(1);
        done += (size_t)wrote;
    }
}

int main(int argc, char **argv)
{
    state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    for (int i = 0; i < STEPS; i++) {
        for (int burst = 0; burst < 8; burst++)
            step((int)(next() % LINES));
        if (i % (STEPS / NOTES) == STEPS / NOTES - 1)
            note(&notes[i / (STEPS / NOTES)]);
    }
    print_notes();
    kill(getpid(), SIGKILL);
    return 1;
}
