"""What a step costs: wall and CPU seconds, peak memory, bytes read and written by this process."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

__all__ = ["Cost", "Meter"]

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Cost:
    """The cost of one attempt.

    Args:
        wall_s: Seconds on the clock.
        cpu_s: CPU seconds of all threads and finished children.
        peak_rss_bytes: Greatest resident memory during the attempt (since the process began where the system cannot
            forget its peak).
        bytes_read: Bytes read, from the cache of the system too; 0 where the system does not tell.
        bytes_written: Bytes written; 0 where the system does not tell.
    """

    wall_s: float
    cpu_s: float
    peak_rss_bytes: int
    bytes_read: int
    bytes_written: int


@dataclass
class Meter:
    """Measures from its making to each reading."""

    _wall_s: float = field(default_factory=time.perf_counter)
    _cpu_s: float = field(default_factory=lambda: _cpu_s())  # noqa: PLW0108 - defined below
    _moved: tuple[int, int] = field(default_factory=lambda: _moved_bytes())  # noqa: PLW0108 - defined below

    def __post_init__(self) -> None:
        """Ask Linux to forget the peak so far, so that a step's own peak is seen."""
        if _CLEAR_REFS.exists() and os.access(_CLEAR_REFS, os.W_OK):
            _CLEAR_REFS.write_text("5")

    def read(self) -> Cost:
        """Return the cost since the meter was made."""
        read, written = _moved_bytes()
        return Cost(
            wall_s=round(time.perf_counter() - self._wall_s, 4),
            cpu_s=round(_cpu_s() - self._cpu_s, 4),
            peak_rss_bytes=_peak_rss_bytes(),
            bytes_read=read - self._moved[0],
            bytes_written=written - self._moved[1],
        )


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _moved_bytes() -> tuple[int, int]:
    """Bytes read and written by the process so far."""
    counters = getattr(psutil.Process(), "io_counters", None)
    if counters is None:  # macOS does not count them
        return 0, 0
    counted = counters()
    read = getattr(counted, "read_chars", counted.read_bytes)
    written = getattr(counted, "write_chars", counted.write_bytes)
    return int(read), int(written)


def _peak_rss_bytes() -> int:
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return int(psutil.Process().memory_info().rss)
