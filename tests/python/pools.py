"""Pools of processes, of the standard library and of joblib; each worker states for itself and is killed as it stands.

usage: pools.py [METHOD...|joblib]      fork, spawn, forkserver
"""
import concurrent.futures
import multiprocessing
import multiprocessing.pool
import os
import signal
import sys

import truth
from truth import finish, mark

SIZE = 5000
kept = []  # pools: to take one apart waits for its workers, who are dead


def hold(n):
    return mark(bytes(n))


def work(parent, n):
    """What this worker holds, since it came to be."""
    if not getattr(truth, "worker", None):
        truth.worker = os.getpid()
        truth.forget()
    hold(n)
    held = [mark(bytes(SIZE)) for _ in range(3)]
    truth.state()
    return os.getpid() if len(held) == 3 and os.getpid() != parent else 0


def end(pids):
    for pid in set(pids) - {0}:
        os.kill(pid, signal.SIGKILL)
    mark(bytes(SIZE))


def executor(method):
    pool = concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method))
    kept.append(pool)
    end([future.result() for future in [pool.submit(work, os.getpid(), SIZE + n) for n in range(8)]])


def old_pool(method):
    workers = multiprocessing.get_context(method).Pool(2)
    kept.append(workers)
    pids = workers.starmap(work, [(os.getpid(), SIZE + n) for n in range(8)], chunksize=1)
    multiprocessing.pool.Pool._maintain_pool = staticmethod(lambda *details: None)  # dead workers are not replaced
    end(pids)


def with_joblib():
    import joblib

    pids = joblib.Parallel(n_jobs=2)(joblib.delayed(work)(os.getpid(), SIZE + n) for n in range(8))
    end(pids)
    joblib.Parallel(n_jobs=2, prefer="threads")(joblib.delayed(hold)(SIZE) for n in range(8))


def main(how):
    if how == ["joblib"]:
        return with_joblib()
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        list(threads.map(hold, [SIZE] * 12))
    for method in how:
        executor(method)
        old_pool(method)
    mark(bytes(SIZE))


if __name__ == "__main__":
    main(sys.argv[1:] or ["fork", "spawn", "forkserver"])
    finish()
