"""The slate log: what was shown to whom. Written at least every second, not for each answer: a slate may be lost."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog

from endcap.core.errors import StoreError
from endcap.serving.meters import Meters
from endcap.serving.segments import SegmentWriter

__all__ = ["SlatesLog"]

_log = structlog.get_logger()


class SlatesLog:
    """Gathers lines and writes them when it is told to. For one event loop.

    Args:
        writer: Of the segments; used by this log alone.
        meters: Where lost slates are counted.
    """

    def __init__(self, writer: SegmentWriter, meters: Meters) -> None:
        self._writer = writer
        self._meters = meters
        self._thread = ThreadPoolExecutor(1, "slates-log")
        self._lines: list[bytes] = []

    def append(self, line: bytes) -> None:
        """Remember one line, with its end."""
        self._lines.append(line)

    async def keep(self) -> None:
        """Write what was gathered, and close a segment that is old enough; called every second or more often."""
        lines, self._lines = self._lines, []
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, lines)

    async def close(self) -> None:
        """Write what was gathered and close the segment."""
        await self.keep()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close)
        self._thread.shutdown()

    def _write(self, lines: list[bytes]) -> None:
        try:
            if lines:
                self._writer.append(b"".join(lines), sync=False)
            self._writer.close_if_old()
        except StoreError as error:
            self._meters.slates_lost.inc(len(lines))
            _log.warning("slates.lost", slates=len(lines), error=error.what, fix=error.fix)
