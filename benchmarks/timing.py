"""Seconds of a call, on the clock and of the processor."""

import time
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["CLOCKS", "timed"]

CLOCKS = ("wall", "cpu")


def timed(call: Callable[[], Any]) -> dict[str, float]:
    """Return seconds by clock; a call's work on a CUDA device is waited for."""
    _wait()
    before = time.perf_counter(), time.process_time()
    call()
    _wait()
    return dict(zip(CLOCKS, (time.perf_counter() - before[0], time.process_time() - before[1]), strict=True))


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
