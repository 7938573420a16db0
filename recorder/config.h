/*
 * What the environment and, in the launcher, the command line ask for; see settings.h. Shared by launcher and library:
 * no stdio, no allocation. Variables are read by secure_getenv: a setuid program is not recorded.
 */
#ifndef FIL4PROD_CONFIG_H
#define FIL4PROD_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "native.h"
#include "settings.h"

#define F4P_DEFAULT_OUTPUT "trace.bin"
#define F4P_DEFAULT_MIN_HEAP (16ull << 20)
#define F4P_AUTO_INTERVAL (16ull << 10) /* where the automatic interval starts, bytes */
#define F4P_LIST_BYTES 512

/* keep_over: peak in bytes up to which the trace of a job that ended well is removed */
#define F4P_KEEP_ALWAYS (UINT64_MAX - 1)
#define F4P_KEEP_ON_FAILURE UINT64_MAX

struct f4p_config {
    bool record; /* false: a variable is wrong, the environment is not to be trusted, or this process is not meant */
    bool quiet;
    bool automatic; /* the interval adapts */
    bool children;
    bool python_objects;
    bool has_job;
    uint64_t size;       /* of the trace file, bytes */
    uint64_t interval;   /* base interval, bytes */
    uint64_t cpu_budget; /* per mille */
    uint64_t min_heap;   /* estimated live bytes that earn a file */
    uint64_t max_traces; /* 0: no limit */
    uint64_t max_total;  /* bytes; 0: no limit */
    uint64_t keep_over;  /* bytes, or one of the two above */
    enum f4p_native_mode native;
    uint8_t job[16];
    uint32_t attach_pid; /* this process may use attach_path, which the launcher made; 0: none */
    char attach_path[PATH_MAX];
    char output[PATH_MAX];         /* a pattern (names.h); in the library absolute */
    char commands[F4P_LIST_BYTES]; /* "": all */
    char redact[F4P_LIST_BYTES];   /* "no": nothing is */
    uint64_t start_s;              /* of the program, Unix time */
    char command[NAME_MAX + 1];    /* the program's name, for patterns and lists */
};

/** What holds where nothing is set. */
void f4p_config_defaults(struct f4p_config *config);

/** Sets one from text; false: it is not acceptable (f4p_setting_texts has what is), and nothing has changed. */
bool f4p_config_set(struct f4p_config *config, enum f4p_setting setting, const char *text);

/** The text that sets what `config` has. */
void f4p_config_text(const struct f4p_config *config, enum f4p_setting setting, char *to, size_t room);

/** Sets from the environment what is there. One line for each bad value, which ends with `consequence`; false: there
 * was one. */
bool f4p_config_environment(struct f4p_config *config, const char *consequence);

/** The library's: all of the above, and whether this process shall be recorded. */
void f4p_config_read(struct f4p_config *config);

/**
 * The name of the trace of process `pid`. Where the pattern has no %p, a child's is its parent's with ".PID", and so is
 * that of a process whose name is taken. 0, or -errno.
 */
int f4p_config_name(const struct f4p_config *config, uint32_t pid, bool forked, char path[PATH_MAX]);

/** A job id from FIL4PROD_JOB. false: there is none. */
bool f4p_config_job(uint8_t id[16]);

/** Bytes with an optional K, M, G or T (powers of 1024, an "iB" or "B" may follow). false: not a size. */
bool f4p_config_bytes(const char *text, uint64_t *bytes);

/** One line on stderr: "fil4prod: " and the parts up to NULL; nothing if quiet. errno kept. */
void f4p_config_say(const struct f4p_config *config, const char *part, ...);

#endif
