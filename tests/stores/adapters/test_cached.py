import pyarrow as pa
import pytest

from endcap.core.contract import Column, Kind, Table
from endcap.stores.adapters.bucket import S3Bucket, delta_options
from endcap.stores.adapters.cached import CachedTables
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.cache import LocalCache
from endcap.stores.tables import TableStore

DAYS = Table(
    "days", "a count", (Column("date_partition", Kind.STRING, "day"), Column("n", Kind.INT64, "count")), ("n",)
)


@pytest.fixture
def store(s3, tmp_path):
    endpoint, bucket = s3
    root = f"s3://{bucket}/lake"
    cache = LocalCache(tmp_path / "cache", limit_bytes=10**9, fetch=S3Bucket(root, endpoint=endpoint).fetch)
    opened = CachedTables(DeltaTables(root, delta_options(endpoint, "")), root, cache)
    yield opened
    opened.close()


def test_the_engine_reads_local_copies_with_their_partitions(store, engine, tmp_path):
    rows = pa.table({"date_partition": ["a", "b"], "n": pa.array([1, 2], pa.int64())})
    store.replace(DAYS, ["a", "b"], rows.to_reader())
    files = store.files(DAYS)
    assert all(path.startswith(str(tmp_path / "cache")) for path in files)
    assert engine.to_arrow(engine.read_snapshot(files, DAYS)).sort_by("n").to_pylist() == rows.to_pylist()
    assert store.files(DAYS, ["b"]) == files[1:]


def test_it_has_everything_the_port_has():
    wanted = {name for name in vars(TableStore) if not name.startswith("_")}
    assert wanted <= set(vars(CachedTables))


def test_the_copies_of_what_a_vacuum_removes_go_with_it(store, tmp_path, monkeypatch):
    monkeypatch.setattr("endcap.stores.adapters.delta.SAFETY_HOURS", 0)
    rows = {day: pa.table({"date_partition": [day], "n": pa.array([1], pa.int64())}) for day in ("a", "b~c")}
    for day in ("a", "b~c", "b~c"):
        store.replace(DAYS, [day], rows[day].to_reader())
        store.files(DAYS)
    store.close()
    before = {path.name for path in (tmp_path / "cache/files").rglob("*.parquet")}
    gone = store.vacuum(DAYS, keep=[], dry_run=True)
    assert {path.name for path in (tmp_path / "cache/files").rglob("*.parquet")} == before
    assert store.vacuum(DAYS, keep=[], dry_run=False) == gone
    assert len(gone) == 1
    assert len(before) == 3
    left = {path.name for path in (tmp_path / "cache/files").rglob("*.parquet")}
    assert left == before - {name.rsplit("/", 1)[1] for name in gone}


def test_files_that_a_vacuum_has_removed_are_not_told_again(store, monkeypatch):
    monkeypatch.setattr("endcap.stores.adapters.delta.SAFETY_HOURS", 0)
    for n in (1, 2):
        rows = pa.table({"date_partition": ["a b"], "n": pa.array([n], pa.int64())})
        store.replace(DAYS, ["a b"], rows.to_reader())
    assert len(store.vacuum(DAYS, keep=[], dry_run=True)) == 1
    assert len(store.vacuum(DAYS, keep=[], dry_run=False)) == 1
    assert store.vacuum(DAYS, keep=[], dry_run=False) == []
