/*
 * The unwinder, compared frame by frame with libunwind (where its library is) and with what is known: through the C
 * library, signal handlers, alternate stacks, fibers, threads and realigned frames; bounded where stacks are deep or
 * broken; free of the loader's lock.
 */
#include "recorder/native.h"

#include <check.h>
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "recorder/modules.h"
#include "recorder/native_cfi.h"
#include "tests/support_run.h"

#define ROOM F4P_NATIVE_DEPTH
#define NOINLINE __attribute__((noinline))

static uintptr_t mine[ROOM];
static void *theirs[ROOM + 8];
static size_t my_count;
static int their_count;
static enum f4p_native_end my_end;
static int (*backtrace_of_libunwind)(void **addresses, int room);
static volatile int keep; /* written after calls, so that they are not tail calls */

static NOINLINE void look(void)
{
    my_count = f4p_native_walk(mine, ROOM, &my_end); // NOLINT(bugprone-signal-handler): that is what is tested
    their_count = backtrace_of_libunwind ? backtrace_of_libunwind(theirs, ROOM) : 0;
    keep++;
}

/* From the caller of look() on, both say the same, up to the end. libunwind gives return addresses. */
static void same_as_libunwind(size_t least)
{
    ck_assert_uint_ge(my_count, least);
    if (!their_count)
        return;
    ck_assert_int_eq(their_count, (int)my_count);
    for (size_t i = 1; i < my_count; i++)
        ck_assert_msg(mine[i] == (uintptr_t)theirs[i] - 1 || mine[i] == (uintptr_t)theirs[i],
                      "frame %zu: %#lx, libunwind %p", i, (unsigned long)mine[i], theirs[i]);
}

static void start(void)
{
    void *library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    void *found = library ? dlsym(library, "unw_backtrace") : NULL;
    memcpy(&backtrace_of_libunwind, &found, sizeof found);
    f4p_native_start(F4P_NATIVE_FULL);
    look(); /* libunwind's memory per thread: not first in a signal handler */
}

static int compare(const void *a, const void *b)
{
    const int *x = a, *y = b;
    look();
    keep++;
    return *x < *y ? -1 : *x > *y;
}

START_TEST(test_native_walks_through_the_c_library)
{
    int numbers[] = {3, 1, 2};
    qsort(numbers, 3, sizeof *numbers, compare);
    ck_assert_int_eq(my_end, F4P_NATIVE_COMPLETE);
    same_as_libunwind(6);
}
END_TEST

static NOINLINE void handler(int number)
{
    (void)number;
    look();
    keep++;
}

START_TEST(test_native_walks_out_of_a_signal_handler)
{
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    ck_assert_int_eq(my_end, F4P_NATIVE_COMPLETE);
    same_as_libunwind(8);
}
END_TEST

START_TEST(test_native_walks_out_of_an_alternate_stack)
{
    static uint8_t area[64 << 10];
    stack_t alternate = {.ss_sp = area, .ss_size = sizeof area};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    sigaltstack(&alternate, NULL);
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR2);
    ck_assert_int_eq(my_end, F4P_NATIVE_COMPLETE);
    same_as_libunwind(8);
}
END_TEST

static NOINLINE void aligned(int bytes)
{
    volatile uint8_t *variable = __builtin_alloca((size_t)bytes + 1);
    volatile __attribute__((aligned(64))) uint8_t fixed[64];
    variable[bytes] = fixed[0] = 1;
    look();
    keep += variable[bytes] + fixed[0];
}

START_TEST(test_native_walks_through_realigned_frames)
{
    aligned(100);
    ck_assert_int_eq(my_end, F4P_NATIVE_COMPLETE);
    same_as_libunwind(5);
}
END_TEST

static void *thread(void *argument)
{
    look();
    keep++;
    return argument;
}

START_TEST(test_native_walks_to_the_start_of_a_thread)
{
    pthread_t id;
#ifdef __SANITIZE_THREAD__
    backtrace_of_libunwind = NULL; /* it locks when the thread ends, and ThreadSanitizer is gone from there by then */
#endif
    pthread_create(&id, NULL, thread, NULL);
    pthread_join(id, NULL);
    ck_assert_int_eq(my_end, F4P_NATIVE_COMPLETE);
    same_as_libunwind(3);
    ck_assert_uint_le(my_count, 5);
}
END_TEST

static ucontext_t outside, inside;

static void fiber(void)
{
    look();
    keep++;
}

static NOINLINE void run_fiber(uint8_t *stack, size_t bytes)
{
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = bytes;
    inside.uc_link = &outside;
    makecontext(&inside, fiber, 0);
    swapcontext(&outside, &inside);
}

START_TEST(test_native_walks_fibers)
{
    size_t bytes = 64 << 10;
    uint8_t *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *allocated = malloc(bytes);
    run_fiber(mapped, bytes);
    ck_assert_uint_ge(my_count, 2);
    ck_assert_uint_le(my_count, 4);
    run_fiber(allocated, bytes);
    ck_assert_uint_ge(my_count, 2);
    ck_assert_uint_le(my_count, 4);
    munmap(mapped, bytes);
    free(allocated);
    look(); /* and back on the old one */
    ck_assert_int_eq(my_end, F4P_NATIVE_COMPLETE);
    same_as_libunwind(4);
}
END_TEST

static NOINLINE void recurse(int depth)
{
    if (depth)
        recurse(depth - 1);
    else
        look();
    keep++;
}

START_TEST(test_native_deep_recursion_is_cut)
{
    recurse(10000);
    ck_assert_int_eq(my_end, F4P_NATIVE_DEEP);
    ck_assert_uint_eq(my_count, ROOM);
    ck_assert_uint_eq(mine[10], mine[ROOM - 1]);
    recurse(20);
    ck_assert_int_eq(my_end, F4P_NATIVE_COMPLETE);
    same_as_libunwind(24);
}
END_TEST

/* Overwrites what it can reach of its callers' frames, looks, and puts it back. */
__attribute__((no_sanitize("address"))) static NOINLINE void corrupt(uint64_t seed)
{
    uint64_t saved[64];
    volatile uint64_t *frame = (volatile uint64_t *)__builtin_frame_address(0);
    for (int i = 0; i < 64; i++)
        saved[i] = frame[i];
    for (int i = 0; i < 64; i++)
        if ((seed = seed * 6364136223846793005u + 1442695040888963407u) >> 60 < 4)
            frame[i] = seed >> 62 == 0   ? seed
                       : seed >> 62 == 1 ? (uint64_t)(uintptr_t)frame + (seed >> 40) % 4096
                       : seed >> 62 == 2 ? (uint64_t)(uintptr_t)&look + (seed >> 50)
                                         : 0x7fff00000000u + (seed >> 30);
    my_count = f4p_native_walk(mine, ROOM, &my_end);
    for (int i = 0; i < 64; i++)
        frame[i] = saved[i];
}

START_TEST(test_native_broken_stacks_are_survived)
{
    volatile uint64_t room[128] = {0}; /* so that 64 words above the frame are ours or the caller's */
    unsigned early = 0;
    for (uint64_t seed = 1; seed < 3000; seed++) {
        corrupt(seed);
        ck_assert_uint_le(my_count, ROOM);
        early += my_end == F4P_NATIVE_EARLY;
    }
    keep += (int)room[0];
    ck_assert_uint_gt(early, 100);
    look();
    ck_assert_int_eq(my_end, F4P_NATIVE_COMPLETE);
}
END_TEST

/* Code that no table describes: push rbp; mov rbp, rsp; call *rdi; pop rbp; ret. With frame pointer and without. */
START_TEST(test_native_generated_code_by_frame_pointer)
{
    static const uint8_t with[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
    static const uint8_t without[] = {0x48, 0x83, 0xec, 0x08, 0xff, 0xd7, 0x48, 0x83, 0xc4, 0x08, 0xc3};
    uint8_t *code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void (*call)(void (*)(void));
    memcpy(code, with, sizeof with);
    memcpy(&call, &code, sizeof call);
    call(look);
    ck_assert_uint_ge(my_count, 2);
    ck_assert_uint_eq(mine[1], (uintptr_t)code + 5);
    memcpy(code, without, sizeof without);
    call(look);
    ck_assert_uint_eq(mine[1], (uintptr_t)code + 5);
    munmap(code, 8192);
}
END_TEST

/* ---- the kernel's code ---- */

static const struct f4p_code_module *vdso;
static volatile unsigned vdso_hits, vdso_bad;

/* Walks out of whatever instruction of the vdso was next. */
static void in_vdso(int number, siginfo_t *info, void *context)
{
    const ucontext_t *c = context;
    (void)number, (void)info;
#ifdef __x86_64__
    uintptr_t pc = (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
#else
    uintptr_t pc = 0;
    (void)c;
#endif
    if (!vdso || pc < vdso->start || pc >= vdso->end)
        return;
    look();
    bool found = false;
    for (size_t i = 0; i < my_count; i++)
        found |= mine[i] == pc;
    vdso_hits++;
    vdso_bad += my_end != F4P_NATIVE_COMPLETE || !found || (their_count && their_count != (int)my_count);
}

START_TEST(test_native_walks_out_of_the_vdso)
{
    struct sigaction action = {.sa_sigaction = in_vdso, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct itimerval timer = {{0, 500}, {0, 500}}, none = {{0, 0}, {0, 0}};
    struct timespec now = {0, 0}, begin;
    unsigned long start_of_code = getauxval(AT_SYSINFO_EHDR);
    /* Its code is in the same mapping as its header. */
    vdso = start_of_code ? f4p_modules_find(start_of_code) : NULL;
#ifdef __SANITIZE_THREAD__
    vdso = NULL; /* it delivers signals later, elsewhere */
#endif
    sigaction(SIGVTALRM, &action, NULL);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    setitimer(ITIMER_VIRTUAL, &timer, NULL);
    while (vdso && vdso_hits < 50 && now.tv_sec < begin.tv_sec + 10)
        for (int i = 0; i < 1000; i++)
            clock_gettime(CLOCK_MONOTONIC, &now);
    setitimer(ITIMER_VIRTUAL, &none, NULL);
    if (!vdso_hits)
        printf("SKIP walks out of the vdso: no signal comes while the clock is read there\n");
    ck_assert_uint_eq(vdso_bad, 0);
}
END_TEST

/* ---- the loader's lock ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int holding;

static int wait_for_us(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)info, (void)size, (void)data;
    __atomic_store_n(&holding, 1, __ATOMIC_RELEASE);
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    return 1;
}

static void *hold_loader_lock(void *argument)
{
    dl_iterate_phdr(wait_for_us, NULL);
    return argument;
}

/* libunwind hangs here as soon as it meets an address that is not in its cache. */
START_TEST(test_native_needs_no_lock_of_the_loader)
{
    pthread_t id;
    pthread_mutex_lock(&mutex);
    pthread_create(&id, NULL, hold_loader_lock, NULL);
    while (!__atomic_load_n(&holding, __ATOMIC_ACQUIRE))
        usleep(100);
    f4p_modules_stale(); /* all rules anew, and the map */
    f4p_modules_refresh();
    my_count = f4p_native_walk(mine, ROOM, &my_end);
    ck_assert_int_eq(my_end, F4P_NATIVE_COMPLETE);
    pthread_mutex_unlock(&mutex);
    pthread_join(id, NULL);
}
END_TEST

/* ---- modules ---- */

START_TEST(test_modules_are_found)
{
    const struct f4p_code_module *us = f4p_modules_find((uintptr_t)&look);
    uintptr_t in_libc = (uintptr_t)dlsym(RTLD_DEFAULT, "gnu_get_libc_version");
    const struct f4p_code_module *libc = f4p_modules_find(in_libc);
    Dl_info info;
    ck_assert_ptr_nonnull(us);
    ck_assert_ptr_nonnull(libc);
    ck_assert_ptr_ne(us, libc);
    ck_assert_int_ne(dladdr((void *)in_libc, &info), 0);
    ck_assert_uint_eq(libc->bias, (uintptr_t)info.dli_fbase);
    ck_assert_uint_ge(libc->build_id_bytes, 8);
    ck_assert_msg(memmem(libc->path, libc->path_bytes, "libc", 4), "%.*s", (int)libc->path_bytes, libc->path);
    ck_assert_ptr_null(f4p_modules_find((uintptr_t)&keep)); /* data */
    ck_assert_ptr_null(f4p_modules_find(16));
}
END_TEST

START_TEST(test_modules_stale_knows_nothing)
{
    ck_assert_ptr_nonnull(f4p_modules_find((uintptr_t)&look));
    uint32_t generation = f4p_modules_generation();
    f4p_modules_stale();
    ck_assert_ptr_null(f4p_modules_known((uintptr_t)&look));
    ck_assert_uint_ne(f4p_modules_generation(), generation);
    f4p_modules_refresh();
    ck_assert_ptr_nonnull(f4p_modules_known((uintptr_t)&look));
}
END_TEST

START_TEST(test_memory_readable_does_not_touch)
{
    uint8_t *pages = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(f4p_memory_readable((uintptr_t)pages, 8192));
    munmap(pages + 4096, 4096);
    ck_assert(f4p_memory_readable((uintptr_t)pages, 4096));
    ck_assert(!f4p_memory_readable((uintptr_t)pages, 4097));
    mprotect(pages, 4096, PROT_NONE);
    ck_assert(!f4p_memory_readable((uintptr_t)pages, 1));
    ck_assert(!f4p_memory_readable(UINTPTR_MAX - 7, 16));
    munmap(pages, 4096);
}
END_TEST

/* The segment has other data, too, with redzones that a sanitizer minds. */
__attribute__((no_sanitize("address"))) static NOINLINE void copy_segment(uint8_t *to, uintptr_t from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((volatile uint8_t *)to)[i] = ((const volatile uint8_t *)from)[i];
}

/* Tables with any contents: no read outside of them. A copy of our own, changed at random, guarded by unmapped pages.
 */
START_TEST(test_cfi_survives_any_table)
{
    const struct f4p_code_module *us = f4p_modules_find((uintptr_t)&look);
    ck_assert_uint_ne(us->eh_header, 0);
    size_t bytes = us->eh_high - us->eh_low, pages = (bytes + 4095) & ~(size_t)4095;
    uint8_t *copy = mmap(NULL, pages + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(copy + pages, 4096);
    copy += pages - bytes;
    uint64_t random = 42;
    unsigned usable = 0;
    for (int round = 0; round < 500; round++) {
        struct f4p_code_module module = *us;
        copy_segment(copy, us->eh_low, bytes);
        module.eh_header = (uintptr_t)copy + (us->eh_header - us->eh_low);
        module.eh_low = (uintptr_t)copy;
        module.eh_high = (uintptr_t)copy + bytes;
        for (int i = 0; i < round % 50; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            copy[(us->eh_header - us->eh_low) + (random >> 20) % (module.eh_high - module.eh_header)] =
                (uint8_t)(random >> 56);
        }
        memcpy(&module.eh_look, (const void *)module.eh_header, sizeof module.eh_look);
        uintptr_t address = module.eh_header + ((uintptr_t)&look - us->eh_header) + (random >> 40) % 64;
        struct f4p_rule rule = f4p_cfi_rule(&module, address);
        usable += rule.kind >= F4P_RULE_SP;
    }
    ck_assert_uint_gt(usable, 40);
    munmap(copy - (pages - bytes), pages);
}
END_TEST

int main(void)
{
    start();
    if (!backtrace_of_libunwind)
        printf("SKIP comparison with libunwind: libunwind.so.8 is not installed\n");
    Suite *suite = suite_create("native");
    TCase *tc = tcase_create("native");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_native_walks_through_the_c_library);
    tcase_add_test(tc, test_native_walks_out_of_a_signal_handler);
    tcase_add_test(tc, test_native_walks_out_of_an_alternate_stack);
    tcase_add_test(tc, test_native_walks_through_realigned_frames);
    tcase_add_test(tc, test_native_walks_to_the_start_of_a_thread);
    tcase_add_test(tc, test_native_walks_fibers);
    tcase_add_test(tc, test_native_deep_recursion_is_cut);
    tcase_add_test(tc, test_native_broken_stacks_are_survived);
    tcase_add_test(tc, test_native_generated_code_by_frame_pointer);
    tcase_add_test(tc, test_native_walks_out_of_the_vdso);
    tcase_add_test(tc, test_native_needs_no_lock_of_the_loader);
    tcase_add_test(tc, test_modules_are_found);
    tcase_add_test(tc, test_modules_stale_knows_nothing);
    tcase_add_test(tc, test_memory_readable_does_not_touch);
    tcase_add_test(tc, test_cfi_survives_any_table);
    suite_add_tcase(suite, tc);
    return support_run(suite);
}
