"""Sub-interpreters. Before 3.12 what they hold stands at the line of the main interpreter that ran them."""
import os
import sys

from truth import finish, mark

SOURCE = """
import os, sys
sys.path.insert(0, %r)
import truth
def inside(n):
    return truth.mark(bytes(n))
kept = [inside(5000) for _ in range(3)]
os.environ["TRUTH"] += ".sub"
if sys.version_info >= (3, 12):
    truth.state()
"""


def main():
    source = SOURCE % os.path.dirname(os.path.abspath(__file__))
    if sys.version_info >= (3, 13):
        import _interpreters as interpreters
        run = interpreters.exec
    else:
        import _xxsubinterpreters as interpreters
        run = interpreters.run_string
    ident = interpreters.create()
    run(ident, source)
    return ident


mark(bytes(5000))
IDENT = main()
mark(bytes(5000))
finish()
