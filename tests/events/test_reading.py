from datetime import datetime

import ibis
import pyarrow as pa
import pytest

from endcap.core.clock import fixed_clock
from endcap.core.errors import Code, SourceError
from endcap.events.reading import (
    bare_rows,
    event_number,
    field,
    instant_us,
    number,
    require_columns,
    text,
    unreadable_number,
)

AT = fixed_clock("2026-08-01T10:00:00.900001")()


def _one(engine, arrow_rows, values, expression):
    table = engine.read_arrow(pa.table({"it": values}))
    return [row["out"] for row in arrow_rows(table.select(out=expression(table.it)))]


def test_text_that_says_nothing_is_missing(engine, arrow_rows):
    assert _one(engine, arrow_rows, ["a", "", "(not set)", None], text) == ["a", None, None, None]


def test_a_whole_float_reads_as_an_integer_id(engine, arrow_rows):
    assert _one(engine, arrow_rows, [13085.0, 1.5, None], text) == ["13085", "1.5", None]


def test_a_number_is_tried_and_what_is_none_is_kept_as_text(engine, arrow_rows):
    values = ["9.50", "free", "nan", None]
    assert _one(engine, arrow_rows, values, number) == [9.5, None, None, None]
    assert _one(engine, arrow_rows, values, unreadable_number) == [None, "free", None, None]


@pytest.mark.parametrize(
    "value",
    [
        "2026-08-01 10:00:00.900001",
        "2026-08-01T10:00:00.900001Z",
        "2026-08-01T12:00:00.900001+02:00",
        "2026-08-01 05:00:00.900001 -0500",
        str(AT),
    ],
)
def test_an_instant_written_as_text_is_read_to_the_microsecond(engine, arrow_rows, value):
    assert _one(engine, arrow_rows, [value], instant_us) == [AT]


def test_a_zone_by_its_name_is_not_taken_for_utc(engine, arrow_rows):
    """DuckDB reads "10:00 PST" as 10:00."""
    written = ["2026-08-01 10:00:00 PST", "2026-08-01 10:00:00 Europe/Berlin", "2026-08-01 10:00:00 UTC"]
    table = engine.read_arrow(pa.table({"at": pa.array(written)}))
    found = [row["at"] for row in arrow_rows(table.select(at=instant_us(table["at"])))]
    assert found[:2] == [None, None]


def test_timestamps_are_not_rounded_up_to_the_next_second(engine, arrow_rows):
    naive = pa.array([datetime.fromisoformat("2026-08-01T10:00:00.900001")], pa.timestamp("us"))
    assert _one(engine, arrow_rows, naive, instant_us) == [AT]
    assert _one(engine, arrow_rows, naive.cast(pa.timestamp("us", "UTC")), instant_us) == [AT]


def test_integer_times_are_read_in_their_unit(engine, arrow_rows):
    assert _one(engine, arrow_rows, [AT // 1000], lambda it: instant_us(it, unit_us=1000)) == [AT // 1000 * 1000]


@pytest.mark.parametrize(
    "wild",
    [
        pa.array([10**17, -(2**63), 2**63 - 1]),
        pa.array([2**64 - 1], pa.uint64()),
        pa.array([10**37], pa.decimal128(38, 0)),
        pa.array([float("nan"), float("inf"), -1e300]),
        pa.array(["inf", "infinity", "-infinity", "1e30", "290000-01-01"]),
        pa.array([2**63 - 2, -(2**63) + 10], pa.timestamp("us")),
        pa.array([2**63 - 1], pa.timestamp("us", "UTC")),
        pa.array([2**31 - 1, -(2**31)], pa.date32()),
    ],
    ids=lambda wild: str(wild.type),
)
def test_a_wild_time_is_missing_and_stops_nothing(engine, arrow_rows, wild):
    def an_hour_ahead(local):
        return ibis.literal(3_600_000_000, "int64") * local.notnull().cast("int64")

    for how in ({"unit_us": 1000}, {"unit_us": 1000, "zone_offset_us": an_hour_ahead}):
        read = _one(engine, arrow_rows, wild, lambda it, how=how: instant_us(it, **how))
        assert read == [None] * len(wild)


def test_a_time_is_a_whole_number_whatever_it_was_written_as(engine, arrow_rows):
    for values in (["2026-08-01 10:00:00.900001"], [AT], [str(AT)], pa.array([AT], pa.timestamp("us"))):
        assert [type(at) for at in _one(engine, arrow_rows, values, instant_us)] == [int]


def test_no_time_is_missing(engine, arrow_rows):
    assert _one(engine, arrow_rows, ["soon", "", None], instant_us) == [None, None, None]


def test_events_are_numbered_in_the_order_of_files_and_rows(engine, arrow_rows):
    table = engine.read_arrow(pa.table({"file": ["b", "a", "a"], "row": [0, 1, 0]}))
    numbered = table.mutate(no=event_number(table.file, table.row, {"a": 0, "b": 1})).order_by("no")
    assert [(row["file"], row["row"]) for row in arrow_rows(numbered)] == [("a", 0), ("a", 1), ("b", 0)]


def test_an_event_that_names_no_item_has_one_row_and_another_has_none_here(engine, arrow_rows):
    items = pa.array([["A"], [], None], pa.list_(pa.string()))
    raw = engine.read_arrow(pa.table({"event_no": [7, 8, 9], "_row": [1, 2, 3], "items": items}))
    rows = sorted(arrow_rows(bare_rows(raw)), key=lambda row: row["event_no"])
    assert [(row["event_no"], row["row"], row["item_ordinal"], row["item_id"]) for row in rows] == [
        (8, 2, 0, None),
        (9, 3, 0, None),
    ]


def test_a_field_that_is_not_there_is_none():
    table = ibis.table({"geo": "struct<country: string>"}, name="raw")
    assert field(table, "geo", "city") is None
    assert field(table, "device", "category") is None
    assert field(table, "geo", "country") is not None


def test_a_missing_column_is_named_with_its_neighbours():
    table = ibis.table({"event_time": "int64"}, name="raw")
    with pytest.raises(SourceError, match="did you mean 'event_time'") as caught:
        require_columns(table, ["event_tim"])
    assert caught.value.code == Code.SOURCE_COLUMN
