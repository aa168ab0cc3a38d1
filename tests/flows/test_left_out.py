"""What a refresh does about days that it cannot take in: each waits alone, and is told at the end."""

import shutil

import pyarrow.parquet as pq
import pytest

from endcap.core.errors import Code, DataError, EndcapError, SourceError
from endcap.core.tables import EVENTS
from endcap.flows.backfill import backfill
from endcap.flows.left_out import refusal_of_days, told_left_out
from endcap.flows.refresh import refresh

FIRST, SECOND, THIRD = (f"2026-01-0{number}" for number in (1, 2, 3))


def error(day):
    return DataError(f"all of {day} is bad", where=f"day {day}", fix="export it", code=Code.TOO_MANY_BAD_ROWS)


def file_of(root, day):
    return root / "export" / f"events_{day.replace('-', '')}.parquet"


def spoil(root, day):
    """Have most events of a day name no event: they are quarantined."""
    path = file_of(root, day)
    table = pq.read_table(path)
    place = table.schema.get_field_index("event_name")
    names = [None if number % 2 else name for number, name in enumerate(table["event_name"].to_pylist())]
    pq.write_table(table.set_column(place, "event_name", [names]), path)


def damage(root, day):
    """Overwrite the middle of a file: its footer can be read, its pages cannot."""
    path = file_of(root, day)
    content = bytearray(path.read_bytes())
    metadata = pq.ParquetFile(path).metadata
    for number in range(metadata.row_group(0).num_columns):
        column = metadata.row_group(0).column(number)
        if column.path_in_schema == "event_name":
            start = column.dictionary_page_offset or column.data_page_offset
            content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)


@pytest.fixture
def own(tmp_path, fresh_shop):
    return shutil.copytree(fresh_shop, tmp_path / "tiny")


@pytest.fixture
def as_exported(tiny_shop, rows_of):
    def of(days):
        return [row for row in rows_of(tiny_shop, EVENTS) if row["date_partition"] in days]

    return of


def test_the_first_day_is_told_and_how_many_wait_with_it():
    left_out = {"2026-01-03": error("2026-01-03"), "2026-01-02": error("2026-01-02")}
    told = refusal_of_days(left_out)
    assert told.what == (
        "all of 2026-01-02 is bad; so 1 more: 2026-01-02, 2026-01-03 wait as before, all other days are done"
    )
    assert (told.where, told.fix, told.code) == ("day 2026-01-02", "export it", Code.TOO_MANY_BAD_ROWS)
    assert isinstance(told, DataError)
    assert told_left_out(left_out) == "left out: 2026-01-02, 2026-01-03"


@pytest.mark.parametrize(
    ("harm", "code"), [(spoil, Code.TOO_MANY_BAD_ROWS), (damage, Code.SOURCE_UNREADABLE)], ids=["bad", "damaged"]
)
def test_a_bad_day_waits_alone_and_is_made_when_it_is_exported_again(harm, code, own, rows_of, as_exported, morning):
    whole = file_of(own, SECOND).read_bytes()
    harm(own, SECOND)
    for _ in range(2):
        with pytest.raises(EndcapError, match=f"{SECOND} waits as before, all other days are done") as caught:
            refresh(own, verbs=("ingest",), clock=morning)
        assert caught.value.code is code
        assert rows_of(own, EVENTS) == as_exported({FIRST, THIRD})
    refresh(own, verbs=("ingest",), through=FIRST, clock=morning)  # the day is not asked for
    file_of(own, SECOND).write_bytes(whole)
    refresh(own, verbs=("ingest",), clock=morning)
    assert rows_of(own, EVENTS) == as_exported({FIRST, SECOND, THIRD})


def test_all_other_steps_are_done_and_the_ledger_and_the_health_report_tell_of_the_day(own, morning, flow_of):
    spoil(own, THIRD)
    with pytest.raises(DataError, match=f"rows of {THIRD} are bad"):
        refresh(own, clock=morning)
    [attempt] = [row for row in flow_of(own).ledger.attempts() if row["step"] == "ingest"]
    assert attempt["detail"]["left_out"] == {THIRD: Code.TOO_MANY_BAD_ROWS.value}
    assert (own / "bundles" / "current").read_text().startswith(SECOND)
    assert f"{THIRD} goes on without what came" in (own / "reports" / "health.txt").read_text()


def test_a_damaged_and_a_bad_day_are_told_together(own, morning, rows_of, as_exported):
    file_of(own, FIRST).write_bytes(file_of(own, FIRST).read_bytes()[:1000])
    spoil(own, THIRD)
    with pytest.raises(SourceError, match=f"{FIRST} waits for it, .*; and .* rows of {THIRD} are bad"):
        refresh(own, verbs=("ingest",), clock=morning)
    assert rows_of(own, EVENTS) == as_exported({SECOND})


def test_a_shop_without_one_good_day_is_told_why(own, morning):
    for day in (FIRST, SECOND, THIRD):
        spoil(own, day)
    with pytest.raises(DataError, match=f"rows of {FIRST} are bad .*; so 2 more"):
        refresh(own, clock=morning)


def test_a_backfill_names_days_of_files_that_cannot_be_read_and_makes_no_bundle_without_them(own, morning):
    refresh(own, clock=morning)
    file_of(own, SECOND).write_bytes(file_of(own, SECOND).read_bytes()[:1000])
    done = backfill(own, first=FIRST, last=THIRD, clock=morning)
    assert {day: error.code for day, error in done.failed["ingest"].items()} == {SECOND: Code.SOURCE_UNREADABLE}
    assert done.built == ""
