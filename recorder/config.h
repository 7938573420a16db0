/* What the environment asks for. Read once, by secure_getenv: a setuid program is not recorded. */
#ifndef FIL4PROD_CONFIG_H
#define FIL4PROD_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "native.h"

#define F4P_DEFAULT_MIN_HEAP (16ull << 20)
#define F4P_AUTO_INTERVAL (16ull << 10) /* where the automatic interval starts, bytes */

struct f4p_config {
    bool record; /* false: a variable is wrong, or the environment is not to be trusted */
    bool quiet;
    bool automatic; /* the interval adapts */
    bool has_job;
    uint64_t size;     /* of the trace file, bytes */
    uint64_t interval; /* base interval, bytes */
    uint64_t min_heap; /* estimated live bytes that earn a file */
    enum f4p_native_mode native;
    uint8_t job[16];
    uint32_t attach_pid; /* this process may use attach_path, which the launcher made; 0: none */
    char attach_path[PATH_MAX];
    char output[PATH_MAX]; /* absolute */
};

/** Fills `config`. On a bad value: one line on stderr (unless quiet) and record = false. */
void f4p_config_read(struct f4p_config *config);

/** A number of bytes: decimal digits and an optional K, M, G or T (powers of 1024). false if it is not one. */
bool f4p_config_bytes(const char *text, uint64_t *bytes);

/** One line on stderr: "fil4prod: " and the parts up to NULL. No stdio, no allocation; errno kept. */
void f4p_config_say(const struct f4p_config *config, const char *part, ...);

#endif
