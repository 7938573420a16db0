"""Small objects that come and go. usage: objects.py COUNT"""
import sys


class Point:
    __slots__ = ("x", "y", "label")

    def __init__(self, x, y):
        self.x = x
        self.y = y
        self.label = (x, y)


def turn(kept, n):
    for i in range(n):
        point = Point(i * 1.5, str(i))
        kept[i % 5000] = point
        pair = [point, {i: point}]
        kept[i * 7 % 5000] = pair


kept = [None] * 5000
turn(kept, int(sys.argv[1]))
