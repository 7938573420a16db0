"""Greenlets: the stack is that of the running one, from its first function on, never one with frames of another.

usage: lib_greenlet.py [OBJECTS]

With OBJECTS it is a storm of switches, and as in stress.py whoever calls somebody has the other's name in the calling
line: red's functions call red ones only, blue's blue ones. Without, it states what it holds.
"""
import sys
import threading

import greenlet

from truth import finish, mark

SIZE = 5000
ANYWHERE = ()
left = 0


def red(hub, depth):
    return red_deep(hub, depth)


def red_deep(hub, depth):
    [bytes(depth + 40) for _ in range(5)]
    if depth:
        return red_deep(hub, depth - 1)
    while left > 0:
        [list(red_made(hub)) for _ in range(3)]
    return []


def red_made(hub):
    for i in range(4):
        hub.switch([bytes(100 + i)])
        yield {"made": str(i) * 30}


def blue(hub, depth):
    return blue_deep(hub, depth)


def blue_deep(hub, depth):
    [bytes(depth + 40) for _ in range(5)]
    if depth:
        return blue_deep(hub, depth - 1)
    while left > 0:
        sorted([3, 1, 2], key=lambda n: blue_key(hub, n))  # <lambda>
    return []


def blue_key(hub, n):
    hub.switch([bytes(200 + n)])
    return -n - len([bytes(60), "blue_key <lambda>" * n])


def turn():
    """A thread's own greenlets, one after another."""
    global left
    hub = greenlet.getcurrent()
    some = [greenlet.greenlet(kind) for kind in (red, blue) * 6]
    for depth, one in enumerate(some):
        one.switch(hub, depth * 3)
    while left > 0:
        for one in some:
            one.switch(bytes(80))
            left -= 12
    for one in some:
        while not one.dead:
            one.switch()


def storm(objects):
    global left
    left = objects
    threads = [threading.Thread(target=turn) for _ in range(3)]
    for thread in threads:
        thread.start()
    turn()
    for thread in threads:
        thread.join()
    mark(bytes(SIZE))


def inner(other):
    mark(bytes(SIZE))
    got = other.switch(mark(bytes(SIZE)))
    mark(bytes(SIZE))
    return got


def outer(other):
    try:
        inner(other)
        inner(other)
    except ValueError:
        mark(bytes(SIZE))
    return mark(bytes(SIZE))


def generated(other):
    for n in range(3):
        mark(bytes(SIZE))
        yield other.switch(mark(bytes(SIZE)))


def through(other):
    return sum([len(kept) for kept in generated(other)], len(mark(bytes(SIZE))))


def main():
    hub = greenlet.getcurrent()
    first, second = greenlet.greenlet(outer), greenlet.greenlet(through)
    first.switch(hub)
    second.switch(first)
    mark(bytes(SIZE))
    second.switch(bytes(3))
    mark(bytes(SIZE))
    third = greenlet.greenlet(outer)
    third.switch(hub)
    third.throw(ValueError)
    mark(bytes(SIZE))
    fourth = greenlet.greenlet(lambda: inner(hub))
    fourth.switch()
    del fourth  # GreenletExit in it
    mark(bytes(SIZE))
    worker = threading.Thread(target=lambda: greenlet.greenlet(through).switch(greenlet.getcurrent()))
    worker.start()
    worker.join()
    return first, second, third


if __name__ == "__main__":
    if sys.argv[1:]:
        storm(int(sys.argv[1]))
    else:
        main()
    finish()
