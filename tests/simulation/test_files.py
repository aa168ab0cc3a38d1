import os
import signal
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.simulation.files import whole_file, write_parquet


def words(*values):
    return pa.table({"word": pa.array(values, pa.string()).dictionary_encode()})


def test_a_file_is_there_when_it_is_whole(tmp_path):
    with whole_file(tmp_path / "a.txt") as part:
        part.write_text("a")
        assert not (tmp_path / "a.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_what_fails_in_the_middle_leaves_the_old_file(tmp_path):
    (tmp_path / "a.txt").write_text("old")

    def write_half():
        with whole_file(tmp_path / "a.txt") as part:
            part.write_text("new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert (tmp_path / "a.txt").read_text() == "old"


def test_tables_become_row_groups_and_words_are_plain_text_when_they_are_read(tmp_path):
    write_parquet(tmp_path / "a.parquet", [words("x", "y", "x"), words(), words(None, "z")])
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert file.num_row_groups == 2
    assert file.read().to_pydict() == {"word": ["x", "y", "x", None, "z"]}
    assert file.schema_arrow.field("word").type == pa.string()


def test_nothing_at_all_still_is_a_file_with_its_columns(tmp_path):
    write_parquet(tmp_path / "a.parquet", [words()])
    assert pq.read_table(tmp_path / "a.parquet").to_pydict() == {"word": []}


def test_the_same_tables_are_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_parquet(tmp_path / name, [words("x", "y")])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_process_killed_in_the_middle_leaves_no_file_of_that_name(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from endcap.simulation.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as part, part.open('w') as file:\n"
        "    file.write('half'); file.flush(); print('half', flush=True); sys.stdin.read()"
    )
    start = [sys.executable, "-c", code, str(tmp_path / "a.txt")]
    with subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "half\n"
        os.kill(process.pid, signal.SIGKILL)
    assert not (tmp_path / "a.txt").exists()
    with whole_file(tmp_path / "a.txt") as part:
        part.write_text("whole")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "whole")]


def test_words_do_not_depend_on_the_dictionary_that_they_came_from(tmp_path):
    few = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0], pa.int32()), pa.array(["x", "y"]))
    more = pa.DictionaryArray.from_arrays(pa.array([3, 1, None, 3], pa.int32()), pa.array(["no", "y", "never", "x"]))
    for name, each in (("few", few), ("more", more)):
        write_parquet(tmp_path / name, [pa.table({"word": each})])
    assert pq.read_table(tmp_path / "few").equals(pq.read_table(tmp_path / "more"))
