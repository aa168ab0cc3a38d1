import pyarrow as pa
import pyarrow.parquet as pq

from endcap.core.contract import Column, Kind, Table
from endcap.stores.adapters.parquet_files import files_below, listed, written_files

TABLE = Table(
    "things",
    "things",
    (
        Column("day", Kind.STRING, "day"),
        Column("user", Kind.STRING, "a name", names_user=True),
        Column("n", Kind.INT32, "count"),
        Column("rate", Kind.FLOAT64, "rate", nullable=True),
        Column("names", Kind.STRINGS, "names"),
    ),
    ("n",),
    partition="day",
)


def put(folder, path, rows, **options):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    names = [pa.field("user", pa.string()), pa.field("n", pa.int32()), pa.field("rate", pa.float64()),
             pa.field("names", pa.list_(pa.string()))]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(names)), folder / path, **options)


def thing(n, rate):
    return {"user": "ann", "n": n, "rate": rate, "names": ["x"]}


def test_a_file_is_told_over_all_its_row_groups_and_never_by_a_name(tmp_path):
    put(tmp_path, "attempt-1/day=a%20b/p.parquet", [thing(3, 0.5), thing(1, None), thing(2, 2.5)], row_group_size=1)
    [file] = written_files(files_below(str(tmp_path)), TABLE, "1")
    assert (file.partition, file.rows, file.nulls) == ("a b", 3, {"n": 0, "rate": 1})
    assert (file.least, file.greatest) == ({"n": 1}, {"n": 3}), "a group without values tells no bounds of the rate"
    assert file.size == (tmp_path / file.path).stat().st_size


def test_a_number_that_is_not_finite_bounds_nothing(tmp_path):
    put(tmp_path, "attempt-1/day=a/p.parquet", [thing(1, float("inf")), thing(2, 0.5)])
    [file] = written_files(files_below(str(tmp_path)), TABLE, "1")
    assert (file.least, file.greatest) == ({"n": 1, "rate": 0.5}, {"n": 2})


def test_work_in_progress_empty_files_and_other_attempts_are_left_out(tmp_path):
    for path in ("attempt-1/_temporary/0/day=a/p.parquet", "attempt-1/day=a/.p.parquet", "attempt-10/day=a/p.parquet"):
        put(tmp_path, path, [thing(1, 0.5)])
    put(tmp_path, "attempt-1/day=a/empty.parquet", [])
    (tmp_path / "attempt-1/_SUCCESS").touch()
    assert written_files(files_below(str(tmp_path)), TABLE, "1") == []
    assert len(listed(files_below(str(tmp_path)), "attempt-1")) == 4
    assert listed(files_below(str(tmp_path)), "attempt-2") == []
