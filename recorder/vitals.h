/*
 * Memory facts of a moment: of a process, of its memory cgroup (v1 or v2) and of the machine. Shared by the launcher
 * and the preload library, which calls it inside somebody's malloc: only open, read and close as plain system calls
 * (no cancellation point, nothing another library could have interposed), no allocation, no stdio, no locale, little
 * stack; errno is kept. What cannot be read is not valid; nothing here fails otherwise.
 *
 * Vocabulary
 *   own      the nearest cgroup, going up from the process's, that accounts for memory.
 *   tightest the ancestor of `own`, as far as visible from here, with the lowest limit.
 */
#ifndef FIL4PROD_VITALS_H
#define FIL4PROD_VITALS_H

#include <stdbool.h>
#include <stdint.h>

#include "format/format.h"

enum f4p_vitals_groups {
    F4P_VITALS_PROCESS = 1,     /* RSS and its parts, swap, address space, threads: one file */
    F4P_VITALS_OOM_SCORE = 2,   /* oom_score and oom_score_adj: two files */
    F4P_VITALS_CGROUP = 4,      /* usage, limits, peak and events: four to ten files; near a limit CGROUP_STAT, too */
    F4P_VITALS_CGROUP_STAT = 8, /* anonymous and cache share: one or two files, at times costly ones */
    F4P_VITALS_MACHINE = 16,    /* memory total and available, pressure, OOM kills: three files */
    F4P_VITALS_ALL = 31
};

#define F4P_VITALS_PATH 1024u /* longest directory name that is followed */

/* Where the facts stand, resolved once. The caller owns the memory (about 7 KiB; not for a small stack) and keeps it
 * from being used by two threads at a time; its contents are private to vitals.c but for the two marked ones. */
struct f4p_vitals_source {
    uint32_t version;             /* public: 1 or 2; 0: no memory cgroup was found */
    char cgroup[F4P_VITALS_PATH]; /* public: name of the process's memory cgroup as /proc/PID/cgroup has it */
    char root[128];
    char process[32];          /* "/proc/self" or "/proc/PID" */
    char own[F4P_VITALS_PATH]; /* directory, below root */
    uint32_t own_bytes;
    uint32_t mount_bytes;    /* own[0 .. mount_bytes) is the mount point */
    uint32_t tightest_bytes; /* own[0 .. tightest_bytes) is the tightest; 0: no ancestor has a limit */
    uint64_t membership;     /* hash of /proc/PID/cgroup when it was resolved */
    uint64_t hierarchical;   /* v1: the lowest limit up to the root as memory.stat had it last; 0: not known */
    char path[F4P_VITALS_PATH + 256];
    char buffer[4096];
};

/**
 * Finds the files. Reads /proc/PID/cgroup and /proc/self/mountinfo and looks at each ancestor's limit.
 * @param root directory that stands for "/", "" for the real one (tests use recorded trees); shorter than 128 bytes.
 * @param pid  0: the calling process.
 */
void f4p_vitals_resolve(struct f4p_vitals_source *source, const char *root, uint32_t pid);

/** true if the process is in other cgroups than when `source` was resolved: resolve again. One file. */
bool f4p_vitals_moved(struct f4p_vitals_source *source);

/** Reads `groups` (enum f4p_vitals_groups) into value[] and sets their valid bits; everything else is left alone. With
 * both PROCESS and CGROUP, survived_oom_kill, too, if the process is not about to end. */
void f4p_vitals_read(struct f4p_vitals_source *source, unsigned groups, struct f4p_vitals *facts);

/** Adds one fact that was learnt elsewhere. */
void f4p_vitals_set(struct f4p_vitals *facts, enum f4p_vital which, uint64_t value);

/**
 * Publishes `facts` in a slot of a mapped trace, so that a kill at any instruction leaves it valid or visibly not:
 * the slot's check is spoilt, then the contents are written, then the check. Not for two writers at a time. For a pair,
 * write the slot `seq & 1`.
 * @param seq  >= 1, rising.
 * @param t_ns since header.start_monotonic_ns.
 */
void f4p_vitals_publish(struct f4p_vitals *slot, struct f4p_vitals *facts, uint64_t seq, uint64_t t_ns);

#endif
