import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.clock import day_start_us
from endcap.core.errors import Code, SourceError
from endcap.events.files import cache_of, days_claimed, days_fed, files_for, scan_files, scan_landing

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
