import asyncio

import pytest

from endcap.core.clock import fixed_clock
from endcap.serving.meters import Meters
from endcap.serving.segments import SegmentWriter
from endcap.serving.slates_log import SlatesLog


@pytest.fixture
def log_in():
    def make(folder, meters):
        clock = fixed_clock("2026-09-20")
        return SlatesLog(SegmentWriter(folder, clock=clock, max_bytes=1 << 20, max_age_us=60_000_000), meters)

    return make


def test_slates_are_written_when_told_and_at_the_end(tmp_path, log_in):
    async def use():
        log = log_in(tmp_path, Meters())
        log.append(b"1\n")
        assert list(tmp_path.iterdir()) == []
        await log.keep()
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"1\n"]
        log.append(b"2\n")
        await log.close()

    asyncio.run(use())
    (path,) = tmp_path.iterdir()
    assert (path.suffix, path.read_bytes()) == (".jsonl", b"1\n2\n")


def test_slates_that_cannot_be_written_are_counted_and_stop_nobody(tmp_path, log_in):
    (tmp_path / "file").touch()
    meters = Meters()

    async def use():
        log = log_in(tmp_path / "file", meters)
        log.append(b"1\n")
        log.append(b"2\n")
        await log.close()

    asyncio.run(use())
    assert "endcap_slates_lost_total 2.0" in meters.text().decode()
