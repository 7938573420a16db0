#!/bin/sh
# The terminal face in a real terminal (tmux): keys are typed, whole screens are compared with tests/tui/screens/*.txt.
# UPDATE=1 writes those anew: look at the difference before committing it.
. "$(dirname "$0")/lib.sh"

SCREENS=$ROOT/tests/tui/screens
GENERATE=$BUILD/tui_generate
PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || PYTHON=python3
PATIENCE=${SANITIZED:+600} # tenths of a second that a screen may take; only a failure waits that long
PATIENCE=${TUI_PATIENCE:-${PATIENCE:-200}}

if ! command -v tmux >/dev/null 2>&1; then
    skip tui "no tmux"
    finish
fi
if ! [ -x "$GENERATE" ] || ! "$ANALYZE" --version | grep -q tui; then
    skip tui "built without ncursesw"
    finish
fi

NO_LEAKS=ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
terminal=0
what_runs=
trap 't kill-server 2>/dev/null; cd / && rm -rf "$TMP"' EXIT
t() {
    tmux -u -S "$TMP/tmux$terminal" -f /dev/null "$@"
}

for kind in plain hostile running damaged; do
    "$GENERATE" "$TMP/$kind.bin" $kind || exit 1
done

# The processes in the terminal's foreground, but its shell.
inside() {
    ps -o pid= --ppid "$(t display-message -p '#{pane_pid}' 2>/dev/null)" 2>/dev/null
}

alive() {
    case $(ps -o stat= -p "$1") in '' | Z*) return 1 ;; esac
}

# leaves PID: is gone, soon
leaves() {
    tries=0
    while alive "$1"; do
        tries=$((tries + 1))
        [ $tries -le "$PATIENCE" ] || return 1
        sleep 0.05
    done
}

# Ends what runs before its terminal ends. A terminal's end sends SIGCONT after SIGHUP, which undoes the SIGSTOP that
# LeakSanitizer stops the program with when it leaves: both would wait for ever, one of them spinning.
stop() {
    for child in $(inside); do
        kill "$child" 2>/dev/null && leaves "$child"
    done
    sanitizer=$(t capture-pane -p -S - 2>/dev/null | grep -A 12 Sanitizer) && echo "$what_runs: $sanitizer" >>"$TMP/sanitizer"
    what_runs=
    t kill-server 2>/dev/null
    terminal=$((terminal + 1)) # the old one may still be going
}

# begin COLUMNSxROWS COMMAND...: in a terminal of its own; environment assignments may come first
begin() {
    size=$1
    shift
    stop
    what_runs=$*
    t new-session -d -x "${size%x*}" -y "${size#*x}" \
        "env -u NO_COLOR -u VISUAL LC_ALL=C.UTF-8 TERM=screen-256color $*; echo \"left with \$?\"; exec sleep 1000"
    t set-option -g status off
}

# type KEYS: separated by spaces. An Escape is given the time to be no beginning of something.
type_keys() {
    for key in $1; do
        t send-keys "$key"
        case $key in Escape) sleep 0.2 ;; esac
    done
}

look() {
    t capture-pane -p | sed 's/ *$//'
}

# within SOMETHING: until the screen has it
within() {
    tries=0
    until look | grep -qF -- "$1"; do
        tries=$((tries + 1))
        if [ $tries -gt "$PATIENCE" ]; then
            echo "never seen: $1"
            look
            return 1
        fi
        sleep 0.1
    done
}

# same NAME: the screen is, soon, the one kept
same() {
    expected=$SCREENS/$1.txt
    if [ -n "${UPDATE:-}" ]; then
        mkdir -p "$SCREENS"
        sleep 1
        look >"$expected"
        return 0
    fi
    tries=0
    until look | cmp -s - "$expected"; do
        tries=$((tries + 1))
        if [ $tries -gt "$PATIENCE" ]; then
            look | diff "$expected" -
            return 1
        fi
        sleep 0.1
    done
}

# shows NAME SIZE KEYS COMMAND...
shows() {
    name=$1 size=$2 keys=$3
    shift 3
    begin "$size" "$@"
    sleep 0.3
    within 475M && type_keys "$keys" && same "$name"
}

P="$ANALYZE plain.bin"

# ---- each view, each overlay ----

view() {
    ok "screen $1" shows "$1" 80x24 "$2" "$P"
}
view verdict ""
view time "2"
view tree "3"
view tree-folded "3 h h h"
view tree-bottom-up "3 b"
view tree-zoomed "3 k k Enter"
view top "4"
view top-library "4 l l l"
view top-sorted "4 s s I"
view source "Enter"
view source-stack "Enter Tab k"
view diff "d"
view diff-marked "2 h h h h h h h h h h m g m d"
view diff-nothing "m d"
view flame "f"
view flame-zoomed "f k Enter"
view callers "j c"
view sizes "z"
view facts "i"
view help "?"
view verdict-earlier "2 h h h h h h h h h h 1"
view time-zoomed "2 h h h h h + +"
view search "4 / w o r k e r Enter"
view search-folded "3 g h / d e c o d e Enter"
view search-prompt "4 / c a c"
view search-nothing "4 / q q q Enter"
view filter "4 : i g n o r e = C a c h e Enter"
view filter-back "4 : i g n o r e = C a c h e Enter Escape"
view filter-bad "4 : [ Enter"
view filter-thread "4 h h h Enter"
view no-libraries "3 w"
view no-line "3 w b G Enter"
view all-frames "3 w w"
view search-bottom-up "3 b / r u n _ d a y Enter n"
view flame-search "f / d e c o d e Enter"
view sizes-earlier "2 h h h h h h h h h h z"
view copied "y"

# ---- each class of terminal ----

ok "screen ascii" shows verdict-ascii 80x24 "" LC_ALL=C "$P"
# Without leak checks: curses loads a mouse library for this one that leaves ten bytes behind.
ok "screen linux" shows verdict-ascii 80x24 "" "$NO_LEAKS" TERM=linux "$P"
ok "screen --charset=ascii" shows verdict-ascii 80x24 "" "$P" --charset=ascii
ok "screen time in ascii" shows time-ascii 80x24 "2" "$P" --charset=ascii
ok "screen blocks" shows time-blocks 80x24 "2" "$P" --charset=blocks
ok "screen --charset=utf-8 in the C locale" shows verdict 80x24 "" LC_ALL=C "$P" --charset=utf-8
ok "screen 8 colours" shows verdict 80x24 "" TERM=screen "$P"
ok "screen xterm" shows verdict 80x24 "" TERM=xterm "$P"
ok "screen no colour" shows verdict 80x24 "" NO_COLOR=1 "$P"
ok "screen 300x100" shows verdict-300x100 300x100 "" "$P"
ok "screen 79x24" shows verdict-79x24 79x24 "" "$P"
ok "screen tree 50x12" shows tree-50x12 50x12 "3" "$P"
ok "screen 40x10" shows verdict-40x10 40x10 "" "$P"
ok "screen 39x10" shows verdict-39x10 39x10 "" "$P"
ok "screen 20x3" shows verdict-20x3 20x3 "" "$P"

dumb() {
    begin 80x24 TERM=dumb "$P" '|' head -n 3
    within "CAUSE" && within "left with"
}
ok "a dumb terminal gets the text" dumb
unknown() {
    begin 80x50 TERM=no-such-terminal "$P"
    within "TRACE" && within "left with 0"
}
ok "an unknown terminal gets the text" unknown

# escapes REGEX: the pane has them
escapes() {
    t capture-pane -pe | grep -Eq "$1"
}
colors() {
    begin 80x24 "$1" "$P"
    within "Enter:source" && escapes "$2"
}
color='\[([0-9]+;)*(3[0-7]|38;5;[0-9]+)m'
ok "colours" colors TERM=screen-256color "$color"
not_ok "none with NO_COLOR" colors NO_COLOR=1 "$color"
never() {
    begin 80x24 "$P" --color=never
    within "Enter:source" && ! escapes "$color"
}
ok "none with --color=never" never

# ---- hostile names and damage ----

ok "hostile names in the tree" shows hostile-tree 80x24 "3" "$ANALYZE" hostile.bin
ok "hostile names in the flame" shows hostile-flame 80x24 "f" "$ANALYZE" hostile.bin
title() {
    [ "$(t display-message -p '#{pane_title}')" != owned ]
}
ok "no name sets the title" title
ok "damage is said" shows damaged 80x24 "" "$ANALYZE" damaged.bin
leave() {
    type_keys q && within "left with $1"
}
ok "damage is the exit status" leave 4

# ---- resizing keeps the selection, suspending comes back ----

resized() {
    begin 80x24 "$P"
    within "Enter:source" && type_keys "3" && same tree || return 1
    for size in "30 5" "40 10" "200 60" "80 24"; do
        t resize-window -x "${size% *}" -y "${size#* }"
        sleep 0.3
    done
    same tree
}
ok "resizing keeps the selection" resized

suspended() {
    stop
    t new-session -d -x 80 -y 24 "LC_ALL=C.UTF-8 PS1='ready ' ENV= sh -i -m"
    t set-option -g status off
    within "ready" && t send-keys "TERM=screen $P" Enter && within "Enter:source" || return 1
    t send-keys C-z
    within "Stopped" || return 1
    t send-keys "fg" Enter
    within "Enter:source" && type_keys "2" && within "h/l:move" && type_keys "1" && same verdict
}
ok "suspend and resume" suspended

# ---- leaving gives the terminal back ----

restored() {
    begin 80x24 "stty -a >before; $P; echo \"left with \$?\" >status; stty -a >after; echo all done"
    within "Enter:source" || return 1
    if [ "$1" = key ]; then
        t send-keys "$2"
    else
        pkill_pane "$1"
    fi
    within "all done" && cmp before after && grep -qx "left with $3" status &&
        [ "$(t display-message -p '#{alternate_on} #{cursor_flag}')" = "0 1" ]
}
pkill_pane() {
    for child in $(inside); do
        kill "-$1" "$child"
    done
}
ok "q gives the terminal back" restored key q 0
ok "F10 gives the terminal back" restored key F10 0
ok "^C gives the terminal back" restored key C-c 130
ok "SIGTERM gives the terminal back" restored TERM "" 130
ok "SIGHUP gives the terminal back" restored HUP "" 130

# ---- export, editor ----

export_to() {
    begin 80x24 "$P"
    within "Enter:source" && type_keys "4 x C-u" && t send-keys -l "$1" && type_keys Enter && within "$2"
}
ok "export text" export_to out.txt "written: out.txt, 4 rows"
ok "export text: the label" has out.txt "400M .*etl.py:14 Cache.put"
ok "export CSV" export_to out.csv "written: out.csv, 4 rows"
ok "export CSV: plain bytes" has out.csv '^419430400,"84.2",.*"etl.py:14 Cache.put"'
ok "export JSON" export_to out.json "written: out.json, 4 rows"
ok "export JSON: plain bytes" /usr/bin/python3 -c "
import json
d = json.load(open('out.json'))
assert d['schema'] == 'fil4prod.view/1' and d['rows'][0]['bytes'] == 419430400, d"
export_flame() {
    begin 80x24 "$P"
    within "Enter:source" && type_keys "f x C-u" && t send-keys -l "flame.csv" && type_keys Enter && within "written"
}
ok "export the flame graph" export_flame
ok "export the flame graph: its boxes" has flame.csv '^4,419430400,"84.2","etl.py:14 Cache.put",""'
echo mine >mine.txt
ok "export leaves a file as it is" export_to mine.txt "exists"
ok "export left it" has mine.txt "^mine$"
ok "export says which endings" export_to out.xml "give it an ending"
ok "export into no directory" export_to no/such/out.txt "No such file"

mkdir -p "$TMP/job"
cat >editor <<'END'
#!/bin/sh
printf '<%s>' "$@" >edited
END
chmod +x editor
edit() {
    begin 80x24 "EDITOR='$TMP/editor -nw ; touch owned' $ANALYZE $1"
    within "Enter:source" && type_keys "e" && within "$2"
}
ok "no file, no editor" edit plain.bin "not on this machine"
not_ok "no file, no editor: it did not run" test -e edited

record() {
    cat >job/hold.py <<'END'
import os


def fill(rows):
    for i in range(200000):
        rows.append(str(i) * 4)


rows = []
fill(rows)
os.kill(os.getpid(), 9)
END
    "$RECORD" --quiet -o job.bin -- /usr/bin/python3 job/hold.py
    [ $? -eq 137 ]
}
if ok "a real job" record && [ -z "${SANITIZED:-}" ]; then
    ok "the editor gets line and file" edit job.bin "Enter:source"
    edited() {
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            [ -s edited ] && break
            sleep 0.3
        done
        grep -Fqx "<-nw><;><touch><owned><+6><$TMP/job/hold.py>" edited || { cat edited; return 1; }
    }
    ok "the editor gets line and file: what it got" edited
    not_ok "no shell sees \$EDITOR" test -e owned
    guilty() { # two keys from the start: down is not needed, Enter shows the line
        begin 80x24 "$ANALYZE job.bin"
        within "Enter:source" && type_keys Enter && within "rows.append(str(i) * 4)"
    }
    ok "from the start to the guilty line" guilty
fi

# ---- what cannot be told apart ----

# A job of which two lines hold the same; exactly recorded, nothing is marked, and what is exported has no marks.
printf '%s\n' 'import os' 'keep = []' 'def left(): keep.append(bytes(3000))' 'def right(): keep.append(bytes(3000))' \
    'for i in range(3000):' '    left()' '    right()' 'os.kill(os.getpid(), 9)' >twins.py
for interval in 65536 1; do
    "$RECORD" -q --interval $interval -o twins.$interval.bin -- /usr/bin/python3 twins.py
done
tied() {
    begin 80x24 "$ANALYZE twins.65536.bin"
    within '%   +/-%' && within ' ~ ' && look | grep -Eq '^ .* ~ [0-9. ]+ twins\.py:[34]'
}
untied() {
    begin 80x24 "$ANALYZE twins.1.bin"
    within 'twins.py:4' && ! look | grep -F ' ~'
}
ok "a tie is marked" tied
ok "control: not in an exact trace" untied

# ---- following ----

followed() {
    cp running.bin followed.bin
    begin 80x24 "$ANALYZE --follow followed.bin"
    within " live" && type_keys "4 j" && within "> " || return 1
    cp plain.bin followed.new && mv followed.new followed.bin
    within " ended" && look | grep -q "^>.*load"
}
ok "--follow sees the end and keeps the selection" followed

# ---- the terminal goes away ----

# Without leak checks: see stop(). CPU time of the machine's other work is not ours: only a failure waits that long.
hangup() {
    env "$NO_LEAKS" /usr/bin/python3 -B "$ROOT/tests/tui/hangup.py" "$@"
}
ok "the terminal's end ends it, in every view" hangup "$ANALYZE" plain.bin
ok "the terminal's end ends it, following" hangup "$ANALYZE" --follow running.bin

# A request that is refused ends the job, which lets go of everything on its way out: the first screen is of before that.
if [ -f "$LIBRARY" ]; then
    LD_PRELOAD=$LIBRARY FIL4PROD_MIN_HEAP=0 FIL4PROD_QUIET=1 FIL4PROD_OUTPUT=$TMP/refused.bin "$PYTHON" -c '
import resource
resource.setrlimit(resource.RLIMIT_AS, (600_000 << 10,) * 2)
keep = [bytearray(1 << 20) for i in range(1000)]' 2>/dev/null
    begin 100x30 "$ANALYZE" refused.bin
    held_much() {
        look | sed -n 2p | grep -E 'heap [45][0-9][0-9]M'
    }
    ok "refused: the moment of the failure" within " (at the failure)  heap "
    ok "refused: all that was held" held_much
    type_keys "p p"
    ok "refused: the end" within " (at the end)  heap "
    not_ok "refused: little was left" held_much
else
    skip refused "no recorder in this build"
fi

# tmux itself goes, with the program in front, suspended, or waiting for an editor
killed() {
    name=$1
    shift
    stop
    t new-session -d -x 80 -y 24 "$NO_LEAKS LC_ALL=C.UTF-8 TERM=screen \
        PS1='ready ' ENV= EDITOR='$TMP/slow' sh -i -m"
    t set-option -g status off
    within "ready" && t send-keys "$*" Enter && within "Enter:source" || return 1
    child=$(inside)
    [ -n "$child" ] || return 1
    case $name in
    suspended) t send-keys C-z && within "Stopped" ;;
    editing) type_keys "e" && within "waiting" ;;
    esac || return 1
    t kill-server
    leaves "$child"
}
printf '#!/bin/sh\necho waiting\nexec sleep 1000\n' >slow && chmod +x slow
ok "tmux is killed" killed "" "$P"
ok "tmux is killed, following" killed "" "$ANALYZE --follow running.bin"
ok "tmux is killed, the program is suspended" killed suspended "$P"
if [ -z "${SANITIZED:-}" ]; then # there is no job.bin
    ok "tmux is killed, the editor runs" killed editing "$ANALYZE job.bin"
fi

# ---- a monkey ----

monkey() {
    /usr/bin/python3 "$ROOT/tests/tui/monkey.py" --seed 7 --keys "${MONKEY_KEYS:-2000}" "$ANALYZE" "$1"
}
ok "a monkey at the keys" monkey hostile.bin

# Controls: programs that crash at a key, stop answering, or have a sanitizer complain, are found.
cat >ill <<'END'
#!/usr/bin/python3
import os, sys, termios, time, tty
tty.setraw(0)
print("\033[?1049hquit", flush=True)
while True:
    key = os.read(0, 1)
    os.write(1, b"x")
    if key == b"z" and sys.argv[1] == "crashes":
        os.kill(os.getpid(), 11)
    if key == b"z" and sys.argv[1] == "complains":
        sys.exit("ERROR: AddressSanitizer: heap-buffer-overflow")
    if key == b"z" and sys.argv[1] == "hangs":
        time.sleep(1000)
END
chmod +x ill
control() {
    monkey_said=$(/usr/bin/python3 "$ROOT/tests/tui/monkey.py" --seed 7 --keys 2000 --patience 3 ./ill "$1") && return 1
    echo "$monkey_said" | grep -q "FAILED: $2"
}
ok "the monkey finds a crash" control crashes "status 0xb"
ok "the monkey finds a sanitizer's report" control complains "status 0x100"
ok "the monkey finds a stuck screen" control hangs "stuck"
stop
quiet() {
    [ ! -s "$TMP/sanitizer" ] || { cat "$TMP/sanitizer" && return 1; }
}
ok "no sanitizer had anything to say" quiet
finish
