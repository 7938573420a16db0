/* The filter of the terminal face: which entries count, which frames are shown. */
#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui_private.h"

#define MAX_TERMS 16u
#define MAX_SUBJECT 1024u

/* X(NAME, word) */
#define TERMS(X)        \
    X(FOCUS, "focus")   \
    X(IGNORE, "ignore") \
    X(HIDE, "hide")     \
    X(THREAD, "thread") \
    X(PID, "pid")       \
    X(LIB, "lib")

enum term_kind {
#define X(name, word) TERM_##name,
    TERMS(X)
#undef X
};

struct term {
    enum term_kind kind;
    bool compiled;
    regex_t regex;
    unsigned long number; /* pid, or a thread by its id */
};

struct terms {
    struct term term[MAX_TERMS];
    size_t count;
};

/* ---- parsing ---- */

/* The next word, quotes taken off; NULL: no more. */
static const char *next_word(const char *at, char *word, size_t bytes)
{
    size_t length = 0;
    bool quoted = false;
    while (*at == ' ')
        at++;
    if (!*at)
        return NULL;
    for (; *at && (quoted || *at != ' '); at++) {
        if (*at == '"')
            quoted = !quoted;
        else if (length + 1 < bytes)
            word[length++] = *at;
    }
    word[length] = '\0';
    return at;
}

static enum term_kind kind_of(const char *word, const char **value)
{
    static const char *const words[] = {
#define X(name, word) word "=",
        TERMS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!strncmp(word, words[i], strlen(words[i]))) {
            *value = word + strlen(words[i]);
            return (enum term_kind)i;
        }
    *value = word;
    return TERM_FOCUS;
}

static int add_term(struct terms *terms, const char *word, char *error, size_t bytes)
{
    const char *value = word;
    struct term *term = &terms->term[terms->count];
    if (terms->count == MAX_TERMS) {
        snprintf(error, bytes, "more than %u terms", MAX_TERMS);
        return -1;
    }
    memset(term, 0, sizeof *term);
    term->kind = kind_of(word, &value);
    term->number = value[strspn(value, "0123456789")] ? 0 : strtoul(value, NULL, 10);
    if (!*value || (term->kind == TERM_PID && !term->number)) {
        snprintf(error, bytes, "%.60s: expected %s", word, term->kind == TERM_PID ? "a number" : "an expression");
        return -1;
    }
    int status = regcomp(&term->regex, value, REG_EXTENDED | REG_NOSUB);
    if (status) {
        char why[96];
        regerror(status, &term->regex, why, sizeof why);
        snprintf(error, bytes, "%.60s: %s", value, why);
        return -1;
    }
    term->compiled = true;
    terms->count++;
    return 0;
}

static void free_terms(struct terms *terms)
{
    for (size_t i = 0; i < terms->count; i++)
        if (terms->term[i].compiled)
            regfree(&terms->term[i].regex);
}

static int parse(struct terms *terms, const char *text, char *error, size_t bytes)
{
    char word[F4P_TUI_TEXT_BYTES] = "";
    while ((text = next_word(text, word, sizeof word)))
        if (add_term(terms, word, error, bytes))
            return -1;
    return 0;
}

/* ---- matching ---- */

static bool matches(const struct term *term, const char *subject)
{
    char begin[MAX_SUBJECT];
    snprintf(begin, sizeof begin, "%s", subject);
    return !regexec(&term->regex, begin, 0, NULL, 0);
}

static bool frame_matches(const struct f4p_model *m, const struct term *term, const struct f4p_frame *frame)
{
    char place[MAX_SUBJECT];
    const char *library = f4p_model_string(m, frame->library), *file = f4p_model_string(m, frame->file);
    if (term->kind == TERM_LIB)
        return *library && matches(term, library);
    snprintf(place, sizeof place, "%.1000s:%u", file, frame->line);
    return matches(term, f4p_model_string(m, frame->function)) || matches(term, file) ||
           (frame->line && matches(term, place)) || (*library && matches(term, library));
}

/* By frame: bit i set where term i matches. */
static void match_frames(const struct f4p_model *m, const struct terms *terms, uint16_t *match)
{
    for (uint32_t i = 0; i < m->frames.count; i++)
        for (size_t t = 0; t < terms->count; t++) {
            const struct term *term = &terms->term[t];
            if (term->kind != TERM_THREAD && term->kind != TERM_PID && frame_matches(m, term, f4p_model_frame(m, i)))
                match[i] |= (uint16_t)(1u << t);
        }
}

static bool entry_counts(const struct f4p_model *m, const struct terms *terms, const struct f4p_entry *entry,
                         unsigned match)
{
    const struct f4p_model_process *process = &m->processes[entry->process];
    for (size_t t = 0; t < terms->count; t++) {
        const struct term *term = &terms->term[t];
        bool found = match >> t & 1;
        if (term->kind == TERM_HIDE)
            continue;
        if (term->kind == TERM_PID)
            found = process->pid == term->number;
        if (term->kind == TERM_THREAD) {
            uint32_t tid =
                entry->thread < process->trace->thread_count ? process->trace->threads[entry->thread].tid : 0;
            found = (term->number && tid == term->number) || matches(term, f4p_model_thread(m, entry));
        }
        if (found == (term->kind == TERM_IGNORE))
            return false;
    }
    return true;
}

static int apply(struct f4p_tui_filter *filter, const struct f4p_model *m, const struct terms *terms)
{
    uint16_t *match = calloc(m->frames.count + 1ul, sizeof *match);
    uint16_t *path = calloc(m->stacks.count + 1ul, sizeof *path);
    uint8_t *in = calloc(m->entries.count + 1ul, 1), *hidden = calloc(m->frames.count + 1ul, 1);
    if (!match || !path || !in || !hidden) {
        free(match);
        free(path);
        free(in);
        free(hidden);
        return -1;
    }
    match_frames(m, terms, match);
    for (uint32_t i = 0; i < m->stacks.count; i++) {
        const struct f4p_stack *stack = f4p_model_stack(m, i);
        path[i] = match[stack->frame] | (stack->parent == F4P_NONE ? 0 : path[stack->parent]);
    }
    for (uint32_t i = 0; i < m->entries.count; i++)
        in[i] = entry_counts(m, terms, f4p_model_entry(m, i), path[f4p_model_entry(m, i)->stack]);
    for (size_t t = 0; t < terms->count; t++)
        for (uint32_t i = 0; terms->term[t].kind == TERM_HIDE && i < m->frames.count; i++)
            hidden[i] |= match[i] >> t & 1;
    free(match);
    free(path);
    f4p_tui_filter_free(filter);
    filter->in = in;
    filter->hidden = hidden;
    return 0;
}

int f4p_tui_filter_set(struct f4p_tui_filter *filter, const struct f4p_model *model, const char *text, char *error,
                       size_t bytes)
{
    struct terms terms = {.count = 0};
    char kept[F4P_TUI_TEXT_BYTES];
    int result = parse(&terms, text, error, bytes);
    snprintf(kept, sizeof kept, "%s", text);
    if (!result && !terms.count)
        f4p_tui_filter_free(filter);
    else if (!result && (result = apply(filter, model, &terms)))
        snprintf(error, bytes, "out of memory");
    if (!result)
        memcpy(filter->text, kept, sizeof kept);
    free_terms(&terms);
    return result;
}

void f4p_tui_filter_free(struct f4p_tui_filter *filter)
{
    free(filter->in);
    free(filter->hidden);
    *filter = (struct f4p_tui_filter){.text = ""};
}
