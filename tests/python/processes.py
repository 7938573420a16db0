"""Children of all kinds; each states for itself."""
import multiprocessing
import os
import subprocess
import sys

import truth
from truth import finish, mark, state

SIZE = 5000


def work(n):
    truth.forget()
    mark(bytes(n))
    mark("n" * len("some text"))
    state()
    finish()


def forked():
    pid = os.fork()
    if pid == 0:
        work(SIZE)
    os.waitpid(pid, 0)


def grandchild():
    pid = os.fork()
    if pid == 0:
        truth.forget()
        if os.fork() == 0:
            work(SIZE)
        os.wait()
        mark(bytes(SIZE))
        finish()
    os.waitpid(pid, 0)


def main(how):
    mark(bytes(SIZE))
    forked()
    grandchild()
    for method in how:
        context = multiprocessing.get_context(method)
        process = context.Process(target=work, args=(SIZE,))
        process.start()
        process.join()
    subprocess.run([sys.executable, os.path.join(os.path.dirname(__file__), "functions.py")])
    mark(bytes(SIZE))


if __name__ == "__main__":
    main(sys.argv[1:] or ["fork", "spawn", "forkserver"])
    finish()
