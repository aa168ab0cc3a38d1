"""Batches are made by a thread of their own while the step before is computed."""

from collections.abc import Generator, Iterable
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

__all__ = ["ahead"]

T = TypeVar("T")
_WAIT_S = 0.1
"""How often the thread looks whether it is still wanted."""


def ahead(values: Iterable[T], depth: int) -> Generator[T]:
    """Yield values in their order, made by a thread that is at most `depth` of them ahead.

    What making them raises is raised here in its place. The thread ends with this generator, however that ends.

    >>> list(ahead(range(3), 2))
    [0, 1, 2]
    """
    made: Queue[tuple[T | None, BaseException | None]] = Queue(depth)
    unwanted = Event()
    thread = Thread(target=_fill, args=(made, values, unwanted), name="batches", daemon=True)
    thread.start()
    try:
        while True:
            value, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield value  # type: ignore[misc]  # a value comes where there is no error
    finally:
        unwanted.set()
        thread.join()


def _fill(made: "Queue[tuple[T | None, BaseException | None]]", values: Iterable[T], unwanted: Event) -> None:
    def put(value: T | None, error: BaseException | None = None) -> bool:
        while not unwanted.is_set():
            try:
                made.put((value, error), timeout=_WAIT_S)
            except Full:
                continue
            return True
        return False

    try:
        for value in values:
            if not put(value):
                return
    except BaseException as error:  # noqa: BLE001 - it is raised again by who waits for the value
        put(None, error)
    else:
        put(None, StopIteration())
