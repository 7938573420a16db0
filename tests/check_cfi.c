/*
 * The compiler of unwind rules, against elfutils: every row of every function of the libraries that programs run on.
 *
 * check_cfi            the C and C++ runtimes, the loader, the interpreter: no row may differ, and few be LOST
 * check_cfi FILE...    the same for these files, and how many rows take which form
 *
 * Each row is looked at at its first and its last byte.
 */
#include "recorder/native_cfi.h"
#include "tests/support_run.h"

#include <check.h>
#include <stdio.h>

#ifdef HAVE_LIBDW

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KINDS 8
#define REG_FP 6
#define REG_SP 7
#define REG_RA 16
#define SHOWN 12

static bool verbose;

/* A file as if it were loaded: what its unwind tables lie in is mapped, and they point relative to themselves. */
struct file {
    const char *path;
    int fd;
    uint8_t *map;
    size_t bytes;
    Elf *elf;
    Dwarf_CFI *cfi;
    struct f4p_code_module module;
    uint64_t functions, rows, differ, kinds[KINDS];
    uint64_t lost_calls; /* LOST rows with a call in them: frames that a stack can have without a signal */
};

static bool open_file(struct file *f, const char *path)
{
    struct stat st;
    *f = (struct file){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (f->fd < 0 || fstat(f->fd, &st))
        return false;
    f->bytes = (size_t)st.st_size;
    f->map = mmap(NULL, f->bytes, PROT_READ, MAP_PRIVATE, f->fd, 0);
    f->elf = elf_begin(f->fd, ELF_C_READ_MMAP, NULL);
    f->cfi = f->elf ? dwarf_getcfi_elf(f->elf) : NULL;
    if (f->map == MAP_FAILED || !f->cfi)
        return false;
    const ElfW(Ehdr) *header = (const void *)f->map;
    const ElfW(Phdr) *segments = (const void *)(f->map + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++)
        for (unsigned j = 0; segments[i].p_type == PT_GNU_EH_FRAME && j < header->e_phnum; j++)
            if (segments[j].p_type == PT_LOAD && segments[i].p_vaddr >= segments[j].p_vaddr &&
                segments[i].p_vaddr < segments[j].p_vaddr + segments[j].p_filesz) {
                uintptr_t low = (uintptr_t)f->map + segments[j].p_offset;
                f->module.bias = low - segments[j].p_vaddr;
                f->module.eh_header = f->module.bias + segments[i].p_vaddr;
                f->module.eh_low = low;
                f->module.eh_high = low + segments[j].p_filesz;
                memcpy(&f->module.eh_look, (const void *)f->module.eh_header, sizeof f->module.eh_look);
            }
    return f->module.eh_header != 0;
}

static void close_file(struct file *f)
{
    if (f->cfi)
        dwarf_cfi_end(f->cfi);
    if (f->elf)
        elf_end(f->elf);
    if (f->map && f->map != MAP_FAILED)
        munmap(f->map, f->bytes);
    if (f->fd >= 0)
        close(f->fd);
}

/* ---- what elfutils says of a row ---- */

struct expected {
    bool known; /* a form that a rule can have */
    struct f4p_rule rule;
};

static bool is_base(const Dwarf_Op *op, unsigned *reg, int64_t *offset)
{
    *offset = (int64_t)op->number;
    *reg = op->atom - DW_OP_breg0;
    if (op->atom == DW_OP_bregx) {
        *reg = (unsigned)op->number;
        *offset = (int64_t)op->number2;
    }
    return op->atom == DW_OP_bregx || (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31);
}

/* The lazy PLT's: rsp + 8 + ((rip & 15) >= n) << 3. */
static bool is_plt(const Dwarf_Op *ops, size_t count, uint64_t address, int64_t *cfa)
{
    static const unsigned atoms[] = {DW_OP_breg7, DW_OP_breg16, DW_OP_lit15, DW_OP_and,
                                     DW_OP_ge,    DW_OP_lit3,   DW_OP_shl,   DW_OP_plus};
    unsigned limit = count == 9 ? ops[4].atom - DW_OP_lit0 : 99;
    for (size_t i = 0, at = 0; limit < 16 && i < 8; i++, at++) {
        at += at == 4;
        if (ops[at].atom != atoms[i])
            return false;
    }
    *cfa = 8 + ((address & 15) >= limit ? 8 : 0);
    return limit < 16;
}

static struct expected expect(Dwarf_Frame *frame, uint64_t address, bool signal)
{
    struct expected e = {false, {F4P_RULE_LOST, 0, F4P_FP_SAME}};
    Dwarf_Op memory[3], fp_memory[3], *cfa, *ra, *fp;
    size_t cfa_count, ra_count, fp_count;
    unsigned reg;
    int64_t offset;
    if (signal)
        return (struct expected){true, {F4P_RULE_SIGNAL, 0, F4P_FP_SAME}};
    if (dwarf_frame_register(frame, REG_RA, memory, &ra, &ra_count) ||
        dwarf_frame_register(frame, REG_FP, fp_memory, &fp, &fp_count))
        return e;
    if (!ra_count && ra)
        return (struct expected){true, {F4P_RULE_END, 0, F4P_FP_SAME}};
    if (dwarf_frame_cfa(frame, &cfa, &cfa_count) || ra_count != 2 || ra[0].atom != DW_OP_call_frame_cfa ||
        (int64_t)ra[1].number != -8)
        return e;
    bool deref = cfa_count == 2 && cfa[1].atom == DW_OP_deref;
    if (is_plt(cfa, cfa_count, address, &offset))
        reg = REG_SP;
    else if (!(cfa_count == 1 || deref) || !is_base(&cfa[0], &reg, &offset) || (reg != REG_SP && reg != REG_FP))
        return e;
    e.rule.kind = deref ? F4P_RULE_DEREF : reg == REG_SP ? F4P_RULE_SP : F4P_RULE_FP;
    e.rule.cfa = (int32_t)offset;
    e.known = !deref || reg == REG_FP;
    if (!fp_count) /* same value, or of no interest to anybody */
        e.known &= !deref;
    else if (fp_count == 2 && fp[0].atom == DW_OP_call_frame_cfa && fp[1].atom == DW_OP_plus_uconst && !deref)
        e.rule.fp = (int32_t)fp[1].number;
    else if (fp_count == 2 && is_base(&fp[1], &reg, &offset) && reg == REG_FP && e.rule.kind != F4P_RULE_SP)
        e.rule.fp = (int32_t)(deref ? offset : offset - e.rule.cfa);
    else
        e.known = false;
    return e;
}

static bool same(struct f4p_rule a, struct f4p_rule b)
{
    bool plain = a.kind == F4P_RULE_SP || a.kind == F4P_RULE_FP || a.kind == F4P_RULE_DEREF;
    return a.kind == b.kind && (!plain || (a.cfa == b.cfa && a.fp == b.fp));
}

/* ---- every row ---- */

static void print_ops(const char *what, const Dwarf_Op *ops, size_t count)
{
    printf(" %s", what);
    for (size_t i = 0; i < count; i++)
        printf(" %#x(%ld)", ops[i].atom, (long)ops[i].number);
}

static void print_row(const struct file *f, Dwarf_Frame *frame, uint64_t address, struct f4p_rule mine,
                      struct f4p_rule theirs)
{
    Dwarf_Op memory[3], *ops;
    size_t count;
    printf("%s: %#lx: %u cfa %d fp %d, elfutils: %u cfa %d fp %d;", f->path, (unsigned long)address, mine.kind,
           mine.cfa, mine.fp, theirs.kind, theirs.cfa, theirs.fp);
    if (!dwarf_frame_cfa(frame, &ops, &count))
        print_ops("cfa", ops, count);
    if (!dwarf_frame_register(frame, REG_FP, memory, &ops, &count))
        print_ops("fp", ops, count);
    if (!dwarf_frame_register(frame, REG_RA, memory, &ops, &count))
        print_ops("ra", ops, count);
    putchar('\n');
}

/* Whether something like a call stands in [low, high) of the code. */
static bool has_call(const struct file *f, uint64_t low, uint64_t high)
{
    const ElfW(Ehdr) *header = (const void *)f->map;
    const ElfW(Phdr) *segments = (const void *)(f->map + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++) {
        const ElfW(Phdr) *s = &segments[i];
        if (s->p_type != PT_LOAD || low < s->p_vaddr || high > s->p_vaddr + s->p_filesz)
            continue;
        const uint8_t *code = f->map + s->p_offset + (low - s->p_vaddr);
        for (uint64_t at = 0; at + 1 < high - low; at++) {
            int32_t distance = 0;
            if (at + 5 <= high - low)
                memcpy(&distance, code + at + 1, sizeof distance);
            uint64_t target = low + at + 5 + (uint64_t)(int64_t)distance - s->p_vaddr;
            if ((code[at] == 0xe8 && distance && target < s->p_filesz) ||
                (code[at] == 0xff && (code[at + 1] == 0x15 || (code[at + 1] & 0xf8) == 0xd0)))
                return true;
        }
    }
    return false;
}

/* A form that no rule can have must be LOST, not taken for something else. */
static struct f4p_rule take_address(struct file *f, Dwarf_Frame *frame, uint64_t address, bool signal)
{
    struct f4p_rule mine = f4p_cfi_rule(&f->module, f->module.bias + address);
    struct expected theirs = expect(frame, address, signal);
    bool right = theirs.known ? same(mine, theirs.rule) : mine.kind == F4P_RULE_LOST;
    f->kinds[mine.kind % KINDS]++;
    if (!right && f->differ++ < SHOWN)
        print_row(f, frame, address, mine, theirs.rule);
    return mine;
}

static void take_function(struct file *f, uint64_t start, uint64_t next)
{
    f->functions++;
    for (uint64_t at = start, end; at < next; at = end) {
        Dwarf_Frame *frame;
        Dwarf_Addr low, high;
        bool signal;
        if (dwarf_cfi_addrframe(f->cfi, at, &frame))
            return;
        dwarf_frame_info(frame, &low, &high, &signal);
        end = high > at ? high : at + 1;
        f->rows++;
        struct f4p_rule rule = take_address(f, frame, at, signal);
        if (end > at + 1)
            take_address(f, frame, end - 1, signal);
        if (rule.kind == F4P_RULE_LOST && has_call(f, at, end) && f->lost_calls++ < SHOWN && verbose)
            print_row(f, frame, at, rule, rule);
        free(frame);
    }
}

/* Functions from the sorted table of .eh_frame_hdr. */
static void take_file(struct file *f)
{
    const uint8_t *header = (const uint8_t *)f->module.eh_header;
    uint32_t count;
    int32_t start, next = INT32_MAX;
    memcpy(&count, header + 8, sizeof count);
    uint64_t base = f->module.eh_header - f->module.bias;
    for (uint32_t i = 0; i < count && 12 + 8ull * i + 8 <= f->module.eh_high - f->module.eh_header; i++) {
        memcpy(&start, header + 12 + 8ull * i, sizeof start);
        if (i + 1 < count)
            memcpy(&next, header + 20 + 8ull * i, sizeof next);
        take_function(f, base + (uint64_t)(int64_t)start, i + 1 < count ? base + (uint64_t)(int64_t)next : UINT64_MAX);
    }
}

/* ---- the tests ---- */

static const char *const names[] = {"libc.so.6",    "ld-linux-x86-64.so.2", "libm.so.6",     "libgcc_s.so.1",
                                    "libstdc++.so", "libcrypto.so",         "libunwind.so.8"};
static char found[16][PATH_MAX];
static int found_count;

static void add(const char *path)
{
    if (found_count < 16 && realpath(path, found[found_count]))
        found_count++;
}

static void find_libraries(void)
{
    static const char *const directories[] = {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64"};
    char path[PATH_MAX];
    add("/proc/self/exe");
    add("/usr/bin/python3");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t j = 0, before = (size_t)found_count; j < 3 && (size_t)found_count == before; j++)
            for (unsigned version = 0; version < 8 && (size_t)found_count == before; version++) {
                snprintf(path, sizeof path, version ? "%s/%s.%u" : "%s/%s", directories[j], names[i], version);
                add(path);
            }
}

START_TEST(test_cfi_equals_elfutils)
{
    struct file f;
    const char *path = found[_i];
    ck_assert_msg(open_file(&f, path), "%s: no ELF file with unwind tables", path);
    take_file(&f);
    printf("%s: %lu rows, %lu LOST, %lu differ\n", path, (unsigned long)f.rows, (unsigned long)f.kinds[F4P_RULE_LOST],
           (unsigned long)f.differ);
    ck_assert_uint_gt(f.rows, 100);
    ck_assert_uint_eq(f.differ, 0);
    ck_assert_uint_lt(f.kinds[F4P_RULE_LOST] * 50, 2 * f.rows);
    /* The loader's lazy binding keeps its caller in rbx, and OpenSSL's ciphers call their own helpers. */
    if (!strstr(path, "/ld-linux") && !strstr(path, "libcrypto"))
        ck_assert_uint_eq(f.lost_calls, 0);
    close_file(&f);
}
END_TEST

static int run_tests(void)
{
    find_libraries();
    Suite *suite = suite_create("cfi");
    TCase *tc = tcase_create("cfi");
    tcase_set_timeout(tc, 600);
    tcase_add_loop_test(tc, test_cfi_equals_elfutils, 0, found_count);
    suite_add_tcase(suite, tc);
    return support_run(suite);
}

int main(int argc, char **argv)
{
    static const char *const kinds[KINDS] = {"-", "NONE", "END", "SP", "FP", "DEREF", "SIGNAL", "LOST"};
    int wrong = 0;
    elf_version(EV_CURRENT);
    if (argc < 2)
        return run_tests();
    verbose = true;
    for (int i = 1; i < argc; i++) {
        struct file f;
        if (open_file(&f, argv[i])) {
            take_file(&f);
            printf("%s: %lu functions, %lu rows, %lu differ", f.path, (unsigned long)f.functions, (unsigned long)f.rows,
                   (unsigned long)f.differ);
            for (int k = 1; k < KINDS; k++)
                printf(", %s %lu", kinds[k], (unsigned long)f.kinds[k]);
            putchar('\n');
            wrong |= f.differ != 0;
        } else {
            printf("%s: no ELF file with unwind tables\n", f.path);
        }
        close_file(&f);
    }
    return wrong;
}

#else

START_TEST(test_cfi_equals_elfutils)
{
    printf("SKIP unwind rules: built without libdw to compare them with\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cfi");
    TCase *tc = tcase_create("cfi");
    tcase_add_test(tc, test_cfi_equals_elfutils);
    suite_add_tcase(suite, tc);
    return support_run(suite);
}

#endif
