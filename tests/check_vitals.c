/* Memory facts: from recorded trees of /proc and /sys for the layouts that no one machine has, and from the real ones.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/hash.h"
#include "recorder/vitals.h"
#include "tests/support_run.h"

#define MIB (1ull << 20)

static char root[64];
static struct f4p_vitals_source source;
static struct f4p_vitals facts;

static void setup(void)
{
    strcpy(root, "/tmp/f4p-vitals.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    memset(&source, 0xAA, sizeof(source));
    memset(&facts, 0, sizeof(facts));
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
}

/* Writes a file of the tree, making its directories. */
static void put_bytes(const char *path, const void *data, size_t bytes)
{
    char full[PATH_MAX];

    snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *p = full + strlen(root) + 1; *p; p++) {
        if (*p == '/') {
            *p = 0;
            mkdir(full, 0755);
            *p = '/';
        }
    }
    FILE *file = fopen(full, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, bytes, file), bytes);
    ck_assert_int_eq(fclose(file), 0);
}

static void put(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

static bool known(enum f4p_vital which)
{
    return facts.valid >> which & 1;
}

#define ck_vital(name, expected)                                                \
    do {                                                                        \
        ck_assert_msg(known(F4P_VITAL_##name), #name " is not known");          \
        ck_assert_uint_eq(facts.value[F4P_VITAL_##name], (uint64_t)(expected)); \
    } while (0)

static void look(void)
{
    f4p_vitals_resolve(&source, root, 42);
    f4p_vitals_read(&source, F4P_VITALS_ALL, &facts);
}

static void put_v2_group(const char *directory, const char *limit, const char *usage, const char *oom_kill)
{
    char path[512], text[256];

    snprintf(path, sizeof(path), "%s/memory.max", directory);
    put(path, limit);
    snprintf(path, sizeof(path), "%s/memory.current", directory);
    put(path, usage);
    snprintf(path, sizeof(path), "%s/memory.events", directory);
    snprintf(text, sizeof(text), "low 0\nhigh 0\nmax 17\noom 3\noom_kill %s\noom_group_kill 0\n", oom_kill);
    put(path, text);
}

static const char v2_mounts[] =
    "21 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    "22 21 0:21 / /proc rw - proc proc rw\n"
    "30 21 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";

static void put_v2(void)
{
    put("/proc/42/cgroup", "0::/kube.slice/pod7.slice/ctr\n");
    put("/proc/self/mountinfo", v2_mounts);
    put_v2_group("/sys/fs/cgroup/kube.slice", "max\n", "900000000\n", "8");
    put_v2_group("/sys/fs/cgroup/kube.slice/pod7.slice", "209715200\n", "150000000\n", "5");
    put_v2_group("/sys/fs/cgroup/kube.slice/pod7.slice/ctr", "268435456\n", "123456789\n", "1");
    put("/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.peak", "223456789\n");
    put("/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.stat", "anon 1000\nfile 2000\nkernel 3\nfile_mapped 77\n");
    put("/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.pressure",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=4711\nfull avg10=1.20 avg60=0.00 avg300=0.00 total=815\n");
    put("/proc/pressure/memory",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=2\n");
}

START_TEST(test_vitals_v2_own_and_ancestors)
{
    put_v2();
    look();
    ck_assert_uint_eq(source.version, 2);
    ck_assert_str_eq(source.cgroup, "/kube.slice/pod7.slice/ctr");
    ck_vital(cgroup_usage, 123456789);
    ck_vital(cgroup_limit, 209715200); /* the parent's is tighter */
    ck_vital(cgroup_peak, 223456789);
    ck_vital(cgroup_anon, 1000);
    ck_vital(cgroup_file, 2000);
    ck_vital(cgroup_failcnt, 17);
    ck_vital(cgroup_oom, 3);
    ck_vital(cgroup_oom_kill, 1);
    ck_vital(ancestor_oom_kill, 5);
    ck_vital(psi_some_us, 4711);
    ck_vital(psi_full_us, 815);
}
END_TEST

START_TEST(test_vitals_v2_own_limit_is_tightest)
{
    put_v2();
    put("/sys/fs/cgroup/kube.slice/pod7.slice/memory.max", "999999999\n");
    look();
    ck_vital(cgroup_limit, 268435456);
    ck_vital(ancestor_oom_kill, 5);
}
END_TEST

START_TEST(test_vitals_v2_without_limit)
{
    put_v2();
    put("/sys/fs/cgroup/kube.slice/pod7.slice/memory.max", "max\n");
    put("/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.max", "max\n");
    look();
    ck_assert(!known(F4P_VITAL_cgroup_limit));
    ck_assert(!known(F4P_VITAL_ancestor_oom_kill));
    ck_vital(cgroup_usage, 123456789);
}
END_TEST

START_TEST(test_vitals_v2_lowered_limit_is_seen)
{
    put_v2();
    look();
    put("/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.max", "104857600\n");
    f4p_vitals_read(&source, F4P_VITALS_CGROUP, &facts);
    ck_vital(cgroup_limit, 104857600);
    put("/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.max", "max\n");
    f4p_vitals_read(&source, F4P_VITALS_CGROUP, &facts);
    ck_vital(cgroup_limit, 209715200);
}
END_TEST

START_TEST(test_vitals_v2_namespace)
{
    put("/proc/42/cgroup", "0::/\n");
    put("/proc/self/mountinfo", v2_mounts);
    put_v2_group("/sys/fs/cgroup", "104857600\n", "5\n", "0");
    look();
    ck_vital(cgroup_usage, 5);
    ck_vital(cgroup_limit, 104857600);
}
END_TEST

START_TEST(test_vitals_v2_root_accounts_for_nothing)
{
    put("/proc/42/cgroup", "0::/\n");
    put("/proc/self/mountinfo", v2_mounts);
    put("/sys/fs/cgroup/cgroup.procs", "1\n");
    look();
    ck_assert_uint_eq(source.version, 2);
    ck_assert(!known(F4P_VITAL_cgroup_usage) && !known(F4P_VITAL_cgroup_limit));
}
END_TEST

START_TEST(test_vitals_v2_without_memory_controller)
{
    put("/proc/42/cgroup", "0::/user.slice/session-1.scope\n");
    put("/proc/self/mountinfo", v2_mounts);
    put_v2_group("/sys/fs/cgroup/user.slice", "104857600\n", "77\n", "2");
    put("/sys/fs/cgroup/user.slice/session-1.scope/cgroup.procs", "42\n");
    look();
    ck_vital(cgroup_usage, 77);
    ck_vital(cgroup_limit, 104857600);
    ck_vital(cgroup_oom_kill, 2);
}
END_TEST

START_TEST(test_vitals_v2_outside_the_namespace)
{
    put("/proc/42/cgroup", "0::/../../host.slice\n");
    put("/proc/self/mountinfo", v2_mounts);
    put_v2_group("/sys/fs/cgroup", "104857600\n", "5\n", "0");
    look();
    ck_assert(!known(F4P_VITAL_cgroup_usage));
}
END_TEST

static const char v1_membership[] =
    "4:memory:/docker/abc\n3:cpuset:/other\n1:name=systemd:/x\n0::/system.slice/docker\n";

static void put_v1(const char *directory)
{
    static const char *const files[][2] = {
        {"memory.limit_in_bytes", "268435456\n"},
        {"memory.usage_in_bytes", "200000000\n"},
        {"memory.max_usage_in_bytes", "268435456\n"},
        {"memory.failcnt", "139\n"},
        {"memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"},
        {"memory.stat", "cache 1\nrss 2\nhierarchical_memory_limit 134217728\ntotal_cache 111\ntotal_rss 222\n"}};
    char path[512];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, files[i][0]);
        put(path, files[i][1]);
    }
}

static void ck_v1(void)
{
    ck_assert_uint_eq(source.version, 1);
    ck_vital(cgroup_usage, 200000000);
    ck_vital(cgroup_peak, 268435456);
    ck_vital(cgroup_failcnt, 139);
    ck_vital(cgroup_oom_kill, 4);
    ck_vital(cgroup_oom, 0);
    ck_vital(cgroup_anon, 222);
    ck_vital(cgroup_file, 111);
    ck_vital(cgroup_limit, 134217728); /* of an ancestor that is not mounted here */
}

START_TEST(test_vitals_v1_container_mount)
{
    /* in a container without a cgroup namespace: the mount's root is the container's cgroup */
    put("/proc/42/cgroup", v1_membership);
    put("/proc/self/mountinfo", "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
                                "41 31 0:38 / /sys/fs/cgroup/unified ro - cgroup2 cgroup2 rw\n");
    put_v1("/sys/fs/cgroup/memory");
    look();
    ck_v1();
}
END_TEST

START_TEST(test_vitals_v1_host_mount)
{
    put("/proc/42/cgroup", v1_membership);
    put("/proc/self/mountinfo", "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                                "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
    put_v1("/sys/fs/cgroup/memory/docker/abc");
    put("/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "100000000\n");
    put("/sys/fs/cgroup/memory/docker/memory.oom_control", "oom_kill_disable 0\nunder_oom 1\noom_kill 9\n");
    put("/sys/fs/cgroup/memory/docker/abc/memory.stat", "total_rss 222\ntotal_cache 111\n");
    look();
    ck_vital(cgroup_limit, 100000000);
    ck_vital(ancestor_oom_kill, 9);
    ck_vital(cgroup_oom_kill, 4);
}
END_TEST

START_TEST(test_vitals_v1_containers_in_containers)
{
    put("/proc/42/cgroup", "4:memory:/kubepods/pod1/ctr\n");
    put("/proc/self/mountinfo",
        "35 31 0:32 /docker/kind/kubepods/pod1/ctr /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
    put_v1("/sys/fs/cgroup/memory");
    look();
    ck_v1();
}
END_TEST

START_TEST(test_vitals_v1_foreign_mount)
{
    /* the host's tree seen from a cgroup namespace: what is mounted there is not ours */
    put("/proc/42/cgroup", "4:memory:/\n");
    put("/proc/self/mountinfo", "35 31 0:32 /../../.. /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
    put_v1("/sys/fs/cgroup/memory");
    look();
    ck_assert(!known(F4P_VITAL_cgroup_usage));
}
END_TEST

START_TEST(test_vitals_v1_no_limit)
{
    put("/proc/42/cgroup", "4:memory:/\n");
    put("/proc/self/mountinfo", "35 31 0:32 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
    put_v1("/sys/fs/cgroup/memory");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/memory/memory.stat", "hierarchical_memory_limit 9223372036854771712\ntotal_rss 3\n");
    look();
    ck_vital(cgroup_anon, 3);
    ck_assert(!known(F4P_VITAL_cgroup_limit));
    ck_assert_uint_eq(facts.value[F4P_VITAL_SLOTS - 1], 0);
    ck_assert_uint_eq(facts.valid >> F4P_VITAL_COUNT, 0);
}
END_TEST

START_TEST(test_vitals_v1_unseen_limit_stays_known)
{
    put("/proc/42/cgroup", v1_membership);
    put("/proc/self/mountinfo", "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
    put_v1("/sys/fs/cgroup/memory");
    put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n"); /* far from it: no reason to read memory.stat */
    look();
    f4p_vitals_read(&source, F4P_VITALS_PROCESS | F4P_VITALS_CGROUP, &facts);
    ck_vital(cgroup_limit, 134217728);
    ck_vital(cgroup_own_limit, 268435456);
}
END_TEST

START_TEST(test_vitals_v2_levels_apart)
{
    put_v2();
    put("/sys/fs/cgroup/kube.slice/pod7.slice/memory.stat", "anon 140000000\nfile 9\n");
    put("/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.high", "250000000\n");
    put("/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.events",
        "low 0\nhigh 4242\nmax 17\noom 3\noom_kill 1\noom_group_kill 0\n");
    put("/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.oom.group", "0\n");
    put("/sys/fs/cgroup/kube.slice/pod7.slice/memory.oom.group", "1\n");
    look();
    ck_vital(cgroup_own_limit, 268435456);
    ck_vital(ancestor_limit, 209715200);
    ck_vital(ancestor_usage, 150000000);
    ck_vital(ancestor_anon, 140000000);
    ck_vital(ancestor_oom, 3);
    ck_vital(ancestor_oom_kill, 5);
    ck_vital(cgroup_high, 250000000);
    ck_vital(cgroup_high_events, 4242);
    ck_vital(oom_group, 1);
    put("/sys/fs/cgroup/kube.slice/pod7.slice/memory.oom.group", "0\n");
    put("/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.high", "max\n");
    memset(&facts, 0, sizeof(facts));
    look();
    ck_vital(oom_group, 0);
    ck_assert(!known(F4P_VITAL_cgroup_high));
}
END_TEST

START_TEST(test_vitals_near_a_limit_shares_are_read)
{
    static const char stat[] = "/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.stat";
    put_v2();
    put_v2_group("/sys/fs/cgroup/kube.slice/pod7.slice", "209715200\n", "150000000\n", "5");
    look();
    put(stat, "anon 7\nfile 8\n");
    f4p_vitals_read(&source, F4P_VITALS_CGROUP, &facts);
    ck_vital(cgroup_anon, 1000); /* 72 % of the limit */
    put_v2_group("/sys/fs/cgroup/kube.slice/pod7.slice", "209715200\n", "160000000\n", "5");
    f4p_vitals_read(&source, F4P_VITALS_CGROUP, &facts);
    ck_vital(cgroup_anon, 7);
}
END_TEST

START_TEST(test_vitals_survived_kills)
{
    static const char alive[] = "VmRSS:\t    1024 kB\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000100\n";
    put_v2();
    put("/proc/42/status", alive);
    f4p_vitals_resolve(&source, root, 42);
    f4p_vitals_read(&source, F4P_VITALS_CGROUP, &facts);
    ck_assert(!known(F4P_VITAL_survived_oom_kill)); /* not known whether it lives */
    f4p_vitals_read(&source, F4P_VITALS_CGROUP | F4P_VITALS_PROCESS, &facts);
    ck_vital(survived_oom_kill, 1);
    put_v2_group("/sys/fs/cgroup/kube.slice/pod7.slice/ctr", "268435456\n", "123456789\n", "2");
    put("/proc/42/status", "VmRSS:\t    1024 kB\nSigPnd:\t0000000000000100\n"); /* about to be killed */
    f4p_vitals_read(&source, F4P_VITALS_CGROUP | F4P_VITALS_PROCESS, &facts);
    ck_vital(cgroup_oom_kill, 2);
    ck_vital(survived_oom_kill, 1);
    put("/proc/42/status", "State:\tZ (zombie)\nSigPnd:\t0000000000000000\n"); /* has no memory any more */
    f4p_vitals_read(&source, F4P_VITALS_CGROUP | F4P_VITALS_PROCESS, &facts);
    ck_vital(survived_oom_kill, 1);
    put("/proc/42/status", alive);
    f4p_vitals_read(&source, F4P_VITALS_CGROUP | F4P_VITALS_PROCESS, &facts);
    ck_vital(survived_oom_kill, 2);
}
END_TEST

START_TEST(test_vitals_mount_point_with_blank)
{
    put("/proc/42/cgroup", "0::/a b\n");
    put("/proc/self/mountinfo", "30 21 0:26 / /my\\040groups rw - cgroup2 none rw\n");
    put_v2_group("/my groups/a b", "1048576\n", "4096\n", "0");
    look();
    ck_vital(cgroup_usage, 4096);
}
END_TEST

START_TEST(test_vitals_long_lines_are_left_out)
{
    static char text[20000];
    size_t used = 0;

    put_v2();
    memset(text, 'x', 9000); /* an overlay mount of many layers */
    strcpy(text + 9000, "\n");
    strcat(text, v2_mounts);
    put("/proc/self/mountinfo", text);
    memset(text, 0, sizeof(text));
    used += (size_t)sprintf(text, "Name:\tjob\nGroups:\t");
    memset(text + used, '1', 8000);
    strcat(text, "\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nRssAnon:\t     512 kB\nThreads:\t3");
    put("/proc/42/status", text);
    look();
    ck_vital(cgroup_usage, 123456789);
    ck_vital(rss, MIB);
    ck_vital(rss_anon, MIB / 2);
    ck_vital(rss_peak, 2 * MIB);
    ck_vital(threads, 3); /* the last line, without its newline */
}
END_TEST

START_TEST(test_vitals_machine_and_score)
{
    put("/proc/42/oom_score", "666\n");
    put("/proc/42/oom_score_adj", "-997\n");
    put("/proc/meminfo", "MemTotal:       16384 kB\nMemFree:        1 kB\nMemAvailable:   8192 kB\n");
    put("/proc/vmstat", "nr_free_pages 5\noom_kill 12\noom_kill_x 99\n");
    look();
    ck_vital(oom_score, 666);
    ck_assert_int_eq((int64_t)facts.value[F4P_VITAL_oom_score_adj], -997);
    ck_vital(mem_total, 16 * MIB);
    ck_vital(mem_available, 8 * MIB);
    ck_vital(system_oom_kill, 12);
}
END_TEST

START_TEST(test_vitals_nothing_there)
{
    errno = 77;
    look();
    ck_assert_uint_eq(facts.valid, 0);
    ck_assert_uint_eq(source.version, 0);
    ck_assert(!f4p_vitals_moved(&source));
    ck_assert_int_eq(errno, 77);
}
END_TEST

START_TEST(test_vitals_number_too_large)
{
    put_v2();
    put("/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.current", "99999999999999999999\n");
    put("/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.peak", "18446744073709551615\n");
    look();
    ck_vital(cgroup_usage, 150000000); /* the nearest cgroup whose usage can be read */
    put("/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.current", "1\n");
    look();
    ck_vital(cgroup_peak, UINT64_MAX);
}
END_TEST

START_TEST(test_vitals_moved)
{
    put_v2();
    look();
    ck_assert(!f4p_vitals_moved(&source));
    put("/proc/42/cgroup", "0::/elsewhere\n");
    ck_assert(f4p_vitals_moved(&source));
    put("/proc/42/cgroup", ""); /* the process is gone: its cgroup is still the one to look at */
    ck_assert(!f4p_vitals_moved(&source));
}
END_TEST

START_TEST(test_vitals_names_too_long)
{
    static char text[5000];

    put("/proc/self/mountinfo", v2_mounts);
    for (size_t bytes = 900; bytes < 1100; bytes++) {
        strcpy(text, "0::/");
        memset(text + 4, 'd', bytes);
        strcpy(text + 4 + bytes, "\n");
        put("/proc/42/cgroup", text);
        look();
        ck_assert_uint_lt(source.own_bytes, sizeof(source.own));
    }
    ck_assert_uint_eq(source.version, 0);
}
END_TEST

static uint64_t random_state = 1;

static unsigned dice(unsigned sides)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % sides;
}

START_TEST(test_vitals_hostile_files)
{
    static const char *const paths[] = {"/proc/42/cgroup", "/proc/self/mountinfo", "/proc/42/status", "/proc/meminfo",
                                        "/sys/fs/cgroup/kube.slice/pod7.slice/ctr/memory.stat"};
    static const char alphabet[] = " \n\t:/-,0129max\\0.memory cgroup2";
    char text[6000];

    put_v2();
    for (int round = 0; round < 400; round++) {
        const char *path = paths[dice(5)];
        size_t bytes = dice(sizeof(text));
        if (dice(2) && strcmp(path, "/proc/self/mountinfo") == 0) { /* a good file with a few bytes changed */
            bytes = sizeof(v2_mounts) - 1;
            memcpy(text, v2_mounts, bytes);
            for (int i = 0; i < 5; i++)
                text[dice((unsigned)bytes)] = alphabet[dice(sizeof(alphabet))];
        } else {
            for (size_t i = 0; i < bytes; i++)
                text[i] = alphabet[dice(sizeof(alphabet))];
        }
        put_bytes(path, text, bytes);
        look();
        ck_assert_uint_eq(facts.valid >> F4P_VITAL_COUNT, 0);
    }
}
END_TEST

START_TEST(test_vitals_publish_is_valid_or_visibly_not)
{
    static struct f4p_vitals slot, old;
    size_t covered = offsetof(struct f4p_vitals, check);

    f4p_vitals_set(&facts, F4P_VITAL_rss, 1000);
    f4p_vitals_publish(&slot, &facts, 6, 500);
    ck_assert_uint_eq(slot.seq, 6);
    ck_assert_uint_eq(slot.t_ns, 500);
    ck_assert_uint_eq(slot.check, f4p_hash(&slot, covered, 0));
    old = slot;
    f4p_vitals_set(&facts, F4P_VITAL_rss, 2000);
    f4p_vitals_publish(&slot, &facts, 8, 900);
    ck_assert_uint_eq(slot.check, f4p_hash(&slot, covered, 0));
    ck_assert_uint_eq(slot.value[F4P_VITAL_rss], 2000);
    /* what a kill between the stores leaves: the check spoilt, the contents old, new or mixed */
    for (size_t cut = 0; cut <= covered; cut++) {
        struct f4p_vitals torn = old;
        memcpy(&torn, &slot, cut);
        torn.check = ~slot.check;
        ck_assert_uint_ne(torn.check, f4p_hash(&torn, covered, 0));
    }
}
END_TEST

START_TEST(test_vitals_real_process)
{
    errno = 77;
    f4p_vitals_resolve(&source, "", 0);
    f4p_vitals_read(&source, F4P_VITALS_ALL, &facts);
    ck_assert_int_eq(errno, 77);
    ck_assert(known(F4P_VITAL_rss) && known(F4P_VITAL_mem_total) && known(F4P_VITAL_threads));
    ck_assert_uint_gt(facts.value[F4P_VITAL_rss], 0);
    ck_assert_uint_lt(facts.value[F4P_VITAL_rss], facts.value[F4P_VITAL_mem_total]);
    uint64_t before = facts.value[F4P_VITAL_rss_anon];
    char *block = malloc(32 * MIB);
    memset(block, 1, 32 * MIB);
    f4p_vitals_read(&source, F4P_VITALS_PROCESS, &facts);
    ck_assert_uint_ge(facts.value[F4P_VITAL_rss_anon], before + 30 * MIB);
    ck_assert_int_eq(block[MIB], 1);
    free(block);
}
END_TEST

/* Makes a memory cgroup below ours and moves in; false where that cannot be done. */
static bool enter_cgroup(char *directory, size_t room, const char *limit)
{
    char path[PATH_MAX], text[32];

    f4p_vitals_resolve(&source, "", 0);
    if (!source.own_bytes)
        return false;
    snprintf(directory, room, "%s/f4p-check-%d", source.own, (int)getpid());
    if (mkdir(directory, 0755) < 0)
        return false;
    snprintf(path, sizeof(path), "%s/%s", directory, source.version == 1 ? "memory.limit_in_bytes" : "memory.max");
    int fd = open(path, O_WRONLY);
    bool limited = fd >= 0 && write(fd, limit, strlen(limit)) > 0;
    close(fd);
    snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
    fd = open(path, O_WRONLY);
    snprintf(text, sizeof(text), "%d", (int)getpid());
    bool entered = fd >= 0 && write(fd, text, strlen(text)) > 0;
    close(fd);
    return limited && entered;
}

START_TEST(test_vitals_real_cgroup)
{
    char directory[PATH_MAX] = "";
    int report[2], status;

    ck_assert_int_eq(pipe(report), 0);
    pid_t child = fork();
    if (child == 0) {
        if (enter_cgroup(directory, sizeof(directory), "67108864")) {
            bool moved = f4p_vitals_moved(&source);
            f4p_vitals_resolve(&source, "", 0);
            memset(malloc(16 * MIB), 1, 16 * MIB);
            f4p_vitals_read(&source, F4P_VITALS_CGROUP | F4P_VITALS_CGROUP_STAT, &facts);
            if (moved && write(report[1], &facts, sizeof(facts)) < 0)
                _exit(1);
        }
        if (write(report[1], directory, sizeof(directory)) < 0)
            _exit(1);
        _exit(0);
    }
    close(report[1]);
    ssize_t got = read(report[0], &facts, sizeof(facts));
    bool real = got == (ssize_t)sizeof(facts) && facts.valid && facts.valid >> F4P_VITAL_COUNT == 0;
    got = real ? read(report[0], directory, sizeof(directory)) : 0;
    close(report[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (!real) {
        printf("SKIP test_vitals_real_cgroup: cannot make a memory cgroup here\n");
        return;
    }
    ck_assert_int_gt(got, 0);
    ck_assert_int_eq(rmdir(directory), 0);
    ck_vital(cgroup_limit, 64 * MIB);
    ck_vital(cgroup_oom_kill, 0);
    ck_assert_uint_ge(facts.value[F4P_VITAL_cgroup_usage], 16 * MIB);
    ck_assert_uint_le(facts.value[F4P_VITAL_cgroup_usage], 64 * MIB);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_vitals_v2_own_and_ancestors,
                                  test_vitals_v2_own_limit_is_tightest,
                                  test_vitals_v2_without_limit,
                                  test_vitals_v2_lowered_limit_is_seen,
                                  test_vitals_v2_namespace,
                                  test_vitals_v2_root_accounts_for_nothing,
                                  test_vitals_v2_without_memory_controller,
                                  test_vitals_v2_outside_the_namespace,
                                  test_vitals_v1_container_mount,
                                  test_vitals_v1_host_mount,
                                  test_vitals_v1_containers_in_containers,
                                  test_vitals_v1_foreign_mount,
                                  test_vitals_v1_no_limit,
                                  test_vitals_v1_unseen_limit_stays_known,
                                  test_vitals_v2_levels_apart,
                                  test_vitals_near_a_limit_shares_are_read,
                                  test_vitals_survived_kills,
                                  test_vitals_mount_point_with_blank,
                                  test_vitals_long_lines_are_left_out,
                                  test_vitals_machine_and_score,
                                  test_vitals_nothing_there,
                                  test_vitals_number_too_large,
                                  test_vitals_moved,
                                  test_vitals_names_too_long,
                                  test_vitals_hostile_files,
                                  test_vitals_publish_is_valid_or_visibly_not,
                                  test_vitals_real_process,
                                  test_vitals_real_cgroup};
    Suite *suite = suite_create("vitals");
    TCase *core = tcase_create("core");

    tcase_set_timeout(core, 60);
    tcase_add_checked_fixture(core, setup, teardown);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(core, tests[i]);
    suite_add_tcase(suite, core);
    return support_run(suite);
}
