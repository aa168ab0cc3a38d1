from collections import Counter

import pyarrow.parquet as pq
import pytest

from endcap.core.errors import UsageError
from endcap.simulation.faults.break_log import break_log
from endcap.simulation.faults.choice import FAULTS, Faults

ALL = {
    "duplicates": 0.2,
    "late": 0.2,
    "out_of_order": True,
    "clock_skew": 0.4,
    "missing_fields": 0.3,
    "schema_change": "2026-01-04",
    "malformed": 0.1,
    "missing_day": "2026-01-02",
}
DAYS = ["20260101", "20260102", "20260103", "20260104", "20260105"]


@pytest.fixture(scope="module")
def all_broken(broken):
    return broken(**ALL)


def whole(rows_of):
    """All rows of a folder, in any order."""
    return Counter(repr(row) for rows in rows_of.values() for row in rows)


def origins(rows_of, fault):
    return Counter(
        (row["_origin_file"], row["_origin_row"]) for rows in rows_of.values() for row in rows if row["_fault"] == fault
    )


def test_without_faults_the_drop_is_the_log_table_for_table(broken, log, bytes_of):
    made = broken()
    assert set(made.counts.values()) == {0}
    assert set(bytes_of(log)) == set(bytes_of(made.faulty))
    for name in bytes_of(log):
        assert pq.read_table(made.faulty / name).equals(pq.read_table(log / name), check_metadata=True)


def test_copies_are_exact_most_of_them_in_the_same_file_and_some_in_the_next_days(broken, log, rows):
    made = broken(duplicates=0.5)
    faulty, clean, trace = rows(made.faulty), rows(log), rows(made.record / "rows")
    copies = origins(trace, "duplicates")
    assert set(copies.values()) == {1}
    assert len(copies) == made.counts["duplicates"] == sum(map(len, faulty.values())) - sum(map(len, clean.values()))
    days_on = Counter()
    for name, told in trace.items():
        for row, event in zip(told, faulty[name], strict=True):
            assert event == clean[row["_origin_file"]][row["_origin_row"]]
            if row["_fault"] == "duplicates":
                days_on[DAYS.index(name[7:15]) - DAYS.index(row["_origin_file"][7:15])] += 1
    assert set(days_on) == {0, 1}
    assert days_on[0] > 2 * days_on[1]


def test_late_events_stand_one_to_three_days_on_and_none_is_lost(broken, log, rows):
    made = broken(late=0.5)
    assert whole(rows(made.faulty)) == whole(rows(log))
    days_on = Counter()
    for name, told in rows(made.record / "rows").items():
        for row in told:
            days_late = DAYS.index(name[7:15]) - DAYS.index(row["_origin_file"][7:15])
            assert (days_late > 0) == (row["_fault"] == "late")
            days_on[days_late] += row["_fault"] == "late"
    assert set(days_on) == {0, 1, 2, 3}
    assert sum(days_on.values()) == made.counts["late"] > 50
    assert Counter(row["_fault"] for row in rows(made.record / "rows")["events_20260105.parquet"])[""] == 60


def test_shuffled_files_hold_the_same_rows_in_another_order(broken, log, rows):
    made = broken(out_of_order=True)
    for name, events in rows(log).items():
        shuffled = rows(made.faulty)[name]
        assert whole({name: shuffled}) == whole({name: events})
        assert (shuffled != events) == (len(events) > 0)
    assert made.counts["out_of_order"] > 200


def test_clocks_that_are_off_move_instants_and_neither_files_nor_dates(broken, log, rows):
    made = broken(clock_skew=0.4)
    moved = 0
    for name, events in rows(log).items():
        for before, after in zip(events, rows(made.faulty)[name], strict=True):
            moved += before["event_timestamp"] != after["event_timestamp"]
            assert after == before | {"event_timestamp": after["event_timestamp"]}
    assert moved == made.counts["clock_skew"] > 0


def test_events_that_lack_a_field_stay_where_they_are(broken, log, rows):
    made = broken(missing_fields=0.3)
    pairs = [
        (before, after)
        for name in rows(log)
        for before, after in zip(rows(log)[name], rows(made.faulty)[name], strict=True)
    ]
    assert sum(before != after for before, after in pairs) == made.counts["missing_fields"] > 20
    assert any(after["user_pseudo_id"] is None for _, after in pairs)


def test_the_schema_changes_on_its_day_and_stays_changed(broken, log):
    made = broken(schema_change="2026-01-02")
    for path in sorted(log.iterdir()):
        before, after = pq.read_table(path), pq.read_table(made.faulty / path.name)
        assert before.schema.equals(after.schema) == (path.name < "events_20260102")
        assert len(before) == len(after)
    assert "pseudo_user_id" in after.column_names
    assert made.counts["schema_change"] == 180


def test_garbage_is_added_and_nothing_else_changes(broken, log, rows):
    made = broken(malformed=0.3)
    garbage = whole(rows(made.faulty)) - whole(rows(log))
    assert not whole(rows(log)) - whole(rows(made.faulty))
    assert garbage.total() == made.counts["malformed"] > 30
    kinds = {row["_what"] for told in rows(made.record / "rows").values() for row in told if row["_fault"]}
    assert len(kinds) == 8


def test_no_file_of_the_missing_day_is_delivered(broken, log, bytes_of):
    made = broken(missing_day="2026-01-02")
    assert set(bytes_of(log)) - set(bytes_of(made.faulty)) == {"events_20260102.parquet", "events_20260102_1.parquet"}
    assert made.counts["missing_day"] == 60


def test_every_fault_occurs_where_all_are_asked_for(all_broken):
    assert list(all_broken.counts) == list(FAULTS)
    assert min(all_broken.counts.values()) > 0


@pytest.mark.parametrize("fault", ["duplicates", "late", "malformed"])
def test_a_fault_takes_the_same_clean_rows_whatever_else_goes_wrong(broken, all_broken, rows, fault):
    alone = broken(**{fault: ALL[fault]})
    assert origins(rows(alone.record / "rows"), fault) == origins(rows(all_broken.record / "rows"), fault)


@pytest.mark.parametrize("fault", ["clock_skew", "missing_fields"])
def test_a_fault_changes_the_same_values_whatever_else_goes_wrong(broken, all_broken, rows, fault):
    alone, among = rows(broken(**{fault: ALL[fault]}).record / "changes"), rows(all_broken.record / "changes")
    assert alone == {name: [row for row in told if row["fault"] == fault] for name, told in among.items()}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(broken, all_broken, bytes_of):
    again, other = broken(**ALL), broken(seed=2, **ALL)
    for part in ("faulty", "record"):
        assert bytes_of(getattr(again, part)) == bytes_of(getattr(all_broken, part)) != bytes_of(getattr(other, part))


def test_a_folder_without_a_log_or_with_something_in_it_is_refused(tmp_path, log):
    (tmp_path / "events_of_march.parquet").touch()
    with pytest.raises(UsageError, match="holds no log"):
        break_log(tmp_path, tmp_path / "faulty", tmp_path / "record", faults=Faults(), seed=1)
    (tmp_path / "record").mkdir()
    (tmp_path / "record" / "mine").touch()
    with pytest.raises(UsageError, match="something in the folder"):
        break_log(log, tmp_path / "faulty", tmp_path / "record", faults=Faults(), seed=1)
    assert not (tmp_path / "faulty").exists()
