import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.clock import day_start_us
from endcap.core.errors import Code, SourceError
from endcap.events.files import cache_of, days_claimed, days_fed, files_for, scan_files, scan_landing, stray_days
from endcap.events.reader_config import MappedReader

DAY, NEXT = "2026-08-01", "2026-08-02"
NOW_US = day_start_us("2026-08-05")


def _code(caught):
    return caught.value.code


def test_a_file_feeds_every_day_it_holds_and_the_day_it_is_named_by(tmp_path, engine, config, ga4_event, write_ga4):
    write_ga4(tmp_path, DAY, [ga4_event("search", 1), ga4_event("search", 1, day=NEXT)])
    write_ga4(tmp_path, "2026-08-03", [])
    fed = days_fed(scan_files(lambda: engine, config, tmp_path), config, now_us=NOW_US)
    assert {day: [file.name for file in files] for day, files in fed.items()} == {
        DAY: ["events_20260801.parquet"],
        NEXT: ["events_20260801.parquet"],
        "2026-08-03": ["events_20260803.parquet"],
    }


def test_a_day_needs_its_own_files_alone(tmp_path, engine, config, ga4_event, write_ga4):
    for day in (DAY, NEXT, "2026-08-03", "2026-08-04"):
        write_ga4(tmp_path, day, [ga4_event("search", 1, day=day)])
    fed = days_fed(scan_files(lambda: engine, config, tmp_path), config, now_us=NOW_US)
    assert [file.named_day for file in files_for(fed, [NEXT])] == [NEXT]


def test_rows_without_a_believable_instant_are_booked_on_the_file(tmp_path, engine, config, ga4_event, write_ga4):
    write_ga4(tmp_path, DAY, [ga4_event("search", None), ga4_event("search", 1, day="2099-01-01")])
    [file] = scan_files(lambda: engine, config, tmp_path)
    assert (file.num_unplaced, file.num_rows, file.days) == (1, 2, ("2099-01-01",))
    assert list(days_fed([file], config, now_us=NOW_US)) == [DAY]


def test_a_second_scan_reads_nothing_that_has_not_changed(tmp_path, engine, config, ga4_event, write_ga4):
    path = write_ga4(tmp_path, DAY, [ga4_event("search", 1)])
    first = scan_files(lambda: engine, config, tmp_path)
    path.write_bytes(b"x" * path.stat().st_size)  # damaged, but of the same name, size and time: must not be opened
    os.utime(path, ns=(first[0].mtime_ns, first[0].mtime_ns))
    assert scan_files(lambda: engine, config, tmp_path, cache=cache_of(first)) == first


def test_a_file_is_read_again_under_other_settings_of_the_reader(tmp_path, engine, config, ga4_event, write_ga4):
    write_ga4(tmp_path, DAY, [ga4_event("search", 1)])
    cache = cache_of(scan_files(lambda: engine, config, tmp_path))
    asked = []
    other = config.model_copy(update={"reader": config.reader.model_copy(update={"event_id_param": "id"})})
    for settings in (config, other):
        scan_files(lambda: asked.append("an engine") or engine, settings, tmp_path, cache=cache)
    assert asked == ["an engine"]  # and where nothing is read, none is made


def test_a_day_of_which_only_a_part_is_believed_need_not_have_an_event(tmp_path, engine, config, ga4_event, write_ga4):
    write_ga4(
        tmp_path, DAY, [ga4_event("search", 1), *(ga4_event("search", 1, day=day) for day in (NEXT, "2026-08-06"))]
    )
    write_ga4(tmp_path, "2026-08-03", [])
    fed = days_fed(scan_files(lambda: engine, config, tmp_path), config, now_us=NOW_US)
    assert list(fed) == [DAY, NEXT, "2026-08-03", "2026-08-06"]
    assert days_claimed(fed, config, now_us=NOW_US) == {DAY, NEXT, "2026-08-03"}


def test_a_truncated_file_is_named(tmp_path, engine, config, ga4_event, write_ga4):
    path = write_ga4(tmp_path, DAY, [ga4_event("search", 1)])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError) as caught:
        scan_files(lambda: engine, config, tmp_path)
    assert (_code(caught), caught.value.where) == (Code.SOURCE_UNREADABLE, path.name)


def test_an_empty_file_is_named(tmp_path, engine, config):
    (tmp_path / "events_20260801.parquet").touch()
    with pytest.raises(SourceError) as caught:
        scan_files(lambda: engine, config, tmp_path)
    assert (_code(caught), caught.value.where) == (Code.SOURCE_UNREADABLE, "events_20260801.parquet")


def test_a_missing_column_is_named_with_its_file(tmp_path, engine, config):
    pq.write_table(pa.table({"event_time": [1]}), tmp_path / "events_20260801.parquet")
    with pytest.raises(SourceError, match="event_timestamp") as caught:
        scan_files(lambda: engine, config, tmp_path)
    assert _code(caught) == Code.SOURCE_COLUMN
    assert "events_20260801.parquet" in caught.value.where


def test_a_column_is_found_under_the_name_that_the_settings_give_it(tmp_path, engine, config, ga4_event, write_ga4):
    write_ga4(tmp_path, DAY, [ga4_event("search", 1)])
    path = write_ga4(tmp_path, NEXT, [ga4_event("search", 1, day=NEXT)])
    pq.write_table(pq.read_table(path).rename_columns({"event_timestamp": "event_time"}), path)
    reader = config.reader.model_copy(update={"columns": {"event_timestamp": "event_time"}})
    files = scan_files(lambda: engine, config.model_copy(update={"reader": reader}), tmp_path)
    assert [file.days for file in files] == [(DAY,), (NEXT,)]


def test_a_slip_in_a_column_of_the_settings_is_refused_and_one_that_may_yet_come_is_not(
    tmp_path, engine, config, ga4_event, write_ga4
):
    path = write_ga4(tmp_path, DAY, [ga4_event("search", 1)])
    table = pq.read_table(path)
    pq.write_table(table.append_column("customer_no", pa.array(["ann"])), path)

    def scanned(columns):
        reader = config.reader.model_copy(update={"columns": columns})
        return scan_files(lambda: engine, config.model_copy(update={"reader": reader}), tmp_path)

    with pytest.raises(SourceError, match="'custmer_no' for user_id; did you mean 'customer_no'") as caught:
        scanned({"user_id": "custmer_no"})
    assert _code(caught) == Code.SOURCE_COLUMN
    assert len(scanned({"user_id": "customer_no", "user_pseudo_id": "pseudo_user_id"})) == 1


def test_a_folder_that_is_missing_or_without_files_is_named(tmp_path, engine, config):
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(SourceError) as caught:
            scan_files(lambda: engine, config, folder)
        assert _code(caught) == Code.SOURCE_MISSING


def test_two_files_of_one_name_are_refused(tmp_path, engine, config, ga4_event, write_ga4):
    write_ga4(tmp_path / "a", DAY, [ga4_event("search", 1)])
    write_ga4(tmp_path / "b", DAY, [ga4_event("search", 1)])
    with pytest.raises(SourceError, match="two source files"):
        scan_files(lambda: engine, config, tmp_path)


def test_a_segment_that_is_being_written_is_left_alone(tmp_path, engine, config, write_lines):
    line = {"event_id": "0" * 32, "event_name": "search", "at_us": day_start_us(DAY), "user_key": "a" * 32}
    write_lines(tmp_path / "w0-1.jsonl", [line])
    write_lines(tmp_path / "w0-2.jsonl.open", [line])
    assert [(file.name, file.days) for file in scan_landing(lambda: engine, config, tmp_path)] == [
        ("w0-1.jsonl", (DAY,))
    ]
    assert scan_landing(lambda: engine, config, tmp_path / "nowhere") == []


def test_rows_from_long_before_the_day_a_file_is_named_by_are_booked_on_it(
    tmp_path, engine, config, ga4_event, write_ga4
):
    days = ("2000-01-01", "2026-07-02", "2026-07-01", DAY)
    write_ga4(tmp_path, DAY, [ga4_event("search", 1, day=day) for day in days])
    [file] = scan_files(lambda: engine, config, tmp_path)
    assert (file.days, file.day_rows) == (tuple(sorted(days)), (1, 1, 1, 1))
    assert list(days_fed([file], config, now_us=NOW_US)) == ["2026-07-02", DAY]
    far = config.model_copy(update={"max_lateness_days": 36_500})
    assert list(days_fed([file], far, now_us=NOW_US)) == sorted(days)


def test_a_day_of_a_handful_of_rows_among_many_is_a_stray_one(tmp_path, engine, config, ga4_event, write_ga4):
    late = [ga4_event("search", 1, day="2026-07-20")]
    write_ga4(tmp_path, DAY, [*late, *(ga4_event("search", minute) for minute in range(4))])
    write_ga4(tmp_path, NEXT, [ga4_event("search", 1, day=NEXT), ga4_event("search", 1, day="2026-08-03")])
    fed = days_fed(scan_files(lambda: engine, config, tmp_path), config, now_us=NOW_US)
    assert stray_days(fed, config) == {"2026-07-20"}  # the third of August is half of what its file holds
    assert stray_days(fed, config.model_copy(update={"max_bad_share": 0.1})) == set()


@pytest.fixture
def changed(tmp_path, ga4_event, write_ga4):
    """Write two days, the second as a file whose table was changed."""

    def changed(change, name="events_20260802.parquet"):
        write_ga4(tmp_path, DAY, [ga4_event("view_item", 1, {"item_id": "mug"})])
        path = write_ga4(tmp_path, NEXT, [ga4_event("view_item", 1, {"item_id": "mug"}, day=NEXT)])
        pq.write_table(change(pq.read_table(path)), path)
        path.rename(tmp_path / name)
        return tmp_path

    return changed


def with_column(table, name, values):
    return table.set_column(table.schema.get_field_index(name), name, values)


BREAKS = {
    "user_pseudo_id": lambda table: table.rename_columns({"user_pseudo_id": "pseudo_user_id"}),
    "items": lambda table: with_column(table, "items", pa.array(["[]"])),
    "event_params": lambda table: with_column(table, "event_params", pa.array(["{}"])),
    "event_timestamp": lambda table: with_column(table, "event_timestamp", pa.array(["2026-08-02 10:00:00"])),
}


@pytest.mark.parametrize("column", BREAKS)
def test_a_file_whose_schema_broke_is_listed_with_its_column(changed, engine, config, column):
    good, broken = scan_files(lambda: engine, config, changed(BREAKS[column]))
    assert (good.broken, broken.broken, broken.named_day) == ("", column, NEXT)
    assert good.schema != broken.schema
    assert scan_files(None, config, Path(broken.path).parent, cache=cache_of([good, broken])) == [good, broken]


def test_a_broken_file_whose_name_tells_no_day_stops_those_it_holds(changed, engine, config):
    config = config.model_copy(update={"reader": config.reader.model_copy(update={"files": "*.parquet"})})
    [_, broken] = scan_files(lambda: engine, config, changed(BREAKS["items"], "part-2.parquet"))
    assert (broken.broken, broken.days) == ("items", (NEXT,))


def test_a_broken_file_that_tells_no_day_at_all_stops_everything(changed, engine, config):
    config = config.model_copy(update={"reader": config.reader.model_copy(update={"files": "*.parquet"})})
    with pytest.raises(SourceError, match=r"part-2.parquet first: column 'event_timestamp' is string") as caught:
        scan_files(lambda: engine, config, changed(BREAKS["event_timestamp"], "part-2.parquet"))
    assert _code(caught) == Code.SOURCE_COLUMN


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.append_column("more", pa.array([1])),
        lambda table: table.drop_columns(["ecommerce", "user_id"]),
        lambda table: with_column(table, "event_timestamp", table["event_timestamp"].cast(pa.string())),
        lambda table: with_column(table, "event_timestamp", table["event_timestamp"].cast(pa.timestamp("us", "UTC"))),
        lambda table: with_column(table, "user_id", pa.nulls(1)),
    ],
)
def test_a_change_that_can_be_read_is_another_schema_and_no_fault(changed, engine, config, change):
    before, after = scan_files(lambda: engine, config, changed(change))
    assert (after.broken, after.days, before.schema == after.schema) == ("", (NEXT,), False)


def test_a_flat_file_with_another_header_stops_its_own_days(tmp_path, engine, config):
    reader = MappedReader(files="*.csv", time="at", event_name="event", device_id="user", item_id="item")
    config = config.model_copy(update={"reader": reader})
    (tmp_path / "a.csv").write_text(f"at,event,user,item\n{DAY}T10:00:00,view_item,u1,A\n")
    (tmp_path / "b.csv").write_text(f"at,event,user,product\n{NEXT}T10:00:00,view_item,u1,A\n")
    good, broken = scan_files(lambda: engine, config, tmp_path)
    assert [(file.broken, file.days) for file in (good, broken)] == [("", (DAY,)), ("item", (NEXT,))]
