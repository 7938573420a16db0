#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "names.h"
#include "say.h"

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
    f4p_say_write(parts, count);
    errno = saved;
}

/* ---- values ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool read_number(const char **text, uint64_t *number)
{
    uint64_t n = 0;
    if (!is_digit(**text))
        return false;
    for (; is_digit(**text); (*text)++) {
        uint64_t digit = (uint64_t)(**text - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *number = n;
    return true;
}

bool f4p_config_bytes(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    uint64_t n;

    if (!read_number(&text, &n))
        return false;
    const char *unit = *text ? strchr(units, *text & ~0x20) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    if (unit)
        text += text[1] == 'i' && text[2] == 'B' ? 3 : text[1] == 'B' ? 2 : 1;
    else if (*text == 'B')
        text++;
    if (*text || n > UINT64_MAX >> shift)
        return false;
    *bytes = n << shift;
    return true;
}

/* With one decimal, in tenths; a percent sign may follow. */
static bool read_percent(const char *text, uint64_t *per_mille)
{
    uint64_t whole, tenths = 0;

    if (!read_number(&text, &whole) || whole > 100)
        return false;
    if (*text == '.') {
        if (!is_digit(text[1]))
            return false;
        tenths = (uint64_t)(text[1] - '0');
        text += 2;
    }
    if (*text == '%')
        text++;
    *per_mille = whole * 10 + tenths;
    return !*text;
}

/* ---- settings ---- */

enum kind { FLAG, PATTERN, BYTES, INTERVAL, PERCENT, NATIVE, YESNO, LIST, COUNT, KEEP };

const struct f4p_setting_text f4p_setting_texts[F4P_SETTING_COUNT] = {
#define Q(id, letter, option, kind, member, least, most, argument, want, help) \
    {"FIL4PROD_" #id, option, argument, want, help, letter},
    F4P_SETTINGS(Q)
#undef Q
};

static const struct rule {
    enum kind kind;
    uint64_t least, most;
    size_t member, room; /* where in struct f4p_config, and how large it is */
} rules[F4P_SETTING_COUNT] = {
#define Q(id, letter, option, kind, member, least, most, argument, want, help) \
    {kind, least, most, offsetof(struct f4p_config, member), sizeof(((struct f4p_config *)NULL)->member)},
    F4P_SETTINGS(Q)
#undef Q
};

static const char *const native_texts[] = {
#define X(name, text) text,
    F4P_NATIVE_MODES(X)
#undef X
};
enum { NATIVE_COUNT = sizeof(native_texts) / sizeof(native_texts[0]) };

static bool is_truth(const char *text, bool *value)
{
    static const char *const texts[] = {"0", "no", "false", "off", "1", "yes", "true", "on"};
    for (unsigned i = 0; i < 8; i++)
        if (strcmp(text, texts[i]) == 0) {
            *value = i >= 4;
            return true;
        }
    return false;
}

static bool set_native(struct f4p_config *config, const char *text)
{
    for (int i = 0; i < NATIVE_COUNT; i++)
        if (strcmp(text, native_texts[i]) == 0) {
            config->native = (enum f4p_native_mode)i;
            return true;
        }
    return false;
}

static bool set_text(void *member, size_t room, const char *text)
{
    size_t bytes = strlen(text);
    if (bytes >= room)
        return false;
    memcpy(member, text, bytes + 1);
    return true;
}

static bool set_number(const struct rule *rule, uint64_t *member, uint64_t value)
{
    if (value < rule->least || value > rule->most)
        return false;
    *member = value;
    return true;
}

static bool set_keep(uint64_t *member, const char *text)
{
    uint64_t over;

    if (strcmp(text, "always") == 0)
        *member = F4P_KEEP_ALWAYS;
    else if (strcmp(text, "on-failure") == 0)
        *member = F4P_KEEP_ON_FAILURE;
    else if (strncmp(text, "over=", 5) == 0 && f4p_config_bytes(text + 5, &over) && over < F4P_KEEP_ALWAYS)
        *member = over;
    else
        return false;
    return true;
}

bool f4p_config_set(struct f4p_config *config, enum f4p_setting setting, const char *text)
{
    const struct rule *rule = &rules[setting];
    void *member = (char *)config + rule->member;
    uint64_t value = 0;
    bool good;

    switch (rule->kind) {
    case FLAG: /* a variable that is there is meant */
        if (!is_truth(text, member))
            *(bool *)member = true;
        return true;
    case YESNO:
        return is_truth(text, member);
    case PATTERN:
        return *text && f4p_names_valid(text) && set_text(member, rule->room, text);
    case LIST:
        return set_text(member, rule->room, text);
    case NATIVE:
        return set_native(config, text);
    case KEEP:
        return set_keep(member, text);
    case INTERVAL:
        if (strcmp(text, "auto") == 0) {
            config->automatic = true;
            config->interval = F4P_AUTO_INTERVAL;
            return true;
        }
        good = f4p_config_bytes(text, &value) && set_number(rule, member, value);
        config->automatic = config->automatic && !good;
        return good;
    case PERCENT:
        return read_percent(text, &value) && set_number(rule, member, value);
    case COUNT:
        return read_number(&text, &value) && !*text && set_number(rule, member, value);
    case BYTES:
        break;
    }
    return f4p_config_bytes(text, &value) && set_number(rule, member, value);
}

/* ---- settings as text ---- */

static void text_of_number(char *to, uint64_t number)
{
    char reversed[20];
    unsigned count = 0;
    do
        reversed[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        *to++ = reversed[--count];
    *to = 0;
}

void f4p_config_text(const struct f4p_config *config, enum f4p_setting setting, char *to, size_t room)
{
    const struct rule *rule = &rules[setting];
    const void *member = (const char *)config + rule->member;
    char number[32] = "";
    const char *text = number;

    switch (rule->kind) {
    case FLAG:
        text = *(const bool *)member ? "1" : "0";
        break;
    case YESNO:
        text = *(const bool *)member ? "yes" : "no";
        break;
    case PATTERN:
    case LIST:
        text = member;
        break;
    case NATIVE:
        text = native_texts[config->native];
        break;
    case INTERVAL:
        if (config->automatic)
            text = "auto";
        else
            text_of_number(number, config->interval);
        break;
    case KEEP:
        strcpy(number, "over=");
        if (config->keep_over >= F4P_KEEP_ALWAYS)
            text = config->keep_over == F4P_KEEP_ALWAYS ? "always" : "on-failure";
        else
            text_of_number(number + 5, config->keep_over);
        break;
    case PERCENT:
        text_of_number(number, config->cpu_budget / 10);
        strcat(number, ".");
        text_of_number(number + strlen(number), config->cpu_budget % 10);
        break;
    case BYTES:
    case COUNT:
        text_of_number(number, *(const uint64_t *)member);
        break;
    }
    if (!set_text(to, room, text))
        *to = 0;
}

/* ---- the environment ---- */

void f4p_config_defaults(struct f4p_config *config)
{
    memset(config, 0, sizeof(*config));
    config->automatic = true;
    config->children = true;
    config->python_objects = true;
    config->size = F4P_DEFAULT_FILE_BYTES;
    config->interval = F4P_AUTO_INTERVAL;
    config->cpu_budget = 10;
    config->min_heap = F4P_DEFAULT_MIN_HEAP;
    config->keep_over = F4P_KEEP_ALWAYS;
    config->native = F4P_NATIVE_LEAF;
    strcpy(config->output, F4P_DEFAULT_OUTPUT);
}

bool f4p_config_environment(struct f4p_config *config, const char *consequence)
{
    bool good = true, exact;

    for (int i = 0; i < F4P_SETTING_COUNT; i++) { /* FIL4PROD_QUIET is the first */
        const struct f4p_setting_text *text = &f4p_setting_texts[i];
        const char *value = secure_getenv(text->variable);
        if (!value || !*value || f4p_config_set(config, (enum f4p_setting)i, value))
            continue;
        f4p_config_say(config, text->variable, "=", value, " is ", text->want, consequence, NULL);
        good = false;
    }
    const char *value = secure_getenv("FIL4PROD_EXACT");
    if (value && *value && (!is_truth(value, &exact) || exact))
        f4p_config_set(config, F4P_SETTING_INTERVAL, "1");
    return good;
}

static int hex_digit(char c)
{
    return is_digit(c) ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

bool f4p_config_job(uint8_t id[16])
{
    const char *value = secure_getenv("FIL4PROD_JOB");
    if (!value || strlen(value) != 32)
        return false;
    for (int i = 0; i < 16; i++) {
        int high = hex_digit(value[2 * i]), low = hex_digit(value[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        id[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* "pid:path", from the launcher. */
static void read_attach(struct f4p_config *config)
{
    const char *value = secure_getenv("FIL4PROD_ATTACH");
    uint64_t pid = 0;
    if (!value)
        return;
    for (; is_digit(*value) && pid < UINT32_MAX / 10; value++)
        pid = pid * 10 + (uint64_t)(*value - '0');
    if (*value++ != ':' || *value != '/' || strlen(value) >= sizeof(config->attach_path))
        return;
    config->attach_pid = (uint32_t)pid;
    strcpy(config->attach_path, value);
}

/* The job may change its directory before the file is made. */
static bool make_absolute(struct f4p_config *config)
{
    static char path[PATH_MAX];
    int result = f4p_names_absolute(path, sizeof(path) - 32, config->output);

    if (result < 0) {
        f4p_config_say(config, "FIL4PROD_OUTPUT=", config->output,
                       result == -ENAMETOOLONG ? ": the path is too long"
                                               : ": the working directory has no name; give an absolute path",
                       "; this process is not recorded", NULL);
        return false;
    }
    strcpy(config->output, path);
    return true;
}

static void note_program(struct f4p_config *config)
{
    struct timespec now;
    const char *file = (const char *)getauxval(AT_EXECFN); /* of a script its own name, not its interpreter's */

    clock_gettime(CLOCK_REALTIME, &now);
    config->start_s = (uint64_t)now.tv_sec;
    file = file ? f4p_names_base(file) : "";
    size_t bytes = strnlen(file, sizeof(config->command) - 1);
    memcpy(config->command, file, bytes);
    config->command[bytes] = 0;
}

/* Not meant: a child where children are not, a program that is not listed. */
static bool is_meant(const struct f4p_config *config)
{
    if (!config->children && config->attach_pid && config->attach_pid != (uint32_t)getpid())
        return false;
    return !*config->commands || f4p_names_listed(config->commands, config->command, strlen(config->command), false);
}

void f4p_config_read(struct f4p_config *config)
{
    f4p_config_defaults(config);
    if (getauxval(AT_SECURE))
        return; /* setuid, setgid or file capabilities */
    config->has_job = f4p_config_job(config->job);
    read_attach(config);
    note_program(config);
    config->record =
        f4p_config_environment(config, "; this process is not recorded") && is_meant(config) && make_absolute(config);
}

/* ---- names ---- */

int f4p_config_name(const struct f4p_config *config, uint32_t pid, bool forked, char path[PATH_MAX])
{
    static struct utsname host; /* static: large */
    struct f4p_names_facts facts = {pid, config->start_s, host.nodename, config->command};
    bool own = f4p_names_has(config->output, 'p');

    if (!own && config->attach_pid) {
        strcpy(path, config->attach_path); /* beside its parent's; taken by it */
        return f4p_names_append(path, PATH_MAX, pid);
    }
    if (!*host.nodename && uname(&host) < 0)
        strcpy(host.nodename, "localhost");
    int result = f4p_names_expand(path, PATH_MAX, config->output, &facts);
    if (result == 0 && !own && (forked || access(path, F_OK) == 0))
        result = f4p_names_append(path, PATH_MAX, pid);
    return result;
}
