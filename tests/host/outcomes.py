"""What became of each test case in a JUnit file, sorted: a line each, without times, addresses and process ids.

usage: outcomes.py FILE
"""
import re
import sys
import xml.etree.ElementTree as tree


def outcome(case):
    for kind in ("failure", "error", "skipped"):
        found = case.find(kind)
        if found is not None:
            return kind
    return case.get("result", "completed")


def name(case):
    given = ".".join(filter(None, (case.get("classname"), case.get("name"))))
    return re.sub(r"0x[0-9a-f]+|\b\d{4,}\b", "N", given)


def main():
    cases = [f"{name(case)} {outcome(case)}" for case in tree.parse(sys.argv[1]).iter("testcase")]
    print("\n".join(sorted(cases)))
    print(f"{len(cases)} cases, {sum(case.endswith((' failure', ' error')) for case in cases)} failed")


main()
