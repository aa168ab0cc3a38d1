import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.contract import Column, Kind, Table
from endcap.core.errors import Code, SourceError, StoreError

COUNTS = Table(
    "counts", "a count", (Column("date_partition", Kind.STRING, "day"), Column("n", Kind.INT64, "count")), ("n",)
)


def days(*rows):
    return pa.table({"date_partition": [day for day, _ in rows], "n": [n for _, n in rows]})


def digests(engine, *rows):
    return engine.partition_digests(engine.materialise(engine.read_arrow(days(*rows))), COUNTS)


def test_parquet_rows_know_their_file_and_their_place_in_it(engine, tmp_path):
    pq.write_table(pa.table({"n": [1, 2]}), tmp_path / "one.parquet")
    pq.write_table(pa.table({"n": [3], "more": ["x"]}), tmp_path / "two.parquet")
    read = engine.read_parquet([str(tmp_path / "one.parquet"), str(tmp_path / "two.parquet")])
    rows = engine.to_arrow(read.order_by("n")).to_pylist()
    assert rows == [
        {"n": 1, "more": None, "_file": "one.parquet", "_row": 0},
        {"n": 2, "more": None, "_file": "one.parquet", "_row": 1},
        {"n": 3, "more": "x", "_file": "two.parquet", "_row": 0},
    ]


def test_a_truncated_parquet_file_is_a_source_error_that_names_it(engine, tmp_path):
    path = tmp_path / "events_20260101.parquet"
    pq.write_table(pa.table({"n": list(range(1000))}), path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SourceError, match=r"events_20260101\.parquet"):
        engine.read_parquet([str(path)])


def test_the_digest_of_a_partition_does_not_depend_on_the_order_of_its_rows(engine):
    assert digests(engine, ("a", 1), ("a", 2), ("b", 1)) == digests(engine, ("b", 1), ("a", 2), ("a", 1))


def test_the_digest_sees_a_changed_value_and_a_doubled_row(engine):
    once = digests(engine, ("a", 1), ("a", 2))["a"]
    assert digests(engine, ("a", 1), ("a", 3))["a"]["digest"] != once["digest"]
    twice = digests(engine, ("a", 1), ("a", 2), ("a", 2))["a"]
    assert (twice["rows"], twice["digest"] == once["digest"]) == (3, False)


def test_a_pair_of_equal_rows_does_not_vanish_from_the_digest(engine):
    assert digests(engine, ("a", 1), ("a", 7), ("a", 7)) != digests(engine, ("a", 1), ("a", 8), ("a", 8))


def test_a_snapshot_without_files_is_a_table_without_rows(engine):
    assert engine.to_arrow(engine.read_snapshot([], COUNTS)).num_rows == 0


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_damaged_file_of_a_table_is_told_with_the_table(engine, tmp_path, damage):
    file = tmp_path / "part-1.parquet"
    pq.write_table(days(("2026-01-01", 1), ("2026-01-01", 2)), file)
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(StoreError, match="the table counts cannot be read") as caught:
        engine.materialise(engine.read_snapshot([str(file)], COUNTS))
    assert caught.value.code is Code.TABLE_DAMAGED
    assert "move SHOP/lake/counts away" in caught.value.fix


def test_a_stream_keeps_the_order_asked_for(engine):
    table = engine.materialise(engine.read_arrow(days(("b", 2), ("a", 3), ("a", 1))))
    assert engine.stream(table.order_by(["date_partition", "n"])).read_all()["n"].to_pylist() == [1, 3, 2]


def test_a_dropped_table_is_gone_and_others_stay(engine):
    first, second = (engine.materialise(engine.read_arrow(days(("a", n)))) for n in (1, 2))
    engine.drop(first)
    assert engine.to_arrow(second)["n"].to_pylist() == [2]
    with pytest.raises(Exception, match="does not exist"):
        engine.to_arrow(first)
