/* What crash_victim writes about its blocks into memory that outlives it. */
#ifndef FIL4PROD_CRASH_VICTIM_H
#define FIL4PROD_CRASH_VICTIM_H

#include <stdint.h>

#define VICTIM_THREADS 8u
#define VICTIM_SLOTS 48u
/* Its blocks are told from those of libc by their size. */
#define VICTIM_MARK 0x35bu
#define VICTIM_MARKED(size) (((size)&0xfffu) == VICTIM_MARK)

enum victim_phase { VICTIM_IDLE, VICTIM_ALLOC, VICTIM_FREE, VICTIM_REALLOC };

/* A slot with an address is a block whose call has returned and whose next call has not begun. */
struct victim_slot {
    volatile uint64_t address, size;
};

struct victim_thread {
    volatile uint32_t phase;
    volatile uint32_t slot; /* the call in flight is about this one */
    volatile uint64_t from_address, from_size, to_size;
    volatile uint64_t calls;
    struct victim_slot slots[VICTIM_SLOTS];
};

struct victim_log {
    volatile uint32_t ready;
    struct victim_thread threads[VICTIM_THREADS];
};

#endif
