/* The text face: the first screen answers, the rest explains. */
#ifndef FIL4PROD_TEXT_H
#define FIL4PROD_TEXT_H

#include <stdio.h>

#include "report.h"

struct f4p_text_style {
    unsigned columns; /* of the page, >= 40 */
    bool ascii;
    bool color;
};

/** What fits `out`: COLUMNS or the terminal's width, else 80; colours on a terminal unless NO_COLOR; ASCII where the
 * locale is not UTF-8. Options come first. Sets the locale's character type. */
struct f4p_text_style f4p_text_style_for(FILE *out, const struct f4p_options *options);

/** Writes the report; whether that worked, the stream knows. */
void f4p_text_report(const struct f4p_report *report, const struct f4p_text_style *style, FILE *out);

#endif
