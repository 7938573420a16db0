/*
 * How to get from a frame to its caller: the few forms that compilers' unwind tables (.eh_frame) take on x86-64, packed
 * into a word, so that a cache can hold them.
 *
 * Vocabulary: CFA, the value the stack pointer had in the caller before the call; the return address stands below it.
 */
#ifndef FIL4PROD_NATIVE_CFI_H
#define FIL4PROD_NATIVE_CFI_H

#include <stdbool.h>
#include <stdint.h>

#include "modules.h"

enum f4p_rule_kind {
    F4P_RULE_NONE = 1,   /* no table says anything: only the frame pointer may help */
    F4P_RULE_END = 2,    /* the outermost frame */
    F4P_RULE_SP = 3,     /* CFA = stack pointer + cfa; frame pointer, if saved, at CFA + fp */
    F4P_RULE_FP = 4,     /* CFA = frame pointer + cfa; likewise */
    F4P_RULE_DEREF = 5,  /* CFA = word at frame pointer + cfa; frame pointer saved at frame pointer + fp */
    F4P_RULE_SIGNAL = 6, /* the kernel's signal frame: all registers on the stack */
    F4P_RULE_LOST = 7    /* a form beyond these */
};

struct f4p_rule {
    uint8_t kind;
    int32_t cfa;
    int32_t fp; /* F4P_FP_SAME: not saved */
};

#define F4P_FP_SAME INT32_MIN

/** The rule at `address` (an address inside the instruction, for callers inside the call). Reads the module's tables;
 * anything odd gives LOST or NONE. */
struct f4p_rule f4p_cfi_rule(const struct f4p_code_module *module, uintptr_t address);

#endif
