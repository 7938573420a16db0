#include "recorder/record_program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_INTERPRETERS 5 /* scripts run by scripts; the kernel's own limit */
#define MAX_PROGRAM_HEADERS 64
#define MAX_NAMES_BYTES (16u << 20) /* of a dynamic string table that is searched */

#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define NATIVE_MACHINE EM_AARCH64
#else
#error "fil4prod knows x86-64 and AArch64"
#endif

/* ---- where it stands ---- */

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* As execvp does. */
static bool find_program(const char *command, char path[PATH_MAX])
{
    const char *list = getenv("PATH");

    if (strchr(command, '/')) {
        snprintf(path, PATH_MAX, "%s", command);
        return is_program(path);
    }
    for (list = list ? list : "/bin:/usr/bin"; *command;) {
        size_t bytes = strcspn(list, ":");
        int used = snprintf(path, PATH_MAX, "%.*s%s%s", (int)bytes, list, bytes ? "/" : "", command);
        if (used < PATH_MAX && is_program(path))
            return true;
        if (!list[bytes])
            break;
        list += bytes + 1;
    }
    *path = 0;
    return false;
}

/* The interpreter that the first line of a script names. */
static bool read_shebang(const char *start, char interpreter[PATH_MAX])
{
    start += 2;
    start += strspn(start, " \t");
    size_t bytes = strcspn(start, " \t\r\n");
    if (bytes == 0 || bytes >= PATH_MAX)
        return false;
    memcpy(interpreter, start, bytes);
    interpreter[bytes] = 0;
    return true;
}

/* ---- what it is made of ---- */

/* An ELF file as far as it has been read. */
struct image {
    int fd;
    Elf64_Ehdr header;
    Elf64_Phdr segments[MAX_PROGRAM_HEADERS];
    unsigned segment_count;
};

static bool read_at(int fd, void *to, size_t bytes, uint64_t offset)
{
    return offset <= INT64_MAX && pread(fd, to, bytes, (off_t)offset) == (ssize_t)bytes;
}

static bool read_segments(struct image *image)
{
    image->segment_count = image->header.e_phnum;
    return image->header.e_phentsize == sizeof(Elf64_Phdr) && image->segment_count <= MAX_PROGRAM_HEADERS &&
           read_at(image->fd, image->segments, image->segment_count * sizeof(Elf64_Phdr), image->header.e_phoff);
}

static const Elf64_Phdr *find_segment(const struct image *image, uint32_t type)
{
    for (unsigned i = 0; i < image->segment_count; i++)
        if (image->segments[i].p_type == type)
            return &image->segments[i];
    return NULL;
}

static bool file_offset(const struct image *image, uint64_t address, uint64_t *offset)
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        const Elf64_Phdr *s = &image->segments[i];
        if (s->p_type == PT_LOAD && address >= s->p_vaddr && address - s->p_vaddr < s->p_filesz) {
            *offset = s->p_offset + (address - s->p_vaddr);
            return true;
        }
    }
    return false;
}

/* Where the names of needed libraries and dynamic symbols stand. */
static bool find_names(const struct image *image, uint64_t *offset, uint64_t *bytes)
{
    const Elf64_Phdr *dynamic = find_segment(image, PT_DYNAMIC);
    uint64_t address = 0;
    Elf64_Dyn entry;

    *bytes = 0;
    if (!dynamic)
        return false;
    for (uint64_t i = 0; i < dynamic->p_filesz / sizeof(entry) && i < 4096; i++) {
        if (!read_at(image->fd, &entry, sizeof(entry), dynamic->p_offset + i * sizeof(entry)) || entry.d_tag == DT_NULL)
            break;
        if (entry.d_tag == DT_STRTAB)
            address = entry.d_un.d_ptr;
        if (entry.d_tag == DT_STRSZ)
            *bytes = entry.d_un.d_val;
    }
    return *bytes && file_offset(image, address, offset);
}

/* A sanitizer's run-time, linked in or needed: it must be the first to define malloc, and some refuse to run if not. */
static bool has_sanitizer(const struct image *image)
{
    static const char *const marks[] = {"__asan_init",      "__tsan_init",     "__msan_init", "__hwasan_init",
                                        "libasan.so",       "libtsan.so",      "liblsan.so",  "libhwasan.so",
                                        "libclang_rt.asan", "libclang_rt.tsan"};
    static char window[65536];
    enum { OVERLAP = 32 }; /* longer than any mark */
    uint64_t offset, bytes;

    if (!find_names(image, &offset, &bytes))
        return false;
    if (bytes > MAX_NAMES_BYTES)
        bytes = MAX_NAMES_BYTES;
    for (uint64_t at = 0; at < bytes; at += sizeof(window) - OVERLAP) {
        size_t part = bytes - at < sizeof(window) ? (size_t)(bytes - at) : sizeof(window);
        if (!read_at(image->fd, window, part, offset + at))
            return false;
        for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
            if (memmem(window, part, marks[i], strlen(marks[i])))
                return true;
        if (part < sizeof(window))
            break;
    }
    return false;
}

static const char *elf_obstacle(int fd)
{
    static struct image image; /* static: large */
    char loader[256] = "";

    image.fd = fd;
    if (!read_at(fd, &image.header, sizeof(image.header), 0))
        return NULL;
    if (image.header.e_ident[EI_CLASS] != ELFCLASS64)
        return "is a 32-bit program";
    if (image.header.e_ident[EI_DATA] != ELFDATA2LSB || image.header.e_machine != NATIVE_MACHINE)
        return "is made for another machine";
    if (!read_segments(&image))
        return NULL;
    const Elf64_Phdr *interpreter = find_segment(&image, PT_INTERP);
    if (!interpreter)
        return "is statically linked";
    size_t bytes = interpreter->p_filesz < sizeof(loader) - 1 ? (size_t)interpreter->p_filesz : sizeof(loader) - 1;
    if (read_at(fd, loader, bytes, interpreter->p_offset) && strstr(loader, "ld-musl"))
        return "is linked with musl, not with the GNU C library";
    return has_sanitizer(&image) ? "is built with a sanitizer that replaces malloc itself" : NULL;
}

/* The loader ignores LD_PRELOAD where running the program changes privileges. */
static const char *privilege_obstacle(int fd, const struct stat *st)
{
    char capabilities[64];

    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return NULL;
    if (st->st_mode & S_ISUID && st->st_uid != geteuid())
        return "is set-user-ID";
    if (st->st_mode & S_ISGID && st->st_mode & S_IXGRP && st->st_gid != getegid())
        return "is set-group-ID";
    if (getuid() != 0 && fgetxattr(fd, "security.capability", capabilities, sizeof(capabilities)) > 0)
        return "has file capabilities";
    return NULL;
}

/* Looks at program->loaded. Returns true if that was a script, and puts its interpreter there. */
static bool inspect_file(struct f4p_launch_program *program)
{
    char start[PATH_MAX + 4];
    struct stat st;
    bool script = false;
    int fd = open(program->loaded, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return false;
    ssize_t got = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? pread(fd, start, sizeof(start) - 1, 0) : -1;
    start[got > 0 ? got : 0] = 0;
    if (got >= 4 && memcmp(start, ELFMAG, SELFMAG) == 0) {
        program->obstacle = privilege_obstacle(fd, &st);
        if (!program->obstacle)
            program->obstacle = elf_obstacle(fd);
    } else if (got >= 2 && memcmp(start, "#!", 2) == 0) {
        script = read_shebang(start, program->loaded);
    }
    close(fd);
    return script;
}

void f4p_launch_program_inspect(struct f4p_launch_program *program, const char *command)
{
    memset(program, 0, sizeof(*program));
    if (!find_program(command, program->path)) {
        program->path[0] = 0;
        return;
    }
    memcpy(program->loaded, program->path, sizeof(program->loaded));
    for (int i = 0; i < MAX_INTERPRETERS && inspect_file(program); i++)
        ;
}

/* ---- the library ---- */

const char *f4p_launch_library_find(const char *named, char path[PATH_MAX])
{
    static const char *const places[] = {"libfil4prod.so", "../lib/fil4prod/libfil4prod.so", "../lib/libfil4prod.so"};
    char self[PATH_MAX], candidate[PATH_MAX + 64];

    ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[bytes > 0 ? bytes : 0] = 0;
    char *slash = strrchr(self, '/');
    bool found = named && realpath(named, path);
    if (!named && slash) {
        *slash = 0;
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !found; i++) {
            snprintf(candidate, sizeof(candidate), "%s/%s", self, places[i]);
            found = realpath(candidate, path);
        }
    }
    if (!found || access(path, R_OK) != 0)
        return named ? "FIL4PROD_LIBRARY names no readable file"
                     : "libfil4prod.so stands neither beside fil4prod-record nor in ../lib/fil4prod or ../lib";
    if (strpbrk(path, " :"))
        return "the path of libfil4prod.so has a blank or a colon, which LD_PRELOAD cannot express";
    return NULL;
}
