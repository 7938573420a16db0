/*
 * What a process may spend on looking at itself, where no launcher does that from outside: a share of the time that it
 * runs or sleeps. Of wall time on a crowded CPU a share would be several times as much of what the process gets there,
 * and of CPU time too little in a job that waits; so the time it stands in line is left out. For who looks
 * (recorder/look.h).
 */
#ifndef FIL4PROD_ALLOWANCE_H
#define FIL4PROD_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

/* Private, zero at first. In ns. */
struct f4p_allowance {
    uint64_t spent_ns;
    uint64_t ask_ns; /* no answer changes before */
    uint32_t generation;
};

/** Whether, at `now_ns` of the session, enough is left of it for what will take `cpu_ns`, an estimate (0: whether
 * nothing is owed). */
bool f4p_allowance_left(struct f4p_allowance *a, uint64_t cpu_ns, uint64_t now_ns);

/** `cpu_ns` were spent. Returns what the CPU budget owes for it. */
uint64_t f4p_allowance_spend(struct f4p_allowance *a, uint64_t cpu_ns);

#endif
