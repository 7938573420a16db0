/*
 * What code is loaded where: read from /proc/self/maps with plain system calls when an address is met that is in no
 * known module. No dl_* call: their lock may be held by a thread that waits for the one that is allocating. Looking up
 * takes no lock; what was unloaded keeps its entry, so that what is loaded there next is told apart.
 */
#ifndef FIL4PROD_MODULES_H
#define FIL4PROD_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/writer.h"

#define F4P_BUILD_ID_MAX 32u

struct f4p_code_module {
    uintptr_t start, end;      /* mapped addresses, all segments */
    uintptr_t bias;            /* address in memory - address in the ELF file */
    uintptr_t eh_header;       /* .eh_frame_hdr in memory; 0: none that we can read */
    uintptr_t eh_low, eh_high; /* bytes of the segment it lies in, mapped */
    uint64_t eh_look;          /* the header's first eight bytes: still the same module? */
    bool stays;                /* was there at the start: never unloaded */
    bool python;               /* has CPython's functions, where there was none at the start */
    uint64_t device, inode;    /* of its file; 0: none */
    const char *path;          /* as in maps, without " (deleted)"; "[generated code]" for anonymous memory */
    uint32_t path_bytes;
    uint32_t build_id_bytes;
    uint8_t build_id[F4P_BUILD_ID_MAX];
};

/** Takes note of what is loaded now, before the program's own code runs: that stays. Not in a hook. */
void f4p_modules_start(void);

/** The module with code at `address`, or NULL. Reads the map again if it has to and if that is not too often. Not under
 * the recorder's lock. errno is kept. */
const struct f4p_code_module *f4p_modules_find(uintptr_t address);

/** The same from what is known already. Lock-free, no system call. */
const struct f4p_code_module *f4p_modules_known(uintptr_t address);

/** Some known module may not be what it was: until the map was read again, nothing is known. */
void f4p_modules_stale(void);

/** If so, reads the map if that is not too often. Not under the recorder's lock. errno is kept. */
void f4p_modules_refresh(void);

/** What dlclose does. */
int f4p_modules_close(void *handle);

/** Grows whenever modules have gone, or may have: what was remembered of addresses may be wrong. */
uint32_t f4p_modules_generation(void);

/** A module of the newest reading that has CPython's functions where there was none at the start, the same one while it
 * stays; NULL: there is none, or it may be going at this moment. Not under the recorder's lock. errno is kept. */
const struct f4p_code_module *f4p_modules_python(void);

/** Id of its MODULE record, written when it is asked for first; F4P_NONE: no room. Under the recorder's lock. */
uint32_t f4p_modules_record(struct f4p_writer *w, const struct f4p_code_module *module);

/** New trace: records are written anew. Under the recorder's lock, or alone. */
void f4p_modules_forget(void);

/** In a forked child, alone: a thread of the parent may have been in here. */
void f4p_modules_reset(void);

/** Whether [address, address + bytes) can be read, without touching it: the kernel looks. */
bool f4p_memory_readable(uintptr_t address, size_t bytes);

/** Copies memory that another thread may be unmapping at this moment. false: not all of it could be read. */
bool f4p_memory_read(void *to, uintptr_t address, size_t bytes);

#endif
