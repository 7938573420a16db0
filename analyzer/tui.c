#include "tui.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tui_export.h"
#include "tui_frame.h"
#include "tui_private.h"

#define FOLLOW_MS 1000
#define FILTER_IDLE_MS 120
#define NAMES_MS 500    /* between two pictures with more names, at least */
#define PROGRESS_MS 200 /* between two words on how many there are */
#define NAMES_TICK_MS 1000

static const struct f4p_view_ops *const views[F4P_VIEW_COUNT] = {
    [F4P_VIEW_VERDICT] = &f4p_view_verdict, [F4P_VIEW_TIME] = &f4p_view_time,       [F4P_VIEW_TREE] = &f4p_view_tree,
    [F4P_VIEW_TOP] = &f4p_view_top,         [F4P_VIEW_SOURCE] = &f4p_view_source,   [F4P_VIEW_DIFF] = &f4p_view_diff,
    [F4P_VIEW_FLAME] = &f4p_view_flame,     [F4P_VIEW_CALLERS] = &f4p_view_callers, [F4P_VIEW_SIZES] = &f4p_view_sizes,
    [F4P_VIEW_FACTS] = &f4p_view_facts,     [F4P_VIEW_HELP] = &f4p_view_help,
};

const char *f4p_tui_view_name(enum f4p_view_id view)
{
    return views[view]->name;
}

/* ---- state ---- */

void f4p_tui_say(struct f4p_tui *tui, bool bad, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(tui->message, sizeof tui->message, format, arguments);
    va_end(arguments);
    tui->message_bad = bad;
}

void f4p_tui_changed(struct f4p_tui *tui)
{
    for (size_t i = 0; i < F4P_VIEW_COUNT; i++)
        tui->stale[i] = true;
}

static enum f4p_view_id current(const struct f4p_tui *tui)
{
    return tui->over == F4P_VIEW_COUNT ? tui->view : tui->over;
}

/* The ops of the shown view, brought up to date. */
static const struct f4p_view_ops *view_now(struct f4p_tui *tui, void **state)
{
    enum f4p_view_id id = current(tui);
    *state = tui->state[id];
    if (tui->stale[id] && views[id]->changed)
        views[id]->changed(tui, *state);
    tui->stale[id] = false;
    return views[id];
}

static struct f4p_browser *browser_now(struct f4p_tui *tui)
{
    void *state;
    const struct f4p_view_ops *ops = view_now(tui, &state);
    return ops->browser ? ops->browser(tui, state) : NULL;
}

static uint32_t frame_now(struct f4p_tui *tui)
{
    void *state;
    const struct f4p_view_ops *ops = view_now(tui, &state);
    return ops->frame ? ops->frame(tui, state) : F4P_NONE;
}

void f4p_tui_go(struct f4p_tui *tui, enum f4p_view_id view)
{
    if (view >= F4P_VIEW_TABS) {
        tui->over = tui->over == view ? F4P_VIEW_COUNT : view;
        return;
    }
    tui->over = F4P_VIEW_COUNT;
    tui->view = view;
    tui->back = view;
}

void f4p_tui_narrow(struct f4p_tui *tui, const char *term)
{
    char text[F4P_TUI_TEXT_BYTES], error[160];
    int used = snprintf(text, sizeof text, "%s%s%s", tui->filter.text, *tui->filter.text ? " " : "", term);
    if (used < 0 || (size_t)used >= sizeof text)
        f4p_tui_say(tui, true, "the filter would be too long");
    else if (f4p_tui_filter_set(&tui->filter, tui->report->model, text, error, sizeof error))
        f4p_tui_say(tui, true, "filter: %s", error);
    else
        f4p_tui_say(tui, false, "only %s; Esc shows all again", term);
    f4p_tui_heaps_forget(tui);
    f4p_tui_changed(tui);
}

static void set_filter(struct f4p_tui *tui, const char *text)
{
    char error[160];
    if (!strcmp(text, tui->filter.text))
        return;
    if (f4p_tui_filter_set(&tui->filter, tui->report->model, text, error, sizeof error)) {
        f4p_tui_say(tui, true, "filter: %s", error);
        return;
    }
    f4p_tui_heaps_forget(tui);
    f4p_tui_changed(tui);
}

/* ---- drawing ---- */

static void draw_view(struct f4p_tui *tui, struct f4p_area area)
{
    void *state;
    const struct f4p_view_ops *ops = view_now(tui, &state);
    ops->draw(tui, state, area);
}

static void draw(struct f4p_tui *tui)
{
    int rows = tui->screen.rows, columns = tui->screen.columns;
    void *state;
    f4p_screen_clear();
    f4p_screen_cursor(-1, 0);
    tui->page.style.columns = columns > 40 ? (unsigned)columns : 40;
    if (rows < 10 || columns < 40) {
        f4p_frame_small(tui);
    } else {
        const struct f4p_view_ops *ops = view_now(tui, &state);
        f4p_frame_head(tui, tui->over == F4P_VIEW_COUNT ? "" : ops->name);
        draw_view(tui, (struct f4p_area){F4P_FRAME_HEAD, 0, rows - F4P_FRAME_HEAD - 1, columns});
        f4p_frame_foot(tui, ops->hint);
    }
    f4p_screen_show();
}

/* ---- prompts ---- */

static bool find_text(struct f4p_tui *tui, const char *text, bool down, bool here)
{
    void *state;
    const struct f4p_view_ops *ops = view_now(tui, &state);
    return ops->find ? ops->find(tui, state, text, down, here)
                     : f4p_browser_find(ops->browser(tui, state), text, down, here);
}

/* Where a search begins, and where giving it up leads back to. */
static void anchor(struct f4p_tui *tui, bool back)
{
    void *state;
    const struct f4p_view_ops *ops = view_now(tui, &state);
    struct f4p_browser *browser = browser_now(tui);
    if (ops->anchor)
        ops->anchor(tui, state, back);
    else if (browser && back)
        f4p_browser_select(browser, tui->search_from);
    else if (browser)
        tui->search_from = browser->cursor;
}

static void find(struct f4p_tui *tui, bool down, bool here)
{
    struct f4p_browser *browser = browser_now(tui);
    if (!browser || !*tui->search)
        f4p_tui_say(tui, true, browser ? "nothing to search for yet: / asks" : "nothing to search in here");
    else if (!find_text(tui, tui->search, down, here))
        f4p_tui_say(tui, true, "not found: %.100s", tui->search);
}

static void open_prompt(struct f4p_tui *tui, enum f4p_prompt prompt)
{
    struct f4p_browser *browser = browser_now(tui);
    if (prompt != F4P_PROMPT_FILTER && (!browser || !browser->table.column_count)) {
        f4p_tui_say(tui, true, "no table here to %s", prompt == F4P_PROMPT_SEARCH ? "search in" : "export");
        return;
    }
    tui->prompt = prompt;
    tui->input[0] = '\0';
    if (prompt == F4P_PROMPT_SEARCH)
        anchor(tui, false);
    if (prompt == F4P_PROMPT_FILTER) {
        memcpy(tui->filter_before, tui->filter.text, sizeof tui->filter_before);
        snprintf(tui->input, sizeof tui->input, "%s", tui->filter.text);
    }
    if (prompt == F4P_PROMPT_EXPORT)
        snprintf(tui->input, sizeof tui->input, "fil4prod-%s.txt", browser->table.name);
}

static void finish_prompt(struct f4p_tui *tui)
{
    enum f4p_prompt prompt = tui->prompt;
    struct f4p_browser *browser = browser_now(tui);
    char title[512];
    tui->prompt = F4P_PROMPT_NONE;
    tui->filter_due = false;
    if (prompt == F4P_PROMPT_FILTER) {
        set_filter(tui, tui->input);
    } else if (prompt == F4P_PROMPT_SEARCH && *tui->input) {
        memcpy(tui->search, tui->input, sizeof tui->search);
        tui->stale[F4P_VIEW_FLAME] |= current(tui) != F4P_VIEW_FLAME;
        find(tui, true, true);
    } else if (prompt == F4P_PROMPT_EXPORT && *tui->input && browser) {
        f4p_frame_title(tui, title, sizeof title);
        tui->message_bad = f4p_export_table(&browser->table, title, tui->input, tui->message, sizeof tui->message);
    }
}

static void cancel_prompt(struct f4p_tui *tui)
{
    if (tui->prompt == F4P_PROMPT_FILTER)
        set_filter(tui, tui->filter_before);
    if (tui->prompt == F4P_PROMPT_SEARCH)
        anchor(tui, true);
    tui->prompt = F4P_PROMPT_NONE;
    tui->filter_due = false;
}

/* Removes the last character, or all. */
static void erase_input(struct f4p_tui *tui, bool all)
{
    size_t bytes = strlen(tui->input);
    while (bytes && (tui->input[bytes - 1] & 0xc0) == 0x80)
        bytes--;
    tui->input[all || !bytes ? 0 : bytes - 1] = '\0';
}

static void prompt_key(struct f4p_tui *tui, int key)
{
    enum f4p_action action = f4p_tui_action(key);
    size_t bytes = strlen(tui->input);
    tui->message[0] = '\0';
    if (action == F4P_ACT_ENTER) {
        finish_prompt(tui);
        return;
    }
    if (key == 27) {
        cancel_prompt(tui);
        return;
    }
    if (action == F4P_ACT_BACK)
        erase_input(tui, false);
    else if (key == ('U' & 31))
        erase_input(tui, true);
    else if (key >= ' ' && key < 256 && bytes + 2 < sizeof tui->input)
        memcpy(tui->input + bytes, (char[]){(char)key, '\0'}, 2);
    else
        return;
    if (tui->prompt == F4P_PROMPT_FILTER)
        tui->filter_due = true;
    if (tui->prompt == F4P_PROMPT_SEARCH) {
        anchor(tui, true);
        if (*tui->input && !find_text(tui, tui->input, true, true))
            f4p_tui_say(tui, true, "not found: %.100s", tui->input);
    }
}

/* ---- actions ---- */

static void step_instant(struct f4p_tui *tui, int steps)
{
    const struct f4p_report *r = tui->report;
    size_t at = 0;
    if (!r->timeline_count)
        return;
    while (at + 1 < r->timeline_count && r->timeline[at + 1].t_ns <= tui->instant.t_ns)
        at++;
    struct f4p_moment moment = {F4P_MOMENT_TIME, 0};
    if (steps < 0 && tui->instant.kind == F4P_MOMENT_END)
        steps++;
    if (steps < 0)
        at = at > (size_t)-steps ? at - (size_t)-steps : 0;
    else
        at += (size_t)steps;
    moment.kind = at >= r->timeline_count ? F4P_MOMENT_END : F4P_MOMENT_TIME;
    moment.t_ns = at < r->timeline_count ? r->timeline[at].t_ns : 0;
    f4p_tui_set_instant(tui, moment);
}

static void mark_instant(struct f4p_tui *tui)
{
    char words[64];
    size_t which = tui->marked[0] && !tui->marked[1];
    if (tui->marked[0] && tui->marked[1])
        tui->marked[1] = false;
    tui->marks[which] = tui->instant;
    tui->marked[which] = true;
    f4p_tui_moment_words(tui, tui->instant, words, sizeof words);
    f4p_tui_say(tui, false, which ? "B is %s; d shows what changed from A to B" : "A is %s; go elsewhere and m marks B",
                words);
    if (which && tui->marks[1].t_ns < tui->marks[0].t_ns) {
        struct f4p_moment swap = tui->marks[0];
        tui->marks[0] = tui->marks[1];
        tui->marks[1] = swap;
    }
    f4p_tui_changed(tui);
}

static void go_back(struct f4p_tui *tui)
{
    if (tui->over != F4P_VIEW_COUNT)
        tui->over = F4P_VIEW_COUNT;
    else if (tui->view != tui->back)
        f4p_tui_go(tui, tui->back);
    else if (*tui->filter.text)
        set_filter(tui, "");
    else if (tui->view != F4P_VIEW_VERDICT)
        f4p_tui_go(tui, F4P_VIEW_VERDICT);
}

static void toggle(struct f4p_tui *tui, bool *what, const char *on, const char *off)
{
    *what = !*what;
    free(tui->visible);
    tui->visible = NULL;
    f4p_tui_changed(tui);
    f4p_tui_say(tui, false, "%s", *what ? on : off);
}

/* The interpreter's frames are no part of a model until they are asked for. */
static void next_detail(struct f4p_tui *tui)
{
    static const char *const words[] = {"frames of libraries are shown, the interpreter's are not",
                                        "frames of your code only", "all frames are shown, the interpreter's too"};
    bool internals = tui->own.filter.internals;
    tui->detail = (enum f4p_detail)((tui->detail + 1) % (tui->report->model->python ? 3 : 2));
    tui->own.filter.internals = tui->detail == F4P_DETAIL_ALL || tui->internals;
    free(tui->visible);
    tui->visible = NULL;
    f4p_tui_changed(tui);
    f4p_tui_say(tui, false, "%s", words[tui->detail]);
    tui->rebuild_due |= internals != tui->own.filter.internals;
}

static void on_frame(struct f4p_tui *tui, enum f4p_action action)
{
    uint32_t frame = frame_now(tui);
    if (frame == F4P_NONE)
        f4p_tui_say(tui, true, "no line of code is selected");
    else if (action == F4P_ACT_EDIT)
        f4p_tui_edit(tui, frame);
    else if (action == F4P_ACT_COPY)
        f4p_tui_copy(tui, frame);
    else if (action == F4P_ACT_CALLERS)
        f4p_tui_show_callers(tui, frame);
    else
        f4p_tui_show_source(tui, frame, F4P_NONE);
}

static void act_view(struct f4p_tui *tui, enum f4p_action action)
{
    uint32_t frame = frame_now(tui);
    if (tui->over == F4P_VIEW_COUNT)
        tui->picked = frame;
    tui->stale[F4P_VIEW_SIZES] = true;
    if (action == F4P_ACT_VIEW_5 && current(tui) != F4P_VIEW_SOURCE && frame != F4P_NONE)
        f4p_tui_show_source(tui, frame, F4P_NONE);
    else if (action >= F4P_ACT_VIEW_1 && action <= F4P_ACT_VIEW_6)
        f4p_tui_go(tui, (enum f4p_view_id)(action - F4P_ACT_VIEW_1));
    else if (action == F4P_ACT_PANE || action == F4P_ACT_PREVIOUS)
        f4p_tui_go(tui,
                   (enum f4p_view_id)((tui->view + (action == F4P_ACT_PANE ? 1 : F4P_VIEW_TABS - 1)) % F4P_VIEW_TABS));
    else if (action == F4P_ACT_FLAME)
        f4p_tui_show_flame(tui, tui->picked);
    else if (action == F4P_ACT_SIZES)
        f4p_tui_go(tui, F4P_VIEW_SIZES);
    else if (action == F4P_ACT_FACTS)
        f4p_tui_go(tui, F4P_VIEW_FACTS);
    else
        f4p_tui_go(tui, F4P_VIEW_HELP);
}

static void act_time(struct f4p_tui *tui, enum f4p_action action)
{
    switch (action) {
    case F4P_ACT_STEP_BACK:
    case F4P_ACT_STEP_ON:
        step_instant(tui, action == F4P_ACT_STEP_ON ? 1 : -1);
        break;
    case F4P_ACT_JUMP_BACK:
    case F4P_ACT_JUMP_ON:
        step_instant(tui, action == F4P_ACT_JUMP_ON ? 10 : -10);
        break;
    case F4P_ACT_PEAK:
        f4p_tui_set_instant(
            tui, (struct f4p_moment){tui->instant.kind == F4P_MOMENT_PEAK ? F4P_MOMENT_END : F4P_MOMENT_PEAK, 0});
        break;
    default:
        mark_instant(tui);
    }
}

static void act_common(struct f4p_tui *tui, enum f4p_action action)
{
    switch (action) {
    case F4P_ACT_ENTER:
    case F4P_ACT_EDIT:
    case F4P_ACT_COPY:
    case F4P_ACT_CALLERS:
        on_frame(tui, action);
        break;
    case F4P_ACT_BACK:
        go_back(tui);
        break;
    case F4P_ACT_SEARCH:
        open_prompt(tui, F4P_PROMPT_SEARCH);
        break;
    case F4P_ACT_FILTER:
        open_prompt(tui, F4P_PROMPT_FILTER);
        break;
    case F4P_ACT_EXPORT:
        open_prompt(tui, F4P_PROMPT_EXPORT);
        break;
    case F4P_ACT_NEXT:
    case F4P_ACT_BEFORE:
        find(tui, action == F4P_ACT_NEXT, false);
        break;
    case F4P_ACT_LIBRARIES:
        next_detail(tui);
        break;
    case F4P_ACT_BOTTOM_UP:
        toggle(tui, &tui->bottom_up, "bottom-up: from the allocating frame outwards",
               "top-down: from the outermost frame inwards");
        break;
    case F4P_ACT_REDRAW:
        f4p_screen_redraw();
        break;
    case F4P_ACT_QUIT:
        tui->done = true;
        break;
    default:
        break;
    }
}

static void act(struct f4p_tui *tui, enum f4p_action action)
{
    void *state;
    const struct f4p_view_ops *ops = view_now(tui, &state);
    if (ops->act && ops->act(tui, state, action))
        return;
    struct f4p_browser *browser = ops->browser ? ops->browser(tui, state) : NULL;
    if (browser && f4p_browser_act(browser, action))
        return;
    if ((action >= F4P_ACT_VIEW_1 && action <= F4P_ACT_PREVIOUS) || action == F4P_ACT_FLAME ||
        (action >= F4P_ACT_SIZES && action <= F4P_ACT_HELP))
        act_view(tui, action);
    else if (action >= F4P_ACT_STEP_BACK && action <= F4P_ACT_MARK)
        act_time(tui, action);
    else
        act_common(tui, action);
}

static void click(struct f4p_tui *tui, struct f4p_click where)
{
    void *state;
    const struct f4p_view_ops *ops = view_now(tui, &state);
    struct f4p_browser *browser = ops->browser ? ops->browser(tui, state) : NULL;
    int tab = f4p_frame_tab_at(tui, where);
    if (tab >= 0)
        f4p_tui_go(tui, (enum f4p_view_id)tab);
    else if (ops->click && ops->click(tui, state, where))
        return;
    else if (browser && f4p_browser_click(browser, where.row) && where.twice)
        act(tui, F4P_ACT_ENTER);
}

static void take_key(struct f4p_tui *tui, int key, struct f4p_click where)
{
    if (key == F4P_KEY_RESIZED) {
        f4p_tui_changed(tui);
        return;
    }
    tui->touched = true;
    if (tui->prompt != F4P_PROMPT_NONE) {
        if (key >= 0)
            prompt_key(tui, key);
        return;
    }
    tui->message[0] = '\0';
    if (key == F4P_KEY_CLICK)
        click(tui, where);
    else if (key == F4P_KEY_WHEEL_UP || key == F4P_KEY_WHEEL_DOWN)
        for (int i = 0; i < 3; i++)
            act(tui, key == F4P_KEY_WHEEL_UP ? F4P_ACT_UP : F4P_ACT_DOWN);
    else
        act(tui, f4p_tui_action(key));
}

/* ---- the loop ---- */

static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Waits ten times as long as reading took, so that a large trace does not keep a processor busy. */
static int follow(struct f4p_tui *tui, uint64_t *next_ms)
{
    uint64_t begin = now_ms();
    if (!tui->options->follow || tui->ended)
        return -1;
    if (begin < *next_ms)
        return (int)(*next_ms - begin);
    f4p_tui_reload(tui);
    uint64_t took = now_ms() - begin;
    *next_ms = now_ms() + (took * 10 > FOLLOW_MS ? took * 10 : FOLLOW_MS);
    tui->ended = tui->report->verdict.kind != F4P_DEATH_RUNNING && tui->report->verdict.kind != F4P_DEATH_UNKNOWN;
    draw(tui);
    return (int)(*next_ms - now_ms());
}

static void do_due(struct f4p_tui *tui)
{
    void (*later)(struct f4p_tui *) = tui->later;
    if (tui->rebuild_due) {
        tui->rebuild_due = false;
        f4p_tui_rebuild(tui);
        return;
    }
    tui->later = NULL;
    later(tui);
}

/* ---- names that are still being looked up ---- */

/* The address that the selected row stands for, as it has no name: the file, to be freed, and *offset. NULL: it has. */
static char *nameless_row(struct f4p_tui *tui, uint64_t *offset)
{
    const struct f4p_model *m = tui->report->model;
    enum f4p_view_id view = current(tui);
    bool listed = view == F4P_VIEW_VERDICT || view == F4P_VIEW_TREE || view == F4P_VIEW_TOP || view == F4P_VIEW_DIFF;
    uint32_t frame = listed ? frame_now(tui) : F4P_NONE;
    if (frame == F4P_NONE || !f4p_model_frame(m, frame)->offset)
        return NULL;
    *offset = f4p_model_frame(m, frame)->offset - 1;
    return strdup(f4p_model_string(m, f4p_model_frame(m, frame)->file));
}

/* The row that it has become: the first with its name. */
static void select_named(struct f4p_tui *tui, const char *file, uint64_t offset)
{
    char label[F4P_TUI_CELL_BYTES];
    struct f4p_browser *browser = browser_now(tui);
    uint32_t frame = browser ? f4p_tui_named(tui, file, offset) : F4P_NONE;
    if (frame == F4P_NONE)
        return;
    f4p_tui_frame_label(tui, frame, label, sizeof label);
    size_t before = browser->cursor;
    f4p_browser_select(browser, 0);
    if (!find_text(tui, label, true, true))
        f4p_browser_select(browser, before);
}

/* The pictures with more names are few: one soon, then ever longer apart if they take long, and the last. */
static void show_names(struct f4p_tui *tui, uint64_t begin)
{
    struct f4p_browser *browser = tui->touched ? NULL : browser_now(tui);
    if (browser) { /* nobody chose the row: it is the first, whatever stands there */
        browser->has_id = false;
        browser->cursor = 0;
    }
    uint64_t offset = 0;
    char *file = browser ? NULL : nameless_row(tui, &offset);
    tui->names.shown = f4p_job_progress(tui->job).names;
    if (!f4p_tui_rebuild(tui) && file)
        select_named(tui, file, offset);
    free(file);
    uint64_t end = now_ms(), took = end - begin;
    tui->names.next_ms = end + (took * 10 > NAMES_MS ? took * 10 : NAMES_MS);
}

/* Takes what is there; false: nothing to draw. */
static bool take_names(struct f4p_tui *tui)
{
    uint64_t now = now_ms();
    bool more = f4p_job_name(tui->job, 0);
    struct f4p_symbol_progress p = f4p_job_progress(tui->job);
    unsigned before = tui->names.percent;
    tui->names.percent = more ? (unsigned)(p.done * 100 / p.all) : 100;
    if (more && before == 100)
        tui->names.drawn_ms = now; /* what a following view finds new is mostly named at once: no word on it */
    if (p.names != tui->names.shown && (!more || now >= tui->names.next_ms)) {
        show_names(tui, now);
        return true;
    }
    if (!more)
        f4p_tui_changed(tui); /* what has no name is known now */
    if (more && (tui->names.percent == before || now < tui->names.drawn_ms + PROGRESS_MS))
        return false;
    tui->names.drawn_ms = now;
    return true;
}

/* What comes first: a key, `due` work, names, or the end of `wait`. */
static int next_key(struct f4p_tui *tui, bool due, int wait, struct f4p_click *where)
{
    if (due || tui->filter_due)
        return f4p_screen_key(&tui->screen, due ? 0 : FILTER_IDLE_MS, -1, where);
    int other = f4p_job_names_fd(tui->job);
    bool more = other >= 0 && f4p_job_progress(tui->job).names != tui->names.shown;
    if (more) {
        uint64_t now = now_ms(), left = now < tui->names.next_ms ? tui->names.next_ms - now : 0;
        wait = wait < 0 || left < (uint64_t)wait ? (int)left : wait;
    }
    if (other < 0 && tui->names.percent < 100)
        return F4P_KEY_OTHER; /* it ended, or had to be given up */
    if (other >= 0 && (wait < 0 || wait > NAMES_TICK_MS))
        wait = NAMES_TICK_MS; /* files that do not answer are given up */
    int key = f4p_screen_key(&tui->screen, wait, other, where);
    return key == F4P_KEY_NONE && other >= 0 ? F4P_KEY_OTHER : key;
}

/* ---- all of it ---- */

static int loop(struct f4p_tui *tui)
{
    uint64_t next_ms = now_ms() + FOLLOW_MS;
    struct f4p_symbol_progress p = f4p_job_progress(tui->job);
    tui->names.shown = p.names;
    tui->names.percent = p.done < p.all ? (unsigned)(p.done * 100 / p.all) : 100;
    tui->names.next_ms = now_ms() + NAMES_MS;
    draw(tui);
    while (!tui->done) {
        struct f4p_click where = {.row = -1};
        int wait = follow(tui, &next_ms);
        bool due = tui->later || tui->rebuild_due;
        int key = next_key(tui, due, wait, &where);
        if (key == F4P_KEY_GONE)
            return F4P_EXIT_INTERRUPTED;
        if (key == F4P_KEY_NONE && !tui->filter_due && !due)
            continue;
        if (key == F4P_KEY_OTHER) {
            if (take_names(tui))
                draw(tui);
            continue;
        }
        if (key == F4P_KEY_NONE && due) {
            do_due(tui);
        } else if (key == F4P_KEY_NONE) {
            tui->filter_due = false;
            set_filter(tui, tui->input);
        } else {
            take_key(tui, key, where);
        }
        draw(tui);
    }
    return 0;
}

int f4p_tui_run(const struct f4p_options *options, struct f4p_job *job, struct f4p_report *report)
{
    struct f4p_tui *tui = calloc(1, sizeof *tui);
    int result = -1;
    if (!tui)
        return -1;
    /* Views make and drop tables of megabytes at each key: pages that are kept need not be cleared again. */
    mallopt(M_MMAP_THRESHOLD, 256 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
    *tui = (struct f4p_tui){.own = *options, .job = job, .report = report, .over = F4P_VIEW_COUNT};
    tui->options = report->options = &tui->own;
    tui->internals = options->filter.internals;
    tui->picked = F4P_NONE;
    tui->instant.t_ns = report->model->end_ns;
    if (report->refused.sums) /* what it held then is freed by the end */
        tui->instant = (struct f4p_moment){F4P_MOMENT_TIME, report->refused.t_ns};
    for (size_t i = 0; i < F4P_VIEW_COUNT; i++) {
        tui->stale[i] = true;
        if (views[i]->state_bytes && !(tui->state[i] = calloc(1, views[i]->state_bytes)))
            goto out;
    }
    if (f4p_screen_open(&tui->screen, options))
        goto out;
    tui->page = (struct f4p_page){.r = report, .style = {.columns = 80, .ascii = tui->screen.ascii}};
    if (report->compared)
        f4p_tui_go(tui, F4P_VIEW_DIFF);
    result = loop(tui);
    f4p_screen_close();
out:
    for (size_t i = 0; i < F4P_VIEW_COUNT; i++) {
        if (tui->state[i] && views[i]->close)
            views[i]->close(tui->state[i]);
        free(tui->state[i]);
    }
    f4p_tui_heaps_forget(tui);
    f4p_tui_filter_free(&tui->filter);
    report->options = options;
    free(tui);
    return result;
}
