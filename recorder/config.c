#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "format/layout.h"

#define SAY_PARTS 16

void f4p_config_say(const struct f4p_config *config, const char *part, ...)
{
    int saved = errno;
    struct iovec parts[SAY_PARTS];
    int count = 0;
    va_list list;

    if (config->quiet)
        return;
    parts[count++] = (struct iovec){(char *)"fil4prod: ", 10};
    va_start(list, part);
    for (; part && count < SAY_PARTS - 1; part = va_arg(list, const char *))
        parts[count++] = (struct iovec){(char *)part, strlen(part)};
    va_end(list);
    parts[count++] = (struct iovec){(char *)"\n", 1};
    if (writev(2, parts, count) < 0)
        count = 0; /* nobody to tell */
    errno = saved;
}

bool f4p_config_bytes(const char *text, uint64_t *bytes)
{
    uint64_t n = 0;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (n > (UINT64_MAX - 9) / 10)
            return false;
        n = n * 10 + (uint64_t)(*text - '0');
    }
    static const char units[] = "KMGT";
    const char *unit = *text ? strchr(units, *text & ~0x20) : NULL;
    if (unit && *unit) {
        unsigned shift = 10 * (unsigned)(unit - units + 1);
        if (n > UINT64_MAX >> shift)
            return false;
        n <<= shift;
        text++;
    }
    *bytes = n;
    return *text == 0;
}

static bool bad(struct f4p_config *config, const char *name, const char *value, const char *want)
{
    f4p_config_say(config, name, "=", value, ": ", want, "; this process is not recorded", NULL);
    return false;
}

static bool read_bytes(struct f4p_config *config, const char *name, uint64_t least, uint64_t most, uint64_t *to)
{
    const char *value = secure_getenv(name);
    if (!value || !*value)
        return true;
    if (!f4p_config_bytes(value, to) || *to < least || *to > most)
        return bad(config, name, value,
                   "not a number of bytes, or out of range (a number, then K, M, G or T if you like)");
    return true;
}

static bool read_interval(struct f4p_config *config)
{
    const char *value = secure_getenv("FIL4PROD_INTERVAL");
    const char *exact = secure_getenv("FIL4PROD_EXACT");

    config->interval = F4P_AUTO_INTERVAL;
    config->automatic = true;
    if (exact && strcmp(exact, "1") == 0) {
        config->interval = 1;
        config->automatic = false;
        return true;
    }
    if (!value || !*value || strcmp(value, "auto") == 0)
        return true;
    config->automatic = false;
    return read_bytes(config, "FIL4PROD_INTERVAL", 1, 1ull << 40, &config->interval);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void read_job(struct f4p_config *config)
{
    const char *value = secure_getenv("FIL4PROD_JOB");
    if (!value || strlen(value) != 32)
        return;
    for (int i = 0; i < 16; i++) {
        int high = hex_digit(value[2 * i]), low = hex_digit(value[2 * i + 1]);
        if (high < 0 || low < 0)
            return;
        config->job[i] = (uint8_t)(high << 4 | low);
    }
    config->has_job = true;
}

/* "pid:path", from the launcher. */
static void read_attach(struct f4p_config *config)
{
    const char *value = secure_getenv("FIL4PROD_ATTACH");
    uint64_t pid = 0;
    if (!value)
        return;
    for (; *value >= '0' && *value <= '9' && pid < UINT32_MAX / 10; value++)
        pid = pid * 10 + (uint64_t)(*value - '0');
    if (*value++ != ':' || *value != '/' || strlen(value) >= sizeof(config->attach_path))
        return;
    config->attach_pid = (uint32_t)pid;
    strcpy(config->attach_path, value);
}

static bool read_native(struct f4p_config *config)
{
    const char *value = secure_getenv("FIL4PROD_NATIVE");
    config->native = F4P_NATIVE_LEAF;
    if (!value || !*value || f4p_native_mode_parse(value, &config->native))
        return true;
    return bad(config, "FIL4PROD_NATIVE", value, "not full, leaf or off");
}

static bool read_output(struct f4p_config *config)
{
    const char *value = secure_getenv("FIL4PROD_OUTPUT");
    size_t used = 0;
    if (!value || !*value)
        value = "fil4prod.trace";
    if (*value != '/') { /* the job may change its directory before the file is made */
        if (!getcwd(config->output, sizeof(config->output)))
            return bad(config, "FIL4PROD_OUTPUT", value, "the working directory has no name; give an absolute path");
        used = strlen(config->output);
        if (used && config->output[used - 1] != '/' && used + 1 < sizeof(config->output))
            config->output[used++] = '/';
    }
    if (used + strlen(value) + 32 > sizeof(config->output))
        return bad(config, "FIL4PROD_OUTPUT", value, "the path is too long");
    strcpy(config->output + used, value);
    return true;
}

void f4p_config_read(struct f4p_config *config)
{
    memset(config, 0, sizeof(*config));
    if (!secure_getenv("PATH") && getenv("PATH"))
        return; /* setuid, setgid or file capabilities */
    const char *quiet = secure_getenv("FIL4PROD_QUIET");
    config->quiet = quiet && strcmp(quiet, "1") == 0;
    config->size = F4P_DEFAULT_FILE_BYTES;
    config->min_heap = F4P_DEFAULT_MIN_HEAP;
    read_job(config);
    read_attach(config);
    config->record = read_bytes(config, "FIL4PROD_SIZE", F4P_MIN_FILE_BYTES, F4P_MAX_FILE_BYTES, &config->size) &&
                     read_bytes(config, "FIL4PROD_MIN_HEAP", 0, UINT64_MAX, &config->min_heap) &&
                     read_interval(config) && read_native(config) && read_output(config);
}
