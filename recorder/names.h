/*
 * Names: of traces, which are made from patterns, and of commands, which are looked up in lists. Shared by launcher and
 * library: no stdio, no allocation, no lock.
 *
 * A pattern is a path in which %p stands for the process id, %h for the host's name, %t for the start (UTC,
 * 20261122T034045), %c for the command's name and %% for a percent sign. Its family are the traces that it may have
 * given a name to: those with other values in the same places, each with any number of ".DIGITS" after it.
 */
#ifndef FIL4PROD_NAMES_H
#define FIL4PROD_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What the letters of a pattern stand for. */
struct f4p_names_facts {
    uint32_t pid;
    uint64_t start_s;    /* Unix time */
    const char *host;    /* in both: what a file name should not hold becomes '_' */
    const char *command; /* may be a path: its last part counts */
};

/** What is after the last slash. */
const char *f4p_names_base(const char *path);

/** Whether only known letters follow a percent sign. */
bool f4p_names_valid(const char *pattern);

/** Whether `pattern` has %`letter`. */
bool f4p_names_has(const char *pattern, char letter);

/** Writes the name that `pattern` gives. 0, -EINVAL (not valid) or -ENAMETOOLONG. */
int f4p_names_expand(char *to, size_t room, const char *pattern, const struct f4p_names_facts *facts);

/** Puts the working directory before a relative pattern, its percent signs doubled. 0 or -errno. */
int f4p_names_absolute(char *to, size_t room, const char *pattern);

/** Writes the pattern that gives just `name`. 0 or -ENAMETOOLONG. */
int f4p_names_literal(char *to, size_t room, const char *name);

/** Appends ".NUMBER". 0 or -ENAMETOOLONG. */
int f4p_names_append(char *path, size_t room, uint32_t number);

/** Whether `name`, without directory, belongs to the family of the last part of `pattern`. */
bool f4p_names_family(const char *pattern, const char *name);

/** Whether `word` is in `list`: comma-separated words with * (any text) and ? (any character). `alike`: without regard
 * to case, and '-', '_' and '.' are the same. */
bool f4p_names_listed(const char *list, const char *word, size_t bytes, bool alike);

#endif
