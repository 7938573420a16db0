#include "native.h"

#include <string.h>

#include "attributes.h"
#include "modules.h"
#include "native_cfi.h"
#include "python.h"
#include "real.h"

#define PAGE 4096u
#define RULE_BITS 14
#define PLACE_BITS 13
#define MAX_FOREIGN (1u << 20) /* bytes of a stack that is not the thread's own: a fiber's, a signal's */
#define MAX_PROBED (1u << 20)  /* bytes from a thread's stack pointer to what is known of its stack, looked at once */
#define MAX_SIGNALS 4
#define MAX_STEPS 1024           /* in search of Python */
#define MAIN_STACK (64ull << 20) /* nothing else is that near to the main thread's stack */

/* ---- the processor ---- */

#ifdef __x86_64__
#define SUPPORTED true

/* The frame pointer first: its register may be one of those written. */
#define HERE(cursor)                                                      \
    __asm__ volatile("mov %%rbp, %2\n\tmov %%rsp, %1\n\tlea 0(%%rip), %0" \
                     : "=r"((cursor).pc), "=r"((cursor).sp), "=r"((cursor).fp))

/* pthreads puts the thread's control block at the end of its stack. */
static inline uintptr_t thread_block(void)
{
    uintptr_t block;
    __asm__("mov %%fs:0, %0" : "=r"(block));
    return block;
}
#else
#define SUPPORTED false
#define HERE(cursor) ((cursor).pc = (cursor).sp = (cursor).fp = 0)

static inline uintptr_t thread_block(void)
{
    return 0;
}
#endif

/* ---- the thread's captured stack ---- */

struct captured {
    uintptr_t low; /* the thread's own stack is known to be readable from here to its end */
    uint16_t count;
    uint8_t end;    /* enum f4p_native_end */
    bool at_python; /* stopped at a frame of the interpreter's loop */
    uintptr_t address[F4P_NATIVE_DEPTH];
};

static THREAD_LOCAL struct captured captured;

static struct {
    enum f4p_native_mode mode;
    bool on;
    uintptr_t stack_end;  /* of the main thread */
    uintptr_t eval_start; /* the interpreter's loop */
    size_t eval_bytes;
    uintptr_t own_start, own_end; /* our code */
} here;

static inline bool is_eval(uintptr_t address)
{
    return address - here.eval_start < here.eval_bytes;
}

static inline bool is_own(uintptr_t address)
{
    return address - here.own_start < here.own_end - here.own_start;
}

/* ---- rules by address ---- */

/* Two words whose xor is the address: a torn pair matches nothing (Hyatt's lockless hashing). */
static struct {
    uint64_t key, rule;
} rules[1u << RULE_BITS];

#define RULE_FIELD 0xffffffu /* 24 bits, two's complement; the smallest: frame pointer not saved */
#define RULE_SAME 0x800000u

static uint64_t pack(struct f4p_rule rule, uint32_t generation)
{
    uint64_t fp = rule.fp == F4P_FP_SAME ? RULE_SAME : (uint32_t)rule.fp & RULE_FIELD;
    return rule.kind | (uint64_t)(generation & 0xff) << 4 | (uint64_t)((uint32_t)rule.cfa & RULE_FIELD) << 12 |
           fp << 36;
}

static inline struct f4p_rule unpack(uint64_t word)
{
    uint32_t fp = word >> 36 & RULE_FIELD;
    return (struct f4p_rule){word & 15, (int32_t)(uint32_t)(word >> 12 << 8) >> 8,
                             fp == RULE_SAME ? F4P_FP_SAME : (int32_t)(fp << 8) >> 8};
}

static COLD struct f4p_rule new_rule(uintptr_t address)
{
    const struct f4p_code_module *module = f4p_modules_find(address);
    if (!module)
        return (struct f4p_rule){F4P_RULE_NONE, 0, F4P_FP_SAME};
    struct f4p_rule rule = f4p_cfi_rule(module, address);
    uint64_t word = pack(rule, f4p_modules_generation());
    size_t slot = address * 0x9e3779b97f4a7c15u >> (64 - RULE_BITS);
    __atomic_store_n(&rules[slot].rule, word, __ATOMIC_RELAXED);
    __atomic_store_n(&rules[slot].key, address ^ word, __ATOMIC_RELAXED);
    return rule;
}

static inline struct f4p_rule rule_at(uintptr_t address, uint32_t generation)
{
    size_t slot = address * 0x9e3779b97f4a7c15u >> (64 - RULE_BITS);
    uint64_t word = __atomic_load_n(&rules[slot].rule, __ATOMIC_RELAXED);
    if (LIKELY((__atomic_load_n(&rules[slot].key, __ATOMIC_RELAXED) ^ word) == address &&
               (word >> 4 & 0xff) == (generation & 0xff)))
        return unpack(word);
    return new_rule(address);
}

/* ---- bounds ---- */

struct cursor {
    uintptr_t pc, sp, fp;
    uintptr_t start, end; /* of what may be read */
    bool foreign;         /* not the thread's own stack: `end` grows page by page as the kernel finds them readable */
};

static COLD bool probe_own(uintptr_t sp, uintptr_t end)
{
    uintptr_t known = captured.low ? captured.low : end;
    if (known - sp > MAX_PROBED || !f4p_memory_readable(sp, known - sp))
        return false;
    captured.low = sp & ~(uintptr_t)(PAGE - 1);
    return true;
}

static void set_bounds(struct cursor *c)
{
    uintptr_t block = thread_block();
    c->start = c->sp;
    c->foreign = false;
    if (c->sp < here.stack_end && here.stack_end - c->sp < MAIN_STACK) {
        c->end = here.stack_end;
    } else if (c->sp < block && ((captured.low && c->sp >= captured.low) || probe_own(c->sp, block))) {
        c->end = block;
    } else {
        c->foreign = true;
        c->end = (c->sp | (PAGE - 1)) + 1;
    }
}

static COLD bool extend(struct cursor *c, uintptr_t end)
{
    if (!c->foreign || end - c->start > MAX_FOREIGN || !f4p_memory_readable(c->end, end - c->end))
        return false;
    c->end = ((end - 1) | (PAGE - 1)) + 1;
    return true;
}

static inline bool read_word(struct cursor *c, uintptr_t at, uintptr_t *value)
{
    if (UNLIKELY(at % 8 || at < c->start || at > UINTPTR_MAX - 8))
        return false;
    if (UNLIKELY(at + 8 > c->end && !extend(c, at + 8)))
        return false;
    *value = *(const uintptr_t *)at;
    return true;
}

/* ---- walking ---- */

/* struct rt_sigframe without its return address, which has been popped: a ucontext_t. */
#define CONTEXT_FP 120
#define CONTEXT_SP 160
#define CONTEXT_PC 168

static COLD bool leave_signal(struct cursor *c)
{
    uintptr_t pc, sp, fp;
    if (!read_word(c, c->sp + CONTEXT_PC, &pc) || !read_word(c, c->sp + CONTEXT_SP, &sp) ||
        !read_word(c, c->sp + CONTEXT_FP, &fp))
        return false;
    *c = (struct cursor){.pc = pc, .sp = sp, .fp = fp};
    if (!f4p_memory_readable(sp, 8))
        return false;
    set_bounds(c);
    return true;
}

/* Code without tables that keeps frame pointers: generated code, mostly. */
static COLD bool follow_frame_pointer(struct cursor *c)
{
    uintptr_t pc, fp;
    if (c->fp < c->sp || !read_word(c, c->fp, &fp) || !read_word(c, c->fp + 8, &pc) || fp <= c->fp ||
        !f4p_modules_known(pc - 1))
        return false;
    c->sp = c->fp + 16;
    c->fp = fp;
    c->pc = pc;
    return true;
}

enum stepped { STEPPED, STEPPED_SIGNAL, STEPPED_END, STEPPED_EARLY };

static inline enum stepped step(struct cursor *c, struct f4p_rule rule)
{
    uintptr_t cfa, saved = c->fp;
    switch (rule.kind) {
    case F4P_RULE_SP:
        cfa = c->sp + (uintptr_t)(intptr_t)rule.cfa;
        break;
    case F4P_RULE_FP:
        cfa = c->fp + (uintptr_t)(intptr_t)rule.cfa;
        break;
    case F4P_RULE_DEREF:
        if (!read_word(c, c->fp + (uintptr_t)(intptr_t)rule.cfa, &cfa) ||
            !read_word(c, c->fp + (uintptr_t)(intptr_t)rule.fp, &saved))
            return STEPPED_EARLY;
        break;
    case F4P_RULE_SIGNAL:
        return leave_signal(c) ? STEPPED_SIGNAL : STEPPED_EARLY;
    case F4P_RULE_END:
        return STEPPED_END;
    case F4P_RULE_NONE:
        return follow_frame_pointer(c) ? STEPPED : STEPPED_EARLY;
    default:
        return STEPPED_EARLY;
    }
    if (UNLIKELY(cfa <= c->sp || !read_word(c, cfa - 8, &c->pc)))
        return STEPPED_EARLY;
    if (rule.kind != F4P_RULE_DEREF && rule.fp != F4P_FP_SAME &&
        UNLIKELY(!read_word(c, cfa + (uintptr_t)(intptr_t)rule.fp, &saved)))
        return STEPPED_EARLY;
    c->sp = cfa;
    c->fp = saved;
    return c->pc ? STEPPED : STEPPED_END;
}

/* `c` stands in the function that called walk(). Frames of ours are left out if `skip_own`. */
static enum f4p_native_end walk(struct cursor *c, struct captured *to, bool skip_own, bool until_python)
{
    uint32_t generation = f4p_modules_generation();
    uintptr_t address = c->pc;
    unsigned signals = 0, count = 0;
    set_bounds(c);
    for (;;) {
        enum stepped stepped = step(c, rule_at(address, generation));
        if (UNLIKELY(stepped >= STEPPED_END || (stepped == STEPPED_SIGNAL && ++signals > MAX_SIGNALS))) {
            to->count = (uint16_t)count;
            return stepped == STEPPED_END ? F4P_NATIVE_COMPLETE : F4P_NATIVE_EARLY;
        }
        address = c->pc - (stepped == STEPPED);
        if (stepped == STEPPED_SIGNAL && count)
            to->address[count - 1]++; /* what the handler returns to begins there; it was never called */
        if (until_python && is_eval(address)) {
            to->at_python = true;
            break;
        }
        if (skip_own && is_own(address))
            continue;
        skip_own = false;
        if (count == F4P_NATIVE_DEPTH)
            break;
        to->address[count++] = address;
    }
    to->count = (uint16_t)count;
    return to->at_python ? F4P_NATIVE_COMPLETE : F4P_NATIVE_DEEP;
}

__attribute__((noinline)) void f4p_native_capture(bool python)
{
    struct cursor cursor = {0};
    captured.count = 0;
    captured.at_python = false;
    if (!here.on)
        return;
    f4p_modules_refresh();
    HERE(cursor);
    captured.end = (uint8_t)walk(&cursor, &captured, true, python && here.mode == F4P_NATIVE_LEAF);
}

__attribute__((noinline)) size_t f4p_native_walk(uintptr_t *addresses, size_t room, enum f4p_native_end *end)
{
    struct cursor cursor = {0};
    HERE(cursor);
    captured.at_python = false;
    *end = walk(&cursor, &captured, false, false);
    size_t count = captured.count < room ? captured.count : room;
    if (count < captured.count)
        *end = F4P_NATIVE_DEEP;
    memcpy(addresses, captured.address, count * sizeof(*addresses));
    return count;
}

__attribute__((noinline)) bool f4p_native_runs_in(uintptr_t start, uintptr_t end)
{
    struct cursor cursor = {0};
    uint32_t generation = f4p_modules_generation();
    unsigned signals = 0;
    HERE(cursor);
    uintptr_t address = cursor.pc;
    set_bounds(&cursor);
    for (unsigned i = 0; SUPPORTED && i < MAX_STEPS; i++) {
        enum stepped stepped = step(&cursor, rule_at(address, generation));
        if (stepped >= STEPPED_END || (stepped == STEPPED_SIGNAL && ++signals > MAX_SIGNALS))
            return false;
        address = cursor.pc - (stepped == STEPPED);
        if (address - start < end - start)
            return true;
    }
    return false;
}

/* ---- nodes ---- */

static struct {
    uintptr_t address;
    uint32_t object, offset;
} places[1u << PLACE_BITS];
static uint32_t places_generation;

/*
 * The nodes of the last stack, outermost first. The next one mostly begins as it did, and to compare an array is
 * cheaper than to look up places and nodes that no cache holds.
 */
static struct {
    struct {
        uint64_t frame; /* an address; with OBJECT set, what a node has as its object */
        uint32_t offset, node;
    } step[1 + F4P_NATIVE_DEPTH + F4P_PYTHON_FRAMES];
    unsigned count, at; /* at: steps that the present stack has */
    bool same;          /* so far */
} last;

#define OBJECT (1ull << 63)

static void path_begin(void)
{
    last.same = true;
    last.at = 0;
}

/* The node of the next step; F4P_NONE: not that of the last stack. */
static inline uint32_t path_step(uint64_t frame, uint32_t offset)
{
    last.same =
        last.same && last.at < last.count && last.step[last.at].frame == frame && last.step[last.at].offset == offset;
    return last.same ? last.step[last.at++].node : F4P_NONE;
}

/* false: no room. */
static inline bool path_add(uint64_t frame, uint32_t offset, uint32_t node)
{
    if (node == F4P_NONE)
        return false;
    last.step[last.at].frame = frame;
    last.step[last.at].offset = offset;
    last.step[last.at].node = node;
    last.count = ++last.at;
    return true;
}

static uint32_t native_node(struct f4p_writer *w, uint32_t parent, uintptr_t address)
{
    size_t slot = address * 0x9e3779b97f4a7c15u >> (64 - PLACE_BITS);
    if (places[slot].address != address) {
        const struct f4p_code_module *module = f4p_modules_known(address);
        uint32_t id = module && address - module->bias <= UINT32_MAX ? f4p_modules_record(w, module) : F4P_NONE;
        if (id == F4P_NONE)
            return f4p_writer_node(w, parent, F4P_NODE_SPECIAL + F4P_SPECIAL_UNKNOWN_NATIVE, 0);
        places[slot].address = address;
        places[slot].object = F4P_NODE_NATIVE + id;
        places[slot].offset = (uint32_t)(address - module->bias);
    }
    return f4p_writer_node(w, parent, places[slot].object, places[slot].offset);
}

/* false: no room. */
static bool put_native(struct f4p_writer *w, uintptr_t address, uint32_t *node)
{
    uint32_t next = path_step(address, 0);
    if (next == F4P_NONE && !path_add(address, 0, next = native_node(w, *node, address)))
        return false;
    *node = next;
    return true;
}

static bool put_object(struct f4p_writer *w, uint32_t object, uint32_t offset, uint32_t *node)
{
    uint32_t next = path_step(OBJECT | object, offset);
    if (next == F4P_NONE && !path_add(OBJECT | object, offset, next = f4p_writer_node(w, *node, object, offset)))
        return false;
    *node = next;
    return true;
}

/*
 * Python frames between the native ones. A run of Python frames, up to one that was entered from C, stands where a
 * frame of the interpreter's loop does; the innermost run at the innermost such frame. Runs without one are outside of
 * what was captured.
 */
struct mixed {
    const struct f4p_python_frame *frames; /* innermost first */
    unsigned count, runs, loops;
    uint16_t run_end[F4P_PYTHON_FRAMES];
    bool placed; /* loops and runs belong together */
};

static void find_runs(struct mixed *m, bool cut)
{
    const struct captured *c = &captured;
    m->runs = m->loops = 0;
    for (unsigned i = 0; i < m->count; i++)
        if (m->frames[i].entry || i + 1 == m->count)
            m->run_end[m->runs++] = (uint16_t)(i + 1);
    for (unsigned i = 0; i < c->count; i++)
        m->loops += is_eval(c->address[i]);
    bool whole = c->end == F4P_NATIVE_COMPLETE && !c->at_python && !cut;
    m->placed = m->loops && (whole ? m->loops == m->runs : m->loops <= m->runs);
}

static bool put_run(struct f4p_writer *w, const struct mixed *m, unsigned run, uint32_t *node)
{
    unsigned first = run ? m->run_end[run - 1] : 0;
    for (unsigned i = m->run_end[run]; i-- > first;)
        if (!put_object(w, f4p_python_object(w, &m->frames[i]), m->frames[i].offset, node))
            return false;
    return true;
}

static uint32_t put_mixed(struct f4p_writer *w, const struct mixed *m, uint32_t node)
{
    const struct captured *c = &captured;
    unsigned loop = m->placed ? m->loops : 0, from = c->count;
    if (!m->placed) /* Python's frames, then what is below all of the interpreter's loops */
        for (from = 0; from < c->count && !is_eval(c->address[from]);)
            from++;
    for (unsigned run = m->runs; run-- > loop;)
        if (!put_run(w, m, run, &node))
            return node;
    for (unsigned i = from; i-- > 0;) {
        bool fits = is_eval(c->address[i]) ? put_run(w, m, --loop, &node) : put_native(w, c->address[i], &node);
        if (!fits)
            return node;
    }
    return node;
}

static void forget_nodes(void)
{
    memset(places, 0, sizeof(places));
    last.count = 0;
}

uint32_t f4p_native_stack(struct f4p_writer *w, void *thread_state)
{
    static struct mixed m; /* under the lock; the job's stack may be small */
    const struct captured *c = &captured;
    bool cut = false;

    if (places_generation != f4p_modules_generation()) {
        forget_nodes();
        places_generation = f4p_modules_generation();
    }
    m.count = f4p_python_frames(w, thread_state, &m.frames, &cut);
    if (!m.count && !c->count)
        return F4P_NONE;
    find_runs(&m, cut);
    bool early = c->end == F4P_NATIVE_EARLY, deep = c->end == F4P_NATIVE_DEEP;
    /* Loops that do not match: no captured stack is wrong, but its place among Python's frames is not known. */
    if (here.on && (early || (m.count && !m.placed && !c->at_python)))
        f4p_writer_lost(w, F4P_LOSS_native);
    else if (deep && !m.count)
        f4p_writer_lost(w, F4P_LOSS_depth);
    uint32_t node = F4P_NONE;
    path_begin();
    if (cut || (c->count && !m.count && (early || deep)))
        put_object(w, F4P_NODE_SPECIAL + F4P_SPECIAL_TRUNCATED, 0, &node);
    return put_mixed(w, &m, node);
}

/* ---- start, fork ---- */

extern const char own_start[] __asm__("__ehdr_start") __attribute__((visibility("hidden")));
extern const char own_end[] __asm__("etext") __attribute__((visibility("hidden")));

void f4p_native_start(enum f4p_native_mode mode)
{
    size_t bytes = 0;
    void **stack_end = f4p_symbol("__libc_stack_end");
    here.mode = mode;
    here.on = SUPPORTED && mode != F4P_NATIVE_OFF;
    here.stack_end = stack_end ? (uintptr_t)*stack_end & ~(uintptr_t)7 : 0;
    here.own_start = (uintptr_t)own_start;
    here.own_end = (uintptr_t)own_end;
    here.eval_start = (uintptr_t)f4p_symbol_sized("_PyEval_EvalFrameDefault", &bytes);
    here.eval_bytes = bytes;
    f4p_modules_start();
}

void f4p_native_eval(uintptr_t start, size_t bytes)
{
    __atomic_store_n(&here.eval_bytes, 0, __ATOMIC_SEQ_CST); /* in between nothing is of the loop */
    __atomic_store_n(&here.eval_start, start, __ATOMIC_SEQ_CST);
    __atomic_store_n(&here.eval_bytes, bytes, __ATOMIC_SEQ_CST);
}

void f4p_native_facts(struct f4p_writer *w)
{
    static const char *const texts[] = {
#define X(name, text) text,
        F4P_NATIVE_MODES(X)
#undef X
    };
    const char *text = SUPPORTED ? texts[here.mode] : "off: not on this processor";
    f4p_writer_fact(w, F4P_FACT_ID_NATIVE_MODE, F4P_FACT_TEXT, text, strlen(text));
}

void f4p_native_forget(void)
{
    forget_nodes();
    f4p_modules_forget();
}

void f4p_native_reset(void)
{
    f4p_modules_reset();
    f4p_native_forget();
}
