import asyncio
import errno
import os

import pytest

from endcap.core.clock import fixed_clock
from endcap.core.errors import Code, StoreError
from endcap.serving.events_log import EventsLog
from endcap.serving.segments import SegmentWriter


@pytest.fixture
def writer(tmp_path):
    return SegmentWriter(tmp_path, clock=fixed_clock("2026-09-20"), max_bytes=1 << 20, max_age_us=60_000_000)


def lines_in(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def test_what_returned_is_on_disk_in_order(tmp_path, writer):
    async def use():
        log = EventsLog(writer)
        for number in range(5):
            await log.append(b"%d\n" % number)
            assert lines_in(tmp_path).endswith(b"%d\n" % number)
        await log.close()

    asyncio.run(use())
    assert [path.suffix for path in tmp_path.iterdir()] == [".jsonl"]
    assert lines_in(tmp_path) == b"0\n1\n2\n3\n4\n"


def test_requests_that_wait_together_share_one_sync(tmp_path, writer, monkeypatch):
    synced = []
    really = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda handle: (synced.append(lines_in(tmp_path)), really(handle)))

    async def use():
        log = EventsLog(writer)
        await asyncio.gather(*[log.append(b"%02d\n" % number) for number in range(50)])
        assert len(synced) <= 3
        assert synced[-1].count(b"\n") == 50  # synced after the last line was written
        await log.close()

    asyncio.run(use())
    assert lines_in(tmp_path) == b"".join(b"%02d\n" % number for number in range(50))


def test_a_full_disk_refuses_the_lines_and_keeps_the_log_whole(tmp_path, writer, monkeypatch):
    really = os.write

    def write(handle, data):
        if b"bad" in bytes(data):
            really(handle, b"ba")
            raise OSError(errno.ENOSPC, "No space left on device")
        return really(handle, data)

    monkeypatch.setattr(os, "write", write)

    async def use():
        log = EventsLog(writer)
        await log.append(b"one\n")
        with pytest.raises(StoreError, match="No space left") as caught:
            await log.append(b"bad\n")
        assert caught.value.code is Code.LOG_UNUSABLE
        await log.append(b"two\n")
        await log.close()

    asyncio.run(use())
    assert lines_in(tmp_path) == b"one\ntwo\n"


def test_a_sync_that_fails_acknowledges_nothing(tmp_path, writer, monkeypatch):
    def fail(_handle):
        raise OSError(errno.EIO, "Input/output error")

    async def use():
        log = EventsLog(writer)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fail)
            with pytest.raises(StoreError):
                await log.append(b"lost\n")
        await log.append(b"kept\n")
        await log.close()

    asyncio.run(use())
    assert lines_in(tmp_path) == b"kept\n"


def test_a_client_that_hangs_up_does_not_take_the_others_along(tmp_path, writer):
    async def use():
        log = EventsLog(writer)
        first, second = asyncio.create_task(log.append(b"1\n")), asyncio.create_task(log.append(b"2\n"))
        await asyncio.sleep(0)
        first.cancel()
        await second
        await log.close()

    asyncio.run(use())
    assert lines_in(tmp_path) == b"1\n2\n"
