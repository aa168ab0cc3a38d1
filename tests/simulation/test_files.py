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
