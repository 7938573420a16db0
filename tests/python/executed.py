"""Code objects whose addresses are used again and again: each line must be that of the code that ran."""
import sys

from truth import finish, mark

SIZE = 600


def run(i):
    name = "made%d" % i
    source = "\n" * (i % 97) + "def %s():\n    return mark(bytes(%d))\n" % (name, SIZE)
    space = {"mark": mark}
    exec(compile(source, "generated%d.py" % (i % 11), "exec"), space)
    return space[name]()


def same_name(i):
    source = "\n" * (i % 97) + "def same():\n    return mark(bytes(%d))\n" % SIZE
    space = {"mark": mark}
    exec(compile(source, "same.py", "exec"), space)
    space["same"]()
    return eval("mark(bytes(%d))" % SIZE, space)


for number in range(int(sys.argv[1]) if sys.argv[1:] else 600):
    run(number)
    same_name(number)
finish()
