/* What model.c (frames and stacks) shares with model_filter.c. */
#ifndef FIL4PROD_MODEL_PRIVATE_H
#define FIL4PROD_MODEL_PRIVATE_H

#include <regex.h>

#include "model.h"

enum f4p_match {
    F4P_MATCH_FOCUS = 1 << 0,
    F4P_MATCH_IGNORE = 1 << 1,
    F4P_MATCH_HIDE = 1 << 2,
    F4P_MATCH_SHOW_FROM = 1 << 3
};
#define F4P_MATCHES 4u

struct f4p_matcher {
    regex_t regex[F4P_MATCHES];
    unsigned compiled; /* which of them; a set of enum f4p_match */
    regex_t thread;
    bool has_thread;
    uint32_t tid; /* the thread pattern as a number; 0: it is none */
    uint32_t pid;
};

/** 0, or -1 and one line in `error`. */
int f4p_matcher_compile(struct f4p_matcher *matcher, const struct f4p_filter *filter, char *error, size_t error_bytes);
void f4p_matcher_free(struct f4p_matcher *matcher);

/** Which patterns a frame matches: a set of enum f4p_match. */
unsigned f4p_matcher_frame(const struct f4p_matcher *matcher, const char *function, const char *file, uint32_t line,
                           const char *library);
bool f4p_matcher_thread(const struct f4p_matcher *matcher, const char *name, uint32_t tid);

#endif
