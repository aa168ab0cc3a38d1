"""The event log: an event is on disk before it is acknowledged; requests that wait together share one fdatasync."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from endcap.serving.segments import SegmentWriter

__all__ = ["EventsLog"]


@dataclass
class _Batch:
    """Lines that go to disk together, and who waits for them."""

    lines: list[bytes]
    done: asyncio.Future[None]


class EventsLog:
    """Makes lines durable, in groups. For one event loop.

    Args:
        writer: Of the segments; used by this log alone.
    """

    def __init__(self, writer: SegmentWriter) -> None:
        self._writer = writer
        # One thread: it is the only one that touches the writer, and batches keep their order.
        self._thread = ThreadPoolExecutor(1, "events-log")
        self._next: _Batch | None = None
        self._flushing: asyncio.Task[None] | None = None

    async def append(self, lines: bytes) -> None:
        """Write whole lines and return when they are on disk.

        Raises:
            StoreError: They could not be written (LOG_UNUSABLE); none of them is in the log.
        """
        if self._next is None:
            self._next = _Batch([], asyncio.get_running_loop().create_future())
        batch = self._next
        batch.lines.append(lines)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        # Shielded: a client that hangs up must not cancel what others wait for.
        await asyncio.shield(batch.done)

    async def _flush(self) -> None:
        """Write batch after batch until nobody waits; while one is on its way to disk, the next gathers."""
        loop = asyncio.get_running_loop()
        while self._next is not None:
            batch, self._next = self._next, None
            try:
                await loop.run_in_executor(self._thread, self._write, b"".join(batch.lines))
            except Exception as error:  # noqa: BLE001 - told to those who wait, who would wait for good otherwise
                batch.done.set_exception(error)
                batch.done.exception()  # whoever waited may have gone; this is no error of the loop's
            else:
                batch.done.set_result(None)

    def _write(self, lines: bytes) -> None:
        self._writer.append(lines, sync=True)

    async def keep(self) -> None:
        """Close a segment that is old enough; called now and then."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close_if_old)

    async def close(self) -> None:
        """Write what is waiting and close the segment."""
        if self._flushing is not None:
            await self._flushing
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close)
        self._thread.shutdown()
