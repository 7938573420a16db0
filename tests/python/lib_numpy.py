"""NumPy: arrays made by its C code and by its Python functions stand at the line that asked for them."""
import io

import numpy as np

from truth import finish, mark, mark_array

SIZE = 20011


def make(n):
    return mark_array(np.empty(n))


class Kept(np.ndarray):
    def __array_finalize__(self, other):
        mark(bytes(5000))


def ways():
    ones = mark_array(np.ones(SIZE))
    mark_array(np.zeros((SIZE, 3), dtype="u1"))
    mark_array(np.arange(SIZE))
    mark_array(np.linspace(0, 1, SIZE))
    mark_array(np.full(SIZE, 7.5))
    mark_array(ones + ones)
    mark_array(np.sin(ones) * 2)
    mark_array(ones.reshape(1, -1).copy())
    mark_array(np.concatenate([ones, ones]))
    mark_array(
        np.tile(ones, 3),
        line=1,
    )
    mark_array(np.sort(ones))
    mark_array(np.cumsum(ones, dtype="f4"))
    mark_array(np.outer(ones[:200], ones[:201]))
    mark_array(np.dot(np.ones((151, 149)), np.ones((149, 152))))
    mark_array(np.array([[float(n)] * 7 for n in range(1001)]))
    mark_array(np.frombuffer(b"x" * SIZE, dtype="u1").astype("f8"))
    mark_array(np.fromiter((n * n for n in range(SIZE)), dtype="i8", count=SIZE))
    mark_array(np.random.default_rng(1).normal(size=SIZE))
    mark_array(np.loadtxt(io.StringIO("1 2 3\n" * 4000)))
    mark_array(np.vectorize(lambda x: len(mark(bytes(5000))) + x)(np.arange(3000) % 2))
    mark_array(np.apply_along_axis(lambda row: row * 2, 1, ones[:12000].reshape(100, 120)))
    return [make(n) for n in (1000, 100000)]


def main():
    ways()
    np.zeros(700).view(Kept)
    mark(bytes(5000))


main()
finish()
