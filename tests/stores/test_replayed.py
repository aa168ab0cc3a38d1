import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.contract import Column, Kind, Table
from endcap.core.errors import StoreError
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.replayed import ReplayedTables
from endcap.testing.tables import TABLE_STORE_CHECKS

DAYS = Table(
    "days", "a count", (Column("date_partition", Kind.STRING, "day"), Column("n", Kind.INT64, "count")), ("n",)
)
WHOLE = Table("whole", "a count", (Column("n", Kind.INT64, "count"),), ("n",), partition="")


def rows(*pairs):
    return pa.table(
        {"date_partition": [day for day, _ in pairs], "n": pa.array([n for _, n in pairs], pa.int64())}
    ).to_reader()


def read(store, table, partitions=None):
    files = store.files(table, partitions)
    return sorted(n for path in files for n in pq.read_table(path, partitioning=None)["n"].to_pylist())


@pytest.fixture
def shop(tmp_path):
    """Days a and b at version 0, another b since; a table that is written whole."""
    store = DeltaTables(tmp_path / "lake")
    store.replace(DAYS, ["a", "b"], rows(("a", 1), ("b", 2)))
    store.replace(DAYS, ["b"], rows(("b", 3)))
    store.replace(WHOLE, [""], pa.table({"n": [7]}).to_reader())
    return store


@pytest.fixture
def replayed(shop, tmp_path):
    then = {"days": 0, "whole": 0}
    return ReplayedTables(shop.at(then), DeltaTables(tmp_path / "own"), {"days": ["b"]}, then)


def test_what_is_made_again_is_not_there_until_it_is_made_and_all_else_is_as_it_was(replayed):
    assert (read(replayed, DAYS), replayed.partitions(DAYS)) == ([1], ["a"])
    assert (replayed.version(DAYS), replayed.version(WHOLE)) == (-1, 0)
    assert replayed.replace(DAYS, ["b"], rows(("b", 5))) == 0  # goes by the version of then
    assert (read(replayed, DAYS), replayed.partitions(DAYS)) == ([1, 5], ["a", "b"])
    assert (read(replayed, DAYS, ["a"]), read(replayed, DAYS, ["b"]), read(replayed, DAYS, ["c"])) == ([1], [5], [])
    assert (replayed.version(DAYS), replayed.schema_version(DAYS)) == (0, 1)
    assert read(replayed, WHOLE) == [7]


def test_the_shop_is_never_written(replayed, shop):
    replayed.replace(DAYS, ["b"], rows(("b", 5)))
    replayed.vacuum(DAYS, keep=[], dry_run=False)
    assert (shop.version(DAYS), read(shop, DAYS)) == (1, [1, 3])
    assert list(replayed.versions(DAYS)) == [0]
    assert "own" in replayed.folder(DAYS)


def test_a_table_written_whole_is_the_own_one_or_that_of_then(shop, tmp_path):
    mine = ReplayedTables(shop.at({"whole": 0}), DeltaTables(tmp_path / "own"), {"whole": [""]}, {"whole": 0})
    assert (read(mine, WHOLE), mine.version(WHOLE)) == ([], -1)
    mine.replace(WHOLE, [""], pa.table({"n": [8]}).to_reader())
    assert (read(mine, WHOLE), mine.partitions(WHOLE)) == ([8], [""])


def test_a_version_that_is_gone_is_told_when_its_table_is_read(shop, tmp_path):
    for path in (tmp_path / "lake" / "days" / "date_partition=b").glob("*.parquet"):
        path.unlink()
    past = ReplayedTables(shop.at({"days": 0}), DeltaTables(tmp_path / "own"), {}, {"days": 0})
    with pytest.raises(StoreError, match="version 0 of days is no longer there"):
        past.files(DAYS)


@pytest.mark.slow
@pytest.mark.parametrize("check", TABLE_STORE_CHECKS, ids=lambda check: check.__name__)
def test_a_replay_of_everything_keeps_the_promises_of_a_table_store(check, tmp_path):
    owned = {"days": [*"abcd", *map(str, range(9))], "whole": [""]}
    past = DeltaTables(tmp_path / "lake").at({})
    check(lambda: ReplayedTables(past, DeltaTables(tmp_path / "own"), owned, {}))
