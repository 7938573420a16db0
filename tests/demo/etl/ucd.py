"""Extract: the Unicode character database as Debian's unicode-data installs it."""

import bz2
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True, frozen=True)
class Character:
    codepoint: int
    name: str
    category: str


@dataclass(slots=True, frozen=True)
class Reading:
    codepoint: int
    field: str
    text: str


def rows(path, separator):
    """Fields of every line of a text file, compressed or not, without comments and blank lines."""
    packed = path.with_name(path.name + ".bz2")
    opener, path = (bz2.open, packed) if packed.exists() else (open, path)
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            line = line.partition("#")[0] if separator == ";" else line
            if line.strip() and not line.startswith("#"):
                yield [field.strip() for field in line.rstrip("\n").split(separator)]


class Ranges:
    """What a code point belongs to, from a file of "first..last ; value" lines."""

    def __init__(self, path):
        self.spans = []
        for span, value, *_ in rows(path, ";"):
            first, _, last = span.partition("..")
            self.spans.append((int(first, 16), int(last or first, 16), value))
        self.spans.sort()
        self.starts = [first for first, _, _ in self.spans]

    def find(self, codepoint):
        at = bisect_right(self.starts, codepoint) - 1
        if at >= 0 and codepoint <= self.spans[at][1]:
            return self.spans[at][2]
        return "Unknown"


def load_characters(data):
    characters = {}
    for code, name, category, *_ in rows(Path(data) / "UnicodeData.txt", ";"):
        codepoint = int(code, 16)
        characters[codepoint] = Character(codepoint, name, category)
    return characters


def load_readings(data):
    return [
        Reading(int(code[2:], 16), field, text) for code, field, text in rows(Path(data) / "Unihan_Readings.txt", "\t")
    ]
