#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_private.h"

#define MAX_PATTERN 1024u
#define MAX_SUBJECT 4096u /* names of a hostile trace may be megabytes; patterns see their beginning */

static int compile(regex_t *regex, const char *option, const char *pattern, char *error, size_t error_bytes)
{
    if (strlen(pattern) > MAX_PATTERN) {
        snprintf(error, error_bytes, "%s: the pattern is longer than %u characters", option, MAX_PATTERN);
        return -1;
    }
    int status = regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB);
    if (!status)
        return 0;
    char why[128];
    regerror(status, regex, why, sizeof why);
    snprintf(error, error_bytes, "%s '%s': %s", option, pattern, why);
    return -1;
}

int f4p_matcher_compile(struct f4p_matcher *matcher, const struct f4p_filter *filter, char *error, size_t error_bytes)
{
    static const char *const options[F4P_MATCHES] = {"--focus", "--ignore", "--hide", "--show-from"};
    memset(matcher, 0, sizeof *matcher);
    if (!filter)
        return 0;
    const char *patterns[F4P_MATCHES] = {filter->focus, filter->ignore, filter->hide, filter->show_from};
    for (unsigned i = 0; i < F4P_MATCHES; i++) {
        if (!patterns[i])
            continue;
        if (compile(&matcher->regex[i], options[i], patterns[i], error, error_bytes))
            return -1;
        matcher->compiled |= 1u << i;
    }
    if (filter->thread) {
        if (compile(&matcher->thread, "--thread", filter->thread, error, error_bytes))
            return -1;
        matcher->has_thread = true;
        char *end;
        unsigned long tid = strtoul(filter->thread, &end, 10);
        matcher->tid = *end || tid > UINT32_MAX ? 0 : (uint32_t)tid;
    }
    matcher->pid = filter->pid;
    return 0;
}

void f4p_matcher_free(struct f4p_matcher *matcher)
{
    for (unsigned i = 0; i < F4P_MATCHES; i++)
        if (matcher->compiled & 1u << i)
            regfree(&matcher->regex[i]);
    if (matcher->has_thread)
        regfree(&matcher->thread);
    memset(matcher, 0, sizeof *matcher);
}

static bool matches(const regex_t *regex, const char *subject)
{
    char begin[MAX_SUBJECT + 1];
    if (strnlen(subject, MAX_SUBJECT + 1) > MAX_SUBJECT) {
        memcpy(begin, subject, MAX_SUBJECT);
        begin[MAX_SUBJECT] = '\0';
        subject = begin;
    }
    return regexec(regex, subject, 0, NULL, 0) == 0;
}

unsigned f4p_matcher_frame(const struct f4p_matcher *matcher, const char *function, const char *file, uint32_t line,
                           const char *library)
{
    unsigned found = 0;
    char place[MAX_SUBJECT];
    if (!matcher->compiled)
        return 0;
    snprintf(place, sizeof place, "%.4000s:%u", file, line);
    for (unsigned i = 0; i < F4P_MATCHES; i++) {
        if (!(matcher->compiled & 1u << i))
            continue;
        const regex_t *regex = &matcher->regex[i];
        if (matches(regex, function) || matches(regex, file) || (line && matches(regex, place)) ||
            matches(regex, library))
            found |= 1u << i;
    }
    return found;
}

bool f4p_matcher_thread(const struct f4p_matcher *matcher, const char *name, uint32_t tid)
{
    if (!matcher->has_thread)
        return true;
    return (matcher->tid && matcher->tid == tid) || matches(&matcher->thread, name);
}
