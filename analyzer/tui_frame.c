#include "tui_frame.h"

#include <stdlib.h>
#include <string.h>

#define MIN_COMMAND 16

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void command_line(const struct f4p_tui *tui, char *out, size_t bytes)
{
    const char *const *command = f4p_trace_fact_list(tui->report->trace, F4P_FACT_ID_COMMAND);
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; command[i] && used + 1 < bytes; i++) {
        int wrote = snprintf(out + used, bytes - used, "%s%s", i ? " " : "", i ? command[i] : base_name(command[i]));
        used += wrote < 0 ? 0 : (size_t)wrote;
    }
}

/* "[1 Verdict] 2 Time ...", or only the numbers beside the chosen one. Columns; -1 and a click: finds the tab. */
static int lay_tabs(const struct f4p_tui *tui, bool brief, int column, int *tab_at)
{
    int used = 0;
    for (int i = 0; i < F4P_VIEW_TABS; i++) {
        char text[64];
        bool chosen = (int)tui->view == i;
        snprintf(text, sizeof text, "%s%d%s%s%s", chosen ? "[" : "", i + 1, brief && !chosen ? "" : " ",
                 brief && !chosen ? "" : f4p_tui_view_name((enum f4p_view_id)i), chosen ? "]" : "");
        int bytes = (int)strlen(text);
        if (tab_at && *tab_at >= column + used && *tab_at < column + used + bytes) {
            *tab_at = i;
            return -1;
        }
        if (!tab_at && column >= 0)
            f4p_screen_put(&tui->screen, 0, column + used,
                           F4P_STYLE_BAR | (chosen && tui->over == F4P_VIEW_COUNT ? F4P_STYLE_STRONG : 0u), text);
        used += bytes + 1;
    }
    return used;
}

struct tabs {
    bool brief;
    int column;
};

static struct tabs place_tabs(const struct f4p_tui *tui)
{
    struct tabs tabs = {false, 0};
    int width = lay_tabs(tui, false, -1, NULL);
    tabs.brief = width > tui->screen.columns * 5 / 8;
    if (tabs.brief)
        width = lay_tabs(tui, true, -1, NULL);
    tabs.column = tui->screen.columns - width;
    return tabs;
}

int f4p_frame_tab_at(const struct f4p_tui *tui, struct f4p_click click)
{
    struct tabs tabs = place_tabs(tui);
    int at = click.column;
    if (click.row != 0)
        return -1;
    return lay_tabs(tui, tabs.brief, tabs.column, &at) < 0 ? at : -1;
}

/* Which heap is on screen, and what is left out of it. */
static void draw_instant(struct f4p_tui *tui, const char *overlay)
{
    const struct f4p_heap *heap = f4p_tui_heap(tui);
    enum f4p_units units = tui->options->units;
    double half = heap ? f4p_sums_error(&heap->total, tui->report->interval).half : 0;
    char words[64], a[F4P_NUMBER_BYTES], b[F4P_NUMBER_BYTES], text[512];
    int column = 1;
    f4p_tui_moment_words(tui, tui->instant, words, sizeof words);
    if (*overlay) {
        column += f4p_screen_put(&tui->screen, 1, column, F4P_STYLE_BOLD, overlay) + 2;
    }
    if (!heap)
        snprintf(text, sizeof text, "AT %s: nothing is known of that time", words);
    else
        snprintf(text, sizeof text, "AT %s  heap %s%s%s%s%s%s%s", words,
                 f4p_text_bytes(a, f4p_tui_q8(heap->total.bytes), units), half > 0 ? " " : "",
                 half > 0 ? f4p_page_plus_minus(&tui->page) : "", half > 0 ? f4p_text_bytes(b, half, units) : "",
                 heap->exact ? "" : "  (nearest kept moment)", heap->sound ? "" : "  NOT SOUND: damage",
                 tui->report->model->filtered ? "  in view" : "");
    column += f4p_screen_put(&tui->screen, 1, column, heap && heap->sound ? F4P_STYLE_PLAIN : F4P_STYLE_BAD, text);
    if (*tui->filter.text) {
        column += f4p_screen_put(&tui->screen, 1, column + 2, F4P_STYLE_WARN, "filter: ") + 2;
        f4p_screen_put(&tui->screen, 1, column, F4P_STYLE_WARN, tui->filter.text);
    }
}

void f4p_frame_head(struct f4p_tui *tui, const char *overlay)
{
    const struct f4p_report *r = tui->report;
    const struct f4p_model *m = r->model;
    char command[400], shown[1600], process[64], title[700], more[32] = "";
    size_t others = 0;
    for (size_t i = 1; i < m->process_count; i++)
        others += !m->processes[i].base;
    if (others)
        snprintf(more, sizeof more, " +%zu", others);
    command_line(tui, command, sizeof command);
    struct tabs tabs = place_tabs(tui);
    int file = snprintf(title, sizeof title, " %.100s  ", base_name(tui->job->paths[0]));
    int pid = snprintf(process, sizeof process, "  pid %u%s", m->processes[0].pid, more);
    int room = tabs.column - 1 - file - pid; /* the command gives way to the pid while enough of it is left */
    f4p_text_safe(shown, sizeof shown, command, room < MIN_COMMAND ? sizeof command : (size_t)room, false,
                  tui->screen.ascii);
    snprintf(title + file, sizeof title - (size_t)file, "%.500s%s", shown, process);
    f4p_screen_fill(&tui->screen, 0, 0, tui->screen.columns, F4P_STYLE_BAR, ' ');
    f4p_screen_cell(&tui->screen, 0, 0, tabs.column - 1, F4P_STYLE_BAR, title, false);
    lay_tabs(tui, tabs.brief, tabs.column, NULL);
    draw_instant(tui, overlay);
}

/* As many as fit, help always. */
static void draw_hints(const struct f4p_tui *tui, int row, int columns, const char *hint)
{
    static const char always[] = "?:help  q:quit";
    int column = 1, room = columns - (int)sizeof always;
    while (*hint) {
        char one[64];
        int bytes = (int)strcspn(hint, "\t");
        snprintf(one, sizeof one, "%.*s", bytes, hint);
        if (column + bytes > room)
            break;
        column += f4p_screen_put(&tui->screen, row, column, F4P_STYLE_BAR, one) + 2;
        hint += bytes + (hint[bytes] == '\t');
    }
    f4p_screen_put(&tui->screen, row, column, F4P_STYLE_BAR, always);
}

void f4p_frame_foot(struct f4p_tui *tui, const char *hint)
{
    static const char *const labels[] = {
        "", "search: ", "filter (focus= ignore= hide= thread= pid= lib=): ", "export to: "};
    const struct f4p_screen *screen = &tui->screen;
    int row = screen->rows - 1;
    f4p_screen_fill(screen, row, 0, screen->columns, F4P_STYLE_BAR, ' ');
    if (tui->prompt != F4P_PROMPT_NONE) {
        int column = f4p_screen_put(screen, row, 1, F4P_STYLE_BAR | F4P_STYLE_STRONG, labels[tui->prompt]) + 1;
        int room = screen->columns - column - 1;
        char shown[F4P_TUI_TEXT_BYTES * 4];
        int used =
            (int)f4p_text_safe(shown, sizeof shown, tui->input, (size_t)(room > 0 ? room : 0), true, screen->ascii);
        f4p_screen_cell(screen, row, column, room, F4P_STYLE_BAR, tui->input, true);
        if (*tui->message)
            f4p_screen_put(screen, row, column + used + 2, F4P_STYLE_BAR, tui->message);
        f4p_screen_cursor(row, column + used);
        return;
    }
    if (*tui->message) {
        f4p_screen_cell(screen, row, 1, screen->columns - 2, F4P_STYLE_BAR | (tui->message_bad ? F4P_STYLE_STRONG : 0u),
                        tui->message, false);
        return;
    }
    char state[40] = "";
    if (tui->names.percent < 100)
        snprintf(state, sizeof state, " names %u %%", tui->names.percent);
    if (tui->options->follow)
        snprintf(state + strlen(state), sizeof state - strlen(state), tui->ended ? " ended" : " live");
    int right = (int)strlen(state);
    draw_hints(tui, row, screen->columns - 1 - right, hint);
    if (right)
        f4p_screen_put(screen, row, screen->columns - right, F4P_STYLE_BAR | F4P_STYLE_STRONG, state);
}

void f4p_frame_small(const struct f4p_tui *tui)
{
    const struct f4p_report *r = tui->report;
    char line[700], number[F4P_NUMBER_BYTES], label[F4P_TUI_CELL_BYTES] = "";
    size_t count = 0;
    struct f4p_group *groups = f4p_model_group(r->model, F4P_BY_LINE, &r->end, NULL, false, &count);
    if (groups)
        f4p_page_label(&tui->page, F4P_BY_LINE, &groups[0], label, sizeof label);
    free(groups);
    snprintf(line, sizeof line, "%s %s %s", f4p_death_key(r->verdict.kind),
             f4p_text_bytes(number, f4p_tui_q8(r->end.total.bytes), tui->options->units), label);
    f4p_screen_put(&tui->screen, 0, 0, F4P_STYLE_BOLD, line);
}

void f4p_frame_title(const struct f4p_tui *tui, char *out, size_t bytes)
{
    char words[64];
    f4p_tui_moment_words(tui, tui->instant, words, sizeof words);
    snprintf(out, bytes, "%.200s at %s%s%s", base_name(tui->job->paths[0]), words, *tui->filter.text ? ", filter " : "",
             tui->filter.text);
}
