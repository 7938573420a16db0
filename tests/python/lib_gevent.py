"""gevent: greenlets, its event loop, its thread pool and patched threads."""
from gevent import monkey

monkey.patch_all()

import threading  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402
import gevent.pool  # noqa: E402
import gevent.queue  # noqa: E402
import gevent.threadpool  # noqa: E402

from truth import finish, mark  # noqa: E402

SIZE = 5000


def work(n):
    mark(bytes(SIZE))
    gevent.sleep(0.001 * (n % 3))
    return deeper(n % 7, n)


def deeper(depth, n):
    if depth:
        return deeper(depth - 1, n)
    time.sleep(0)
    kept = mark(bytes(SIZE + n))
    for _ in stepping(2):
        mark(bytes(SIZE))
    return kept


def stepping(n):
    for i in range(n):
        gevent.sleep(0)
        yield mark(bytes(SIZE + i))


def produce(queue):
    for n in range(20):
        queue.put(mark(bytes(SIZE)))
    queue.put(None)


def consume(queue):
    while queue.get() is not None:
        mark(bytes(SIZE))


def main():
    gevent.joinall([gevent.spawn(work, n) for n in range(30)])
    list(gevent.pool.Pool(5).imap_unordered(work, range(10)))
    queue = gevent.queue.Queue(maxsize=2)
    gevent.joinall([gevent.spawn(produce, queue), gevent.spawn(consume, queue)])
    thread = threading.Thread(target=work, args=(1,))
    thread.start()
    thread.join()
    gevent.spawn_later(0.001, work, 2).join()
    gevent.get_hub().loop.run_callback(lambda: mark(bytes(SIZE)))
    gevent.sleep(0.01)
    with gevent.Timeout(0.01, False):
        gevent.sleep(5)
    mark(bytes(SIZE))


main()
finish()
