/* The user's editor, and the clipboard. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tui_private.h"

#define MAX_WORDS 16

/* Splits at spaces: an editor may come with options, "emacs -nw". No shell sees it. */
static size_t split(char *command, char **words)
{
    size_t count = 0;
    for (char *word = strtok(command, " "); word && count < MAX_WORDS; word = strtok(NULL, " "))
        words[count++] = word;
    return count;
}

static void become_editor(char **words)
{
    static const int all[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE, SIGTSTP, SIGWINCH};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        signal(all[i], SIG_DFL);
    execvp(words[0], words);
    _exit(127);
}

/* The keyboard's signals are the editor's while it runs. */
static int run_editor(char **words)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
    int status = -1;
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    pid_t pid = fork();
    if (pid == 0)
        become_editor(words);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    return pid < 0 ? -1 : status;
}

void f4p_tui_edit(struct f4p_tui *tui, uint32_t frame)
{
    char path[PATH_MAX], command[512], line[24];
    char *words[MAX_WORDS + 3];
    struct stat st;
    const char *editor = getenv("VISUAL");
    if (!editor || !*editor)
        editor = getenv("EDITOR");
    if (!editor || !*editor)
        editor = "vi";
    f4p_tui_frame_path(tui, frame, path, sizeof path);
    if (*path != '/' || stat(path, &st) || !S_ISREG(st.st_mode)) {
        f4p_tui_say(tui, true, "%.300s: not on this machine", *path ? path : "this frame's file");
        return;
    }
    snprintf(command, sizeof command, "%s", editor);
    size_t count = split(command, words);
    if (!count)
        return;
    snprintf(line, sizeof line, "+%u", f4p_model_frame(tui->report->model, frame)->line);
    words[count++] = line;
    words[count++] = path;
    words[count] = NULL;
    f4p_screen_pause();
    int status = run_editor(words);
    f4p_screen_resume(&tui->screen);
    if (status == -1 || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
        f4p_tui_say(tui, true, "cannot run %.100s: set $EDITOR", words[0]);
}

void f4p_tui_copy(struct f4p_tui *tui, uint32_t frame)
{
    char path[PATH_MAX], text[PATH_MAX + 16], safe[1024];
    uint32_t line = f4p_model_frame(tui->report->model, frame)->line;
    f4p_tui_frame_path(tui, frame, path, sizeof path);
    if (line)
        snprintf(text, sizeof text, "%s:%u", path, line);
    else
        snprintf(text, sizeof text, "%s", path);
    f4p_text_safe(safe, sizeof safe, text, 900, true, false);
    if (tui->screen.takes_osc_52)
        f4p_screen_copy(safe);
    f4p_tui_say(tui, false, "%s%.480s", tui->screen.takes_osc_52 ? "copied: " : "", safe);
}
