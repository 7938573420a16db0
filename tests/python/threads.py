"""Threads of all kinds."""
import concurrent.futures
import queue
import threading
import _thread

from truth import finish, mark

SIZE = 5000
todo = queue.Queue()


class Worker(threading.Thread):
    def run(self):
        while True:
            n = todo.get()
            mark(bytes(n))
            todo.task_done()


def named(name):
    """The kernel's name of a thread, set long after its first allocation."""
    [bytes(400) for _ in range(100)]
    with open("/proc/self/task/%d/comm" % threading.get_native_id(), "w") as file:
        file.write(name)
    [bytes(400) for _ in range(10000)]
    mark(bytes(SIZE), name=name)


def raw(lock):
    mark(bytes(SIZE))
    lock.release()


def churn(n):
    for _ in range(n):
        [bytes(100) for _ in range(10)]
    return mark(bytes(SIZE))


def main():
    workers = [Worker(daemon=True, name="worker-%d" % i) for i in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(50):
        todo.put(SIZE)
    todo.join()
    for i in range(20):
        thread = threading.Thread(target=churn, args=(20,))
        thread.start()
        thread.join()
    together = [threading.Thread(target=churn, args=(300,)) for _ in range(8)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    lock = _thread.allocate_lock()
    lock.acquire()
    _thread.start_new_thread(raw, (lock,))
    lock.acquire()
    thread = threading.Thread(target=named, args=("a-new-name",))
    thread.start()
    thread.join()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(churn, [10] * 12))
    mark(bytes(SIZE))


main()
finish()
