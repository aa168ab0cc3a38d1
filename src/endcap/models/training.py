"""What fitting by torch has in common: one thread, and the pace of the learning rate."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["one_thread", "pace"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Train on one thread: repeatable to the bit, and faster than two on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def pace(done: float) -> float:
    """Return the share of the learning rate: up over the first 5 % of the steps, then down as half a cosine.

    Args:
        done: Share of the steps that are done, from 0.

    >>> [round(pace(done), 3) for done in (0.0, 0.05, 0.5, 1.0)]
    [0.02, 0.994, 0.5, 0.0]
    """
    return min(1.0, (done + 1e-3) / 0.05) * 0.5 * (1 + math.cos(math.pi * done))
