from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from endcap.events.sources.zones import offset_us_of, offsets_of


@pytest.mark.parametrize("zone", ["Europe/London", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe"])
def test_offsets_are_those_of_the_zone_at_any_hour(engine, arrow_rows, zone):
    start = datetime(2024, 1, 1)  # noqa: DTZ001 - wall-clock times
    times = [start + timedelta(minutes=61 * step) for step in range(17_000)]
    table = engine.read_arrow(pa.table({"at": pa.array(times, pa.timestamp("us"))}))
    offsets = [row["offset"] for row in arrow_rows(table.select(offset=offset_us_of(zone)(table.at)))]
    named = ZoneInfo(zone)
    assert offsets == [at.replace(tzinfo=named).utcoffset() // timedelta(microseconds=1) for at in times]


def test_utc_needs_no_offset():
    assert offset_us_of("UTC") is None


def test_a_zone_without_summer_time_has_one_offset():
    assert [offset for _, offset in offsets_of("Etc/GMT-1")] == [3_600_000_000]
