"""Generators, coroutines and asyncio."""
import asyncio
import contextlib

from truth import finish, mark

SIZE = 5000


def counted(n):
    for _ in range(n):
        mark(bytes(SIZE))
        yield mark(bytes(SIZE))


def delegating(n):
    yield from counted(n)
    mark(bytes(SIZE))
    got = yield mark(bytes(SIZE))
    mark(bytes(got))
    try:
        yield 1
    except ValueError:
        mark(bytes(SIZE))
    finally:
        mark(bytes(SIZE))


@contextlib.contextmanager
def context():
    mark(bytes(SIZE))
    yield mark(bytes(SIZE))
    mark(bytes(SIZE))


async def numbers(n):
    for i in range(n):
        await asyncio.sleep(0)
        mark(bytes(SIZE))
        yield i


async def leaf(n):
    await asyncio.sleep(0.001)
    return mark(bytes(SIZE + n))


async def middle(n):
    await leaf(n)
    mark(bytes(SIZE))
    return [mark(bytes(SIZE)) async for _ in numbers(2)]


class Manager:
    async def __aenter__(self):
        await asyncio.sleep(0)
        return mark(bytes(SIZE))

    async def __aexit__(self, *details):
        mark(bytes(SIZE))

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return mark(bytes(SIZE))


async def amain():
    tasks = [asyncio.ensure_future(middle(i)) for i in range(5)]
    await asyncio.gather(*tasks)
    async with Manager():
        mark(bytes(SIZE))
    await Manager()
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon(lambda: done.set_result(mark(bytes(SIZE))))
    await done
    await loop.run_in_executor(None, lambda: mark(bytes(SIZE)))
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.sleep(10), 0.01)
    mark(bytes(SIZE))


def main():
    generator = delegating(2)
    for _ in range(3):
        next(generator)
    generator.send(SIZE)
    with contextlib.suppress(StopIteration):
        generator.throw(ValueError())
    closed = delegating(1)
    next(closed)
    closed.close()
    with context():
        mark(bytes(SIZE))
    asyncio.run(amain())


main()
finish()
