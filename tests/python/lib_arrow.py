"""pyarrow: buffers of each of its allocators stand at the line that asked for them."""
import pyarrow as pa
import pyarrow.compute as pc

from truth import finish, mark

SIZE = 64 * 1999


def buffer_of(pool):
    buffer = pa.allocate_buffer(SIZE, memory_pool=pool)
    return mark(buffer.address, size=SIZE, line=-1), buffer


def pools():
    yield pa.default_memory_pool()
    for name in pa.supported_memory_backends():
        if name != "jemalloc":  # of its own, seen as what it maps
            yield {"mimalloc": pa.mimalloc_memory_pool, "system": pa.system_memory_pool}[name]()


def whole(array):
    """Address and bytes of an array's last buffer, which is as large as was asked for, to 64 bytes."""
    buffer = array.buffers()[-1]
    return buffer.address, (buffer.size + 63) // 64 * 64


def main():
    kept = []
    for pool in pools():
        print(pool.backend_name)
        kept.append(buffer_of(pool))
        grown = pa.allocate_buffer(SIZE, memory_pool=pool, resizable=True)
        grown.resize(3 * SIZE)
        mark(grown.address, size=3 * SIZE, line=-1)
        kept.append(grown)
    numbers = pa.array(range(64000), type="int64")
    more = pc.add(numbers, 1)
    address, size = whole(more)
    mark(address, size=size, line=-2, below=True)
    kept.append((numbers, more))
    return kept


KEPT = main()
finish()
