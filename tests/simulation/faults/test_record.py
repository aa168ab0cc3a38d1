from contextlib import suppress

import pytest

from endcap.core.errors import UsageError
from endcap.simulation.faults.choice import Faults
from endcap.simulation.faults.record import CleanFile, Purpose, Record, made_whole, read_record, stream, write_record

FILE = CleanFile("events_20260101.parquet", "2026-01-01", 0, 5)


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = Record(Faults(late=0.1, missing_day="2026-01-01"), 7, {"late": 3}, [FILE])
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record


def test_each_purpose_file_and_seed_has_a_stream_of_its_own():
    files = (FILE, CleanFile("a", "2026-01-01", 1, 5), CleanFile("b", "2026-01-02", 0, 5))
    draws = {stream(seed, purpose, file).random() for seed in (0, 1) for purpose in Purpose for file in files}
    assert len(draws) == 2 * len(Purpose) * len(files)
    assert stream(0, Purpose.LATE, FILE).random() == stream(0, Purpose.LATE, FILE).random()


def test_a_folder_appears_when_all_is_in_it_and_not_if_that_fails(tmp_path):
    out = tmp_path / "out"
    with suppress(ZeroDivisionError), made_whole(out) as part:
        (part / "half").touch()
        raise ZeroDivisionError
    assert not out.exists()
    with made_whole(out) as part:
        (part / "whole").touch()
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["whole"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(UsageError, match="something in the folder"), made_whole(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
