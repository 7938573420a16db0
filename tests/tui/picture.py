#!/usr/bin/env python3
"""Draws screens of fil4prod-analyze as SVG, from a real terminal (tmux): what README shows.

usage: picture.py PROGRAM TRACE OUT.svg [KEY...]

Keys are tmux's. Braille and block characters are drawn, not written: fonts differ in their widths.
"""

import html
import os
import re
import subprocess
import sys
import tempfile
import time

COLUMNS, ROWS = 110, 34
CELL_W, CELL_H, FONT = 8.4, 17, 14
BACK, FORE, DIM = "#16181d", "#d6d9df", "#8b919c"
BASIC = ["#16181d", "#f2665c", "#8ccf7e", "#e5c76b", "#67a5e5", "#c47fd5", "#6cbfbf", "#d6d9df"]


def color_of(index):
    """xterm's 256 colours; the first eight as terminals of today have them."""
    if index < 16:
        return BASIC[index % 8]
    if index < 232:
        levels = [0, 95, 135, 175, 215, 255]
        index -= 16
        return "#%02x%02x%02x" % (levels[index // 36], levels[index // 6 % 6], levels[index % 6])
    return "#" + "%02x" % (8 + 10 * (index - 232)) * 3


class Pen:
    def __init__(self):
        self.set([0])

    def set(self, codes):
        codes = list(codes)
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.fore, self.back, self.bold, self.dim, self.reverse = None, None, False, False, False
            elif code in (1, 2, 7):
                setattr(self, {1: "bold", 2: "dim", 7: "reverse"}[code], True)
            elif code in (22, 27):
                self.bold, self.dim = self.bold and code != 22, self.dim and code != 22
                self.reverse = self.reverse and code != 27
            elif 30 <= code < 38:
                self.fore = color_of(code - 30)
            elif 40 <= code < 48:
                self.back = color_of(code - 40)
            elif code in (38, 48) and codes[:1] == [5]:
                setattr(self, "fore" if code == 38 else "back", color_of(codes[1]))
                codes = codes[2:]
            elif code in (39, 49):
                setattr(self, "fore" if code == 39 else "back", None)

    def style(self):
        fore, back = self.fore or (DIM if self.dim else FORE), self.back or BACK
        return (back, fore, self.bold) if self.reverse else (fore, back, self.bold)


def cells(line, pen):
    """(character, style) of a captured line; attributes go on over its end."""
    at = 0
    while at < len(line):
        escape = re.compile(r"\x1b\[([0-9;]*)m").match(line, at)
        if escape:
            pen.set(int(code or 0) for code in escape.group(1).split(";"))
            at = escape.end()
        elif ord(line[at]) < 32:
            at += 1
        else:
            yield line[at], pen.style()
            at += 1


def runs(line, pen):
    """Neighbours of one style; (column, text, style)."""
    column, start, text, last = 0, 0, "", None
    for character, style in cells(line, pen):
        if style != last:
            if text:
                yield start, text, last
            start, text, last = column, "", style
        text += character
        column += 1
    if text:
        yield start, text, last


def number(value):
    return f"{value:.1f}".rstrip("0").rstrip(".")


def rectangle(x, y, width, height):
    return f"M{number(x)} {number(y)}h{number(width)}v{number(height)}h-{number(width)}z"


def dots(code, x, y):
    """A braille character as squares that meet."""
    bits = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
    width, height = CELL_W / 2, CELL_H / 4
    return "".join(
        rectangle(x + across * width, y + down * height, width - 0.6, height - 0.6)
        for i, (across, down) in enumerate(bits)
        if code >> i & 1
    )


def blocks(character, x, y):
    top, height = {"█": (0, 1), "▄": (0.5, 0.5), "▀": (0, 0.5)}[character]
    return rectangle(x, y + top * CELL_H, CELL_W, height * CELL_H)


def draw_run(column, row, text, style):
    fore, back, bold = style
    x, y = column * CELL_W, row * CELL_H
    if back != BACK:
        yield f'<path fill="{back}" d="{rectangle(x, y, len(text) * CELL_W, CELL_H)}"/>'
    shape = ""
    for i, character in enumerate(text):
        if 0x2800 <= ord(character) < 0x2900:
            shape += dots(ord(character) - 0x2800, x + i * CELL_W, y)
        elif character in "█▄▀":
            shape += blocks(character, x + i * CELL_W, y)
    if shape:
        yield f'<path fill="{fore}" d="{shape}"/>'
    for word in re.finditer(r"[^ █▄▀\u2800-\u28ff]+(?: [^ █▄▀\u2800-\u28ff]+)*", text):
        weight = ' font-weight="bold"' if bold else ""
        yield (
            f'<text x="{number(x + word.start() * CELL_W)}" y="{number(y + CELL_H - 4.5)}" fill="{fore}"{weight} '
            f'textLength="{number(len(word.group()) * CELL_W)}">{html.escape(word.group())}</text>'
        )


def draw(screen):
    width, height = COLUMNS * CELL_W, ROWS * CELL_H
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -12 {number(width + 24)} {number(height + 24)}" '
        f'font-family="DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="{FONT}" xml:space="preserve">'
    )
    yield f'<rect x="-12" y="-12" width="{number(width + 24)}" height="{number(height + 24)}" rx="8" fill="{BACK}"/>'
    pen = Pen()
    for row, line in enumerate(screen.split("\n")[:ROWS]):
        for column, text, style in runs(line, pen):
            yield from draw_run(column, row, text, style)
    yield "</svg>"


def capture(program, trace, keys):
    with tempfile.TemporaryDirectory() as scratch:
        tmux = ["tmux", "-u", "-S", os.path.join(scratch, "socket"), "-f", "/dev/null"]
        run = lambda *words: subprocess.run([*tmux, *words], check=True, capture_output=True, text=True).stdout
        environment = "env -u NO_COLOR -u ASAN_OPTIONS LC_ALL=C.UTF-8 TERM=screen-256color"
        run("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), f"{environment} '{program}' '{trace}'")
        run("set-option", "-g", "status", "off")
        try:
            while "quit" not in run("capture-pane", "-p"):
                time.sleep(0.1)
            for key in keys:
                run("send-keys", key)
                time.sleep(0.3)
            time.sleep(0.5)
            return run("capture-pane", "-peN")
        finally:
            run("kill-server")


def main():
    program, trace, out = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3]
    picture = "\n".join(draw(capture(program, trace, sys.argv[4:]))) + "\n"
    with open(out, "w", encoding="utf-8") as file:
        file.write(picture)


if __name__ == "__main__":
    main()
