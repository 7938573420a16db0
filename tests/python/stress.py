"""Many stacks from threads, coroutines, collections, short-lived code and forked children, all at once.

usage: stress.py OBJECTS

Whoever calls somebody here has the other's name in the calling line, or the other is in ANYWHERE: oracle.py holds every
edge of every stack ever recorded against that. A generated function stands in a file and at a line that follow from its
name.
"""
import asyncio
import gc
import os
import sys
import threading

from truth import finish, mark

ANYWHERE = ("__del__", "on_gc")
THREADS = 4
left = [0] * THREADS


class Cycle:
    def __init__(self):
        self.me = self
        self.data = [1, 2, 3]

    def __del__(self):
        self.data = {"gone": bytes(40)}


def on_gc(phase, info):
    return [phase, str(info)]


def counted_up(n):
    for i in range(n):
        yield [bytes(i % 700 + 40), str(i) * 3]


def deeper(depth, n):
    if depth:
        return deeper(depth - 1, n)
    return [kept for kept in counted_up(n)]


def generated(number):
    name = "made%d" % (number % 1000)
    source = "\n" * (number % 1000 % 89) + "def %s(n):\n    return [bytes(60) for _ in range(n)]\n" % name
    space = {}
    exec(compile(source, name + ".py", "exec"), space)
    made = space[name]
    return made(20)


def in_order(n):
    return sorted(range(n), key=lambda value: -len(str(value) + "in_order <lambda>"))


def work(slot):
    number = slot
    while left[slot] > 0:
        deeper(number % 60, 40)
        deeper(3, 100)
        generated(number)
        in_order(50)
        Cycle()
        left[slot] -= 500
        number += THREADS
    return mark(bytes(5000))


def split():
    """A child of a process with threads goes on by itself for a while."""
    pid = os.fork()
    if not pid:
        deeper(20, 100)
        generated(7)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("a forked child failed")


async def pause(n):
    await asyncio.sleep(0)
    return [bytes(n) for _ in range(n)]


async def step(n):
    first = await pause(n)
    return first + await pause(n)


async def together():
    turns = 0
    while any(n > 0 for n in left):
        turns += 1
        if turns % 3 == 0 and turns <= 12:
            split()
        await asyncio.gather(step(40), step(50), step(60))
        gc.collect(0)
    mark(bytes(5000))


def main(objects):
    left[:] = [objects // THREADS] * THREADS
    gc.set_threshold(200)
    gc.callbacks.append(on_gc)
    threads = [threading.Thread(target=work, args=(slot,)) for slot in range(THREADS)]
    for thread in threads:
        thread.start()
    asyncio.run(together())
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(int(sys.argv[1]))
    finish()
