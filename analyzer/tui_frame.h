/* What stands around a view: the head with title, tabs and the instant, the foot with message, prompt or hints. */
#ifndef FIL4PROD_TUI_FRAME_H
#define FIL4PROD_TUI_FRAME_H

#include "tui_private.h"

#define F4P_FRAME_HEAD 2 /* rows */

/** `overlay`: the name of the one on top, or "". */
void f4p_frame_head(struct f4p_tui *tui, const char *overlay);
void f4p_frame_foot(struct f4p_tui *tui, const char *hint);

/** Instead of everything where the screen is too small: the verdict in a line. */
void f4p_frame_small(const struct f4p_tui *tui);

/** The tab under a click, or -1. */
int f4p_frame_tab_at(const struct f4p_tui *tui, struct f4p_click click);

/** "etl.bin at 1:58:12 (death)": what an export is of. */
void f4p_frame_title(const struct f4p_tui *tui, char *out, size_t bytes);

#endif
