#!/usr/bin/env python3
"""Turns the tables of fil4prod-trace(5) into C assertions about format/format.h, on standard output.

usage: tests/page_asserts.py man/fil4prod-trace.5 format/format.h

Every struct of the header must have a table whose fields lie one behind the other and fill it; every list of numbered
names must be there in full.
"""

import re
import sys

# subsection: prefix of the enumerators, X-macro list that gives their number (None: no list)
LISTS = {
    "Sections": ("F4P_SECTION_", "F4P_SECTIONS"),
    "Status": ("F4P_STATUS_", None),
    "Passive reasons": ("F4P_PASSIVE_", "F4P_PASSIVE_REASONS"),
    "Losses": ("F4P_LOSS_", "F4P_LOSSES"),
    "Vitals": ("F4P_VITAL_", "F4P_VITALS"),
    "Ledger": ("F4P_LEDGER_", "F4P_LEDGER"),
    "Record types": ("F4P_RECORD_", "F4P_RECORDS"),
    "Facts": ("F4P_FACT_ID_", "F4P_FACTS"),
    "Special frames": ("F4P_SPECIAL_", "F4P_SPECIALS"),
    "Deltas": ("F4P_DELTA_", None),
}


def tables(page):
    """(subsection, rows of cells) for each subsection with a table whose first column are numbers."""
    title, rows = None, []
    for line in page.splitlines():
        if line.startswith((".Ss ", ".Sh ")):
            yield title, rows
            title, rows = line[4:], []
        elif re.match(r"\.It \d+ Ta ", line):
            rows.append([cell.strip() for cell in line[4:].split(" Ta ")])
    yield title, rows


def check_struct(title, rows):
    name, size = re.match(r"struct (\w+), (\d+) bytes", title).groups()
    at = 0
    print(f'_Static_assert(sizeof(struct {name}) == {size}, "{name}");')
    for offset, size_of, field, _ in rows:
        if int(offset) != at:
            print(f"#error {name}.{field}: {at} bytes are described before it, but it stands at {offset}")
        at = int(offset) + int(size_of)
        print(f'_Static_assert(offsetof(struct {name}, {field}) == {offset}, "{name}.{field}");')
        print(f'_Static_assert(sizeof(((struct {name} *)0)->{field}) == {size_of}, "{name}.{field}");')
    if at != int(size):
        print(f"#error {name}: the fields described fill {at} of {size} bytes")
    return name


def check_list(title, rows):
    prefix, macro = LISTS[title]
    for number, name, *_ in rows:
        print(f'_Static_assert({prefix}{name} == {number}, "{prefix}{name}");')
    if macro:
        print(f'_Static_assert(0 {macro}(ONE) == {len(rows)}, "{macro}: all of them");')


def main():
    page, header = (open(path, encoding="utf-8").read() for path in sys.argv[1:3])
    print('#include <stddef.h>\n#include "format/format.h"\n#define ONE(...) +1')
    structs, lists = set(), set()
    for title, rows in tables(page):
        if title and title.startswith("struct "):
            structs.add(check_struct(title, rows))
        elif title in LISTS and rows:
            check_list(title, rows)
            lists.add(title)
    for name in sorted(set(re.findall(r"^struct (\w+) \{", header, re.M)) - structs):
        print(f"#error struct {name} has no table")
    for title in sorted(set(LISTS) - lists):
        print(f"#error the table of {title} is missing")


main()
