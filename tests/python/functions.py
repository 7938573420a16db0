"""Plain functions and what else makes frames."""
import functools
import sys

from truth import finish, mark

SIZE = 5000  # more than pymalloc serves: through malloc; small objects are marked, too


_held = []


class Slots:
    __slots__ = ("a", "b", "c")


def plain(n):
    return mark(bytes(n))


def small():
    """Free lists hand out old objects with their old attribution: emptied first."""
    _held.append([float(n) for n in range(3000)])
    _held.append([(n, n, n) for n in range(3000)])
    mark(float(len("x")) + 0.5)
    mark((1, len("a"), 3.5))
    mark(Slots())
    mark("abc" * len("xyz"))
    for n in (300, 512 - 33, 513 - 33):
        mark(b"z" * n)


def nested():
    def inner():
        def innermost():
            return mark(bytes(SIZE))

        return innermost()

    return inner()


def recurse(depth):
    if depth:
        return recurse(depth - 1)
    return mark(bytes(SIZE))


def decorate(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@decorate
@functools.lru_cache(maxsize=None)
def decorated(n):
    return mark(bytes(n))


class Meta(type):
    def __new__(mcs, name, bases, space):
        mark(bytes(SIZE))
        return super().__new__(mcs, name, bases, space)

    def __call__(cls, *args):
        mark(bytes(SIZE))
        return super().__call__(*args)


class Made(metaclass=Meta):
    mark(bytes(SIZE))

    def __init__(self, n):
        self.data = mark(bytes(n))

    @property
    def value(self):
        return mark(bytes(SIZE))

    @staticmethod
    def static():
        return mark(bytes(SIZE))

    @classmethod
    def klass(cls):
        return mark(bytes(SIZE))

    def __getattr__(self, name):
        return mark(bytes(SIZE))

    def __getitem__(self, index):
        return mark(bytes(SIZE))

    def __enter__(self):
        return mark(bytes(SIZE))

    def __exit__(self, *details):
        mark(bytes(SIZE))

    def __lt__(self, other):
        mark(bytes(SIZE))
        return True

    def __del__(self):
        mark(bytes(SIZE))


class Hot:
    """Called so often that the interpreter takes a shorter way to its __init__."""

    def __init__(self, n):
        self.data = mark(bytes(n))


class Hotter(Hot):
    def __init__(self, n):
        super().__init__(n)
        self.more = mark(bytes(n))


def warm():
    for _ in range(60):
        Hot(SIZE)
        Hotter(SIZE)


def comprehensions():
    [mark(bytes(SIZE)) for _ in range(3)]
    {len(mark(bytes(SIZE))) for _ in range(3)}
    {i: mark(bytes(SIZE)) for i in range(3)}
    [[mark(bytes(SIZE)) for _ in range(2)] for _ in range(2)]
    list(mark(bytes(SIZE)) for _ in range(3))


def lines():
    many = [
        mark(bytes(SIZE)),
        mark(
            bytes(SIZE),
            line=1,
        ),
    ]
    if (walrus := mark(bytes(SIZE))) and many:
        mark(bytes(SIZE))
    for _ in range(2):
        try:
            mark(bytes(SIZE))
            raise KeyError(walrus)
        except KeyError:
            mark(bytes(SIZE))
        finally:
            mark(bytes(SIZE))
    while True:
        mark(bytes(SIZE)); break
    return (lambda n: mark(bytes(n)))(SIZE)


LONG = "def far():\n" + "    x = 1\n" * 700 + "    return mark(bytes(5000))\n" + "    x = 1\n" * 300
exec(compile(LONG, "far.py", "exec"))


def sizes():
    """Objects that grow: what counts is the block they stand in now."""
    data = [mark(bytes(n)) for n in (2, 100, 400, 600, 100000, 3000000)]
    return data


def main():
    plain(SIZE)
    small()
    nested()
    recurse(20)
    recurse(300)
    decorated(SIZE)
    made = Made(SIZE)
    made.value, made.static(), made.klass(), made.missing, made[0]
    with made:
        mark(bytes(SIZE))
    sorted([made, Made(SIZE)])
    del made
    warm()
    comprehensions()
    lines()
    far()  # noqa: F821
    sizes()
    sys.setrecursionlimit(3000)
    recurse(2000)


main()
finish()
