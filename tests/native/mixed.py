"""Python calls C calls Python: list.sort -> key -> json's scanner -> object hook, which keeps a large block."""
import json

kept = []


def hook(pairs):
    kept.append(bytearray(2000003))
    return pairs


def work(number):
    json.loads('{"number": %d}' % number, object_pairs_hook=hook)
    return number


class Holder:
    def __init__(self):
        [3].sort(key=work)


def generator():
    yield Holder()


list(map(lambda n: list(generator()), [1]))
import os

os._exit(0)
