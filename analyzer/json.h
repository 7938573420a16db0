/* The JSON face: one document of schema fil4prod.analysis/1. */
#ifndef FIL4PROD_JSON_H
#define FIL4PROD_JSON_H

#include <stdio.h>

#include "report.h"

/**
 * Writes the document to `out`; whether that worked, the stream knows. Numbers of bytes are whole: of an instant's
 * stacks so rounded that they add up to its heap_bytes (f4p_round_bytes). 0, or -1 when memory ran out.
 */
int f4p_json_report(const struct f4p_report *report, FILE *out);

#endif
