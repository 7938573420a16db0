/* Instants as a user writes them: peak, end, 50%, 1h58m, end-30s, an RFC 3339 time. */
#ifndef FIL4PROD_WHEN_H
#define FIL4PROD_WHEN_H

#include "model.h"

/** Whether `text` (its first `length` bytes) is a way to write an instant. */
bool f4p_when_valid(const char *text, size_t length);

/** The heap at that instant; 0, or -1: not valid, nothing known there, or no memory. f4p_heap_free() it. */
int f4p_when_heap(const struct f4p_model *model, bool base, const char *text, size_t length, struct f4p_heap *heap);

#endif
