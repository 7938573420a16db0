/* Making trace files: whole, or not at all; never over anything. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/layout.h"
#include "tests/support_run.h"

#define MIB (1ull << 20)

/* Mounts are made in a namespace of the test's process and vanish with it. */
static char directory[64];
static char used[PATH_MAX];
static const char *warning;
static struct f4p_header header;

static void setup(void)
{
    struct f4p_layout layout = {.file_bytes = 2 * MIB, .base_interval = 4096};

    strcpy(directory, "/tmp/f4p-create.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    ck_assert_int_eq(f4p_layout_header(&header, &layout), 0);
}

static void teardown(void)
{
    char command[128];
    ck_assert_int_eq(chdir("/"), 0);
    umount2(directory, MNT_DETACH); /* of the test's own mount namespace, if it made one */
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

static int create(const char *path)
{
    return f4p_layout_create(path, &header, used, sizeof(used), &warning);
}

/* Files in the working directory. */
static int count_files(void)
{
    DIR *dir = opendir(".");
    const struct dirent *entry;
    int count = 0;

    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

static void ck_whole(int fd)
{
    struct f4p_header found;
    struct stat st;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(st.st_size, (off_t)header.file_bytes);
    ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
    ck_assert_int_eq(pread(fd, &found, sizeof(found), 0), (ssize_t)sizeof(found));
    ck_assert_int_eq(memcmp(&found, &header, sizeof(found)), 0);
}

/* A file system of `type` on the directory, seen by this test's process only. */
static bool mount_here(const char *type, const char *options)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", directory, type, 0, options) < 0 || chdir(directory) < 0) {
        printf("SKIP %s: cannot mount %s here: %s\n", directory, type, strerror(errno));
        return false;
    }
    return true;
}

START_TEST(test_create_whole_file)
{
    struct stat st;

    umask(0);
    errno = 77;
    int fd = create("trace.bin");
    ck_assert_int_eq(errno, 77);
    ck_whole(fd);
    ck_assert_str_eq(used, "trace.bin");
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_ge(st.st_blocks * 512, (off_t)header.file_bytes); /* not sparse */
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
}
END_TEST

START_TEST(test_create_leaves_taken_names_alone)
{
    char text[8] = "";
    int fd = open("trace.bin", O_CREAT | O_WRONLY, 0644);

    ck_assert_int_eq(write(fd, "precious", 8), 8);
    close(fd);
    for (int i = 1; i <= 12; i++) {
        char expected[32];
        snprintf(expected, sizeof(expected), "trace.bin.%d", i);
        fd = create("trace.bin");
        ck_whole(fd);
        close(fd);
        ck_assert_str_eq(used, expected);
    }
    fd = open("trace.bin", O_RDONLY);
    ck_assert_int_eq(read(fd, text, 8), 8);
    ck_assert_int_eq(memcmp(text, "precious", 8), 0);
}
END_TEST

START_TEST(test_create_does_not_follow_links)
{
    ck_assert_int_eq(symlink("elsewhere", "trace.bin"), 0);
    ck_whole(create("trace.bin"));
    ck_assert_str_eq(used, "trace.bin.1");
    ck_assert_int_lt(access("elsewhere", F_OK), 0);
}
END_TEST

START_TEST(test_create_in_directories)
{
    ck_assert_int_eq(mkdir("sub", 0755), 0);
    ck_whole(create("sub/trace.bin"));
    ck_assert_str_eq(used, "sub/trace.bin");
    ck_whole(create("./sub/trace.bin"));
    ck_assert_str_eq(used, "./sub/trace.bin.1");
    ck_assert_int_eq(create("none/trace.bin"), -ENOENT);
    ck_assert_int_eq(create("sub/"), -EISDIR);
    ck_assert_int_eq(create(""), -EISDIR);
    ck_assert_int_eq(create("sub/trace.bin/x"), -ENOTDIR);
    ck_whole(create("sub")); /* a directory has the name */
    ck_assert_str_eq(used, "sub.1");
    ck_assert_int_eq(count_files(), 2);
}
END_TEST

START_TEST(test_create_without_permission)
{
    ck_assert_int_eq(mkdir("sub", 0555), 0);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    int result = create("sub/trace.bin");
    ck_assert_int_eq(seteuid(getuid()), 0);
    ck_assert_int_eq(result, -EACCES);
}
END_TEST

START_TEST(test_create_read_only)
{
    if (!mount_here("tmpfs", "size=8m"))
        return;
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(mount("none", directory, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    ck_assert_int_eq(chdir(directory), 0);
    ck_assert_int_eq(create("trace.bin"), -EROFS);
}
END_TEST

START_TEST(test_create_respects_file_size_limit)
{
    struct rlimit limit = {2 * MIB - 1, RLIM_INFINITY};

    signal(SIGXFSZ, SIG_DFL); /* would end this test */
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(create("trace.bin"), -EFBIG);
    ck_assert_int_eq(count_files(), 0);
    limit.rlim_cur = 2 * MIB;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_whole(create("trace.bin"));
}
END_TEST

START_TEST(test_create_full_file_system)
{
    if (!mount_here("tmpfs", "size=1m"))
        return;
    ck_assert_int_eq(create("trace.bin"), -ENOSPC);
    ck_assert_int_eq(count_files(), 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(mount("none", directory, NULL, MS_REMOUNT, "size=8m"), 0);
    ck_assert_int_eq(chdir(directory), 0);
    ck_whole(create("trace.bin"));
    ck_assert_ptr_nonnull(strstr(warning, "tmpfs"));
}
END_TEST

START_TEST(test_create_writes_where_it_cannot_allocate)
{
    struct stat st;
    int fd;

    if (!mount_here("ramfs", ""))
        return;
    fd = create("trace.bin");
    ck_whole(fd);
    ck_assert_int_eq(fstat(fd, &st), 0);
    close(fd);
}
END_TEST

START_TEST(test_create_warns_of_overlay)
{
    if (!mount_here("tmpfs", "size=8m"))
        return;
    for (const char *const *name = (const char *const[]){"lower", "upper", "work", "merged", NULL}; *name; name++)
        ck_assert_int_eq(mkdir(*name, 0755), 0);
    if (mount("none", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work") < 0) {
        printf("SKIP test_create_warns_of_overlay: %s\n", strerror(errno));
    } else {
        ck_whole(create("merged/trace.bin"));
        ck_assert_ptr_nonnull(strstr(warning, "overlayfs"));
    }
}
END_TEST

START_TEST(test_create_refuses_unknown_file_systems)
{
    ck_assert_int_eq(create("/proc/self/trace.bin"), -EOPNOTSUPP);
    ck_assert_int_eq(create("/sys/trace.bin"), -EOPNOTSUPP);
}
END_TEST

START_TEST(test_create_warns_of_open_directory)
{
    int fd;

    ck_assert_int_eq(mkdir("open", 0755), 0);
    ck_whole(fd = create("open/a"));
    ck_assert_ptr_null(warning);
    close(fd);
    ck_assert_int_eq(chmod("open", 0777), 0);
    ck_whole(create("open/b"));
    ck_assert_ptr_nonnull(strstr(warning, "writable by everybody"));
    ck_assert_int_eq(chmod("open", 01777), 0);
    ck_whole(create("open/c"));
    ck_assert_ptr_null(warning);
}
END_TEST

START_TEST(test_create_keeps_off_standard_streams)
{
    int kept = dup(2);

    close(0);
    close(1);
    close(2);
    int fd = create("trace.bin");
    int again = open("/dev/null", O_RDWR); /* the lowest number: still free */
    dup2(kept, 2);
    ck_assert_int_gt(fd, 2);
    ck_assert_int_eq(again, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_whole(fd);
}
END_TEST

START_TEST(test_create_leaks_no_descriptor)
{
    int before = dup(0);

    close(before);
    ck_assert_int_eq(create("none/trace.bin"), -ENOENT);
    ck_assert_int_eq(create("/proc/self/trace.bin"), -EOPNOTSUPP);
    int fd = create("trace.bin");
    ck_whole(fd);
    close(fd);
    int after = dup(0);
    ck_assert_int_eq(after, before);
}
END_TEST

START_TEST(test_create_long_names)
{
    static char path[2 * PATH_MAX];

    memset(path, 'x', 255);
    ck_whole(create(path)); /* fits the file system, but no suffix would */
    ck_assert_int_eq(create(path), -ENAMETOOLONG);
    memset(path, 'x', PATH_MAX);
    ck_assert_int_eq(create(path), -ENAMETOOLONG);
    ck_assert_int_eq(f4p_layout_create("abc", &header, used, 6, &warning), -ENAMETOOLONG);
}
END_TEST

START_TEST(test_create_error_texts)
{
    static const int errors[] = {EOPNOTSUPP, ENOSPC,       EDQUOT, EFBIG,  EROFS,  EACCES, ENOENT, ENOTDIR, EISDIR,
                                 EEXIST,     ENAMETOOLONG, ELOOP,  EMFILE, ENOMEM, EINVAL, EIO,    ENXIO};
    enum { COUNT = sizeof(errors) / sizeof(errors[0]) };

    for (int i = 0; i < COUNT; i++) {
        ck_assert_ptr_null(strchr(f4p_layout_error(-errors[i]), '\n'));
        ck_assert_str_eq(f4p_layout_error(-errors[i]), f4p_layout_error(errors[i]));
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(f4p_layout_error(-errors[i]), f4p_layout_error(-errors[j]));
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_create_whole_file,
                                  test_create_leaves_taken_names_alone,
                                  test_create_does_not_follow_links,
                                  test_create_in_directories,
                                  test_create_without_permission,
                                  test_create_read_only,
                                  test_create_respects_file_size_limit,
                                  test_create_full_file_system,
                                  test_create_writes_where_it_cannot_allocate,
                                  test_create_warns_of_overlay,
                                  test_create_refuses_unknown_file_systems,
                                  test_create_warns_of_open_directory,
                                  test_create_keeps_off_standard_streams,
                                  test_create_leaks_no_descriptor,
                                  test_create_long_names,
                                  test_create_error_texts};
    Suite *suite = suite_create("create");
    TCase *core = tcase_create("core");

    tcase_add_checked_fixture(core, setup, teardown);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(core, tests[i]);
    suite_add_tcase(suite, core);
    return support_run(suite);
}
