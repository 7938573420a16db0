"""The job of the golden trace `python`: names in every width of string, threads, a peak that is over, and an end by
MemoryError."""

import resource
import threading


class Table:
    def größe(self, count):
        return [(i, str(i) * 3) for i in range(count)]

    @staticmethod
    def строки(count):
        return {f"key {i}": bytes(200 + i % 50) for i in range(count)}


def 𠀀(count):
    for i in range(count):
        yield bytearray(4000 + i)


def worker(kept):
    kept.extend(𠀀(400))


def early():
    table = Table()
    return table.größe(20000), Table.строки(12000)


def main():
    peak = early()
    kept = []
    thread = threading.Thread(target=worker, args=(kept,), name="worker")
    thread.start()
    thread.join()
    del peak
    kept.append(Table.строки(6000))
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    kept.append(bytearray(1 << 31))


main()
