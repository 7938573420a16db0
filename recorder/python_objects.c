/*
 * Objects that pymalloc would serve from its arenas. A sampled one is taken from the C allocator instead: pymalloc's
 * free and realloc pass pointers that are not theirs on to free and realloc, which are hooked already, so nothing needs
 * to be done when an object dies. Objects of more than 512 bytes go to malloc by themselves.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "attributes.h"
#include "python.h"
#include "real.h"
#include "sample.h"
#include "session.h"
#include "thread.h"

#define SMALL 512 /* the largest request pymalloc serves itself */

struct allocator { /* PyMemAllocatorEx */
    void *context;
    void *(*malloc)(void *context, size_t size);
    void *(*calloc)(void *context, size_t count, size_t size);
    void *(*realloc)(void *context, void *block, size_t size);
    void (*free)(void *context, void *block);
};

enum domain { DOMAIN_MEM = 1, DOMAIN_OBJ = 2 };

/* What stood there before, by domain. Callers load function and context separately, so the context they pass may be
 * another allocator's: ours is the one kept here. */
static struct allocator inner[3];

static struct { /* PyMem_RawMalloc, PyMem_RawCalloc */
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
} raw;

/* The next block that the C allocator hands out is a sample of `size` bytes, whatever it is asked for. */
static void announce(struct f4p_thread_state *t, size_t size, uint8_t shift)
{
    t->left = 0;
    t->object_size = size ? size : 1;
    t->object_shift = shift;
}

static COLD void *grown_object(struct allocator *a, void *block, size_t size, uintptr_t frame)
{
    struct f4p_thread_state *t = &f4p_thread;
    uint8_t shift;
    if (!f4p_sample_due(size, &shift, frame))
        return block;
    /* More than pymalloc serves makes it move the contents to the C allocator. */
    uint64_t left = t->left;
    announce(t, size, shift);
    void *moved = a->realloc(a->context, block, SMALL + 1);
    t->object_size = 0;
    t->left = left;
    return moved ? moved : block;
}

/* Not malloc itself: pymalloc gives what is not its own to PyMem_RawFree, which may want it with marks around it. */
static COLD void *new_object(struct allocator *a, size_t size, bool zero, uintptr_t frame)
{
    struct f4p_thread_state *t = &f4p_thread;
    uint8_t shift;
    if (!f4p_sample_due(size, &shift, frame))
        return zero ? a->calloc(a->context, 1, size) : a->malloc(a->context, size);
    uint64_t left = t->left;
    announce(t, size, shift);
    void *block = zero ? raw.calloc(1, size) : raw.malloc(size);
    t->object_size = 0;
    t->left = left;
    return block;
}

static inline void *object_malloc(struct allocator *a, size_t size, uintptr_t frame)
{
    if (size <= SMALL && UNLIKELY(f4p_thread_take(size)))
        return new_object(a, size, false, frame);
    return a->malloc(a->context, size);
}

static inline void *object_calloc(struct allocator *a, size_t count, size_t size, uintptr_t frame)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SMALL)
        return a->calloc(a->context, count, size);
    if (UNLIKELY(f4p_thread_take(bytes)))
        return new_object(a, bytes, true, frame);
    return a->calloc(a->context, count, size);
}

static inline void *object_realloc(struct allocator *a, void *block, size_t size, uintptr_t frame)
{
    if (!block)
        return object_malloc(a, size, frame);
    uint64_t left = f4p_thread.left;
    void *moved = a->realloc(a->context, block, size);
    /* A block of the C allocator went through our realloc or malloc, which took its bytes off. */
    if (!moved || !size || size > SMALL || f4p_thread.left != left)
        return moved;
    return UNLIKELY(f4p_thread_take(size)) ? grown_object(a, moved, size, frame) : moved;
}

#define HOOKS(name, domain)                                                  \
    static void *name##_malloc(void *context, size_t size)                   \
    {                                                                        \
        (void)context;                                                       \
        return object_malloc(&inner[domain], size, CALLERS_FRAME());         \
    }                                                                        \
    static void *name##_calloc(void *context, size_t count, size_t size)     \
    {                                                                        \
        (void)context;                                                       \
        return object_calloc(&inner[domain], count, size, CALLERS_FRAME());  \
    }                                                                        \
    static void *name##_realloc(void *context, void *block, size_t size)     \
    {                                                                        \
        (void)context;                                                       \
        return object_realloc(&inner[domain], block, size, CALLERS_FRAME()); \
    }                                                                        \
    static struct allocator name##_hooks = {NULL, name##_malloc, name##_calloc, name##_realloc, NULL};

HOOKS(mem, DOMAIN_MEM)
HOOKS(obj, DOMAIN_OBJ)

/* Arenas: memory of objects, which are sampled one by one; never of the line that happened to need a new arena. */
struct arena_allocator { /* PyObjectArenaAllocator */
    void *context;
    void *(*alloc)(void *context, size_t size);
    void (*free)(void *context, void *arena, size_t size);
};

static struct arena_allocator inner_arenas;

static void *arena_alloc(void *context, size_t size)
{
    struct f4p_thread_state *t = &f4p_thread;
    bool inside = t->inside;
    (void)context;
    if (!inside)
        f4p_thread_enter(t, CALLERS_FRAME());
    void *arena = inner_arenas.alloc(inner_arenas.context, size);
    t->inside = inside;
    if (arena)
        __atomic_add_fetch(&f4p_session.arena_bytes, size, __ATOMIC_RELAXED);
    else if (errno == ENOMEM) /* from now on pymalloc asks malloc for each object, until that fails, too */
        f4p_sample_refused(size, CALLERS_FRAME());
    return arena;
}

static void arena_free(void *context, void *arena, size_t size)
{
    (void)context;
    inner_arenas.free(inner_arenas.context, arena, size);
    /* One from before we were here was not counted. */
    uint64_t bytes = __atomic_load_n(&f4p_session.arena_bytes, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&f4p_session.arena_bytes, &bytes, bytes < size ? 0 : bytes - size, true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

static struct arena_allocator arena_hooks = {NULL, arena_alloc, arena_free};

/* PyStatus _PyRuntime_Initialize(void): four words, given back in memory of the caller's. Does nothing the second time.
 */
static void initialize_runtime(void)
{
    struct status {
        uintptr_t words[4];
    };
    struct status (*initialize)(void);
    f4p_python_function(&initialize, "_PyRuntime_Initialize");
    if (initialize)
        initialize();
}

static struct {
    const char *(*name)(void); /* of the allocators in place, NULL if they are no known set */
    void (*get)(int, struct allocator *);
    void (*set)(int, struct allocator *);
    void (*get_arenas)(struct arena_allocator *);
    void (*set_arenas)(struct arena_allocator *);
    void (*set_debug)(void);
    void *(*attached)(void); /* whose GIL it is; up to 3.11 of any thread, later of this one */
    bool on;
    bool awaited; /* a thread that holds the GIL, so that the hooks go in */
    uint32_t countdown;
} python;

#define CHECK_EVERY 16 /* samples */

static bool is_inner(const struct allocator *a, enum domain domain)
{
    return a->malloc == inner[domain].malloc && a->free == inner[domain].free;
}

/* pymalloc's own free stays where it was, with its own context. */
static void install(void)
{
    struct arena_allocator arenas;
    mem_hooks.context = inner[DOMAIN_MEM].context;
    mem_hooks.free = inner[DOMAIN_MEM].free;
    obj_hooks.context = inner[DOMAIN_OBJ].context;
    obj_hooks.free = inner[DOMAIN_OBJ].free;
    python.set(DOMAIN_MEM, &mem_hooks);
    python.set(DOMAIN_OBJ, &obj_hooks);
    python.get_arenas(&arenas);
    if (arenas.alloc == inner_arenas.alloc)
        python.set_arenas(&arena_hooks);
}

/* What CPython's debugging allocator, the one in place, hands its requests to: struct {char id; PyMemAllocatorEx}. */
static struct allocator under_debug(const struct allocator *a)
{
    struct allocator under;
    memcpy(&under, (const uint8_t *)a->context + sizeof(void *), sizeof(under));
    return under;
}

/*
 * PYTHONMALLOC and -X dev put CPython's own allocators in the place of all hooks when it starts, from 3.12 on any start
 * does. Only where pymalloc itself is found there, with CPython's debugging around it or not, ours go between again:
 * other hooks have got ours beneath them, or know why not.
 */
static COLD void check(void)
{
    struct allocator now;
    python.get(DOMAIN_OBJ, &now);
    if (now.malloc == obj_hooks.malloc)
        return;
    const char *name = python.name();
    if (name && strcmp(name, "pymalloc") == 0 && is_inner(&now, DOMAIN_OBJ)) {
        install();
    } else if (name && strcmp(name, "pymalloc_debug") == 0) {
        now = under_debug(&now);
        if (!is_inner(&now, DOMAIN_OBJ))
            return;
        install();
        python.set_debug(); /* around ours */
    }
}

/* CPython's debugging may be around pymalloc when we come late. */
static void hook(void)
{
    const char *name = python.name();
    bool debug = name && strcmp(name, "pymalloc_debug") == 0;
    if (!debug && (!name || strcmp(name, "pymalloc") != 0))
        return;
    struct allocator mem, obj;
    python.get(DOMAIN_MEM, &mem);
    python.get(DOMAIN_OBJ, &obj);
    if (debug) {
        mem = under_debug(&mem);
        obj = under_debug(&obj);
    }
    python.on = true;
    if (obj.malloc == obj_hooks.malloc) /* it was lost sight of */
        return;
    inner[DOMAIN_MEM] = mem;
    inner[DOMAIN_OBJ] = obj;
    python.get_arenas(&inner_arenas);
    install();
    if (debug)
        python.set_debug();
}

void f4p_python_objects_check(void *state)
{
    if (UNLIKELY(python.awaited) && python.attached() == state) {
        python.awaited = false;
        hook();
    }
    if (!python.on)
        return;
    uint32_t left = __atomic_load_n(&python.countdown, __ATOMIC_RELAXED);
    if (LIKELY(left)) {
        __atomic_store_n(&python.countdown, left - 1, __ATOMIC_RELAXED);
        return;
    }
    if (python.attached() != state)
        return;
    __atomic_store_n(&python.countdown, CHECK_EVERY - 1, __ATOMIC_RELAXED);
    check();
}

static bool find_functions(void)
{
    f4p_python_function(&python.name, "_PyMem_GetCurrentAllocatorName");
    f4p_python_function(&python.get, "PyMem_GetAllocator");
    f4p_python_function(&python.set, "PyMem_SetAllocator");
    f4p_python_function(&python.get_arenas, "PyObject_GetArenaAllocator");
    f4p_python_function(&python.set_arenas, "PyObject_SetArenaAllocator");
    f4p_python_function(&python.set_debug, "PyMem_SetupDebugHooks");
    f4p_python_function(&raw.malloc, "PyMem_RawMalloc");
    f4p_python_function(&raw.calloc, "PyMem_RawCalloc");
    f4p_python_function(&python.attached,
                        f4p_python_version() >= 0x30d ? "PyThreadState_GetUnchecked" : "_PyThreadState_UncheckedGet");
    return python.name && python.get && python.set && python.get_arenas && python.set_arenas && python.set_debug &&
           raw.malloc && raw.calloc && python.attached;
}

void f4p_python_objects_await(void)
{
    python.on = false;
    python.awaited = f4p_python_readable() && f4p_session.config.python_objects && find_functions();
}

void f4p_python_objects_hook(void)
{
    if (!f4p_python_readable() || !f4p_session.config.python_objects || !find_functions())
        return;
    /* 3.12 guards its allocators with a lock that only exists from here on; main() would make it first, anyway. */
    if (f4p_python_version() == 0x30c)
        initialize_runtime();
    hook();
}
