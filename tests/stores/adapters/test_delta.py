import pyarrow as pa
import pytest

from endcap.core.contract import Column, Kind, Table
from endcap.core.errors import LedgerError
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.tables import Fence

DAYS = Table(
    "days", "a count", (Column("date_partition", Kind.STRING, "day"), Column("n", Kind.INT64, "count")), ("n",)
)
WHOLE = Table("whole", "a count", (Column("n", Kind.INT64, "count"),), ("n",), partition="")


@pytest.fixture
def store(tmp_path):
    return DeltaTables(tmp_path / "lake")


def stream(*rows):
    schema = pa.schema([("date_partition", pa.string()), ("n", pa.int64())])
    table = pa.Table.from_pylist([{"date_partition": day, "n": n} for day, n in rows], schema=schema)
    return table.to_reader()


def numbers(store, engine, table=DAYS):
    return sorted(engine.to_arrow(engine.read_snapshot(store.files(table), table))["n"].to_pylist())


def test_a_table_that_was_never_written_is_empty(store):
    assert (store.version(DAYS), store.files(DAYS), store.partitions(DAYS)) == (-1, [], [])


def test_replacing_a_partition_leaves_the_others_alone(store, engine):
    store.replace(DAYS, ["a", "b"], stream(("a", 1), ("b", 2)))
    assert store.replace(DAYS, ["b"], stream(("b", 3), ("b", 4))) == 1
    assert numbers(store, engine) == [1, 3, 4]
    assert store.partitions(DAYS) == ["a", "b"]


def test_only_the_files_of_the_partitions_asked_for_are_named(store, engine):
    store.replace(DAYS, ["a", "b"], stream(("a", 1), ("b", 2)))
    only = engine.read_snapshot(store.files(DAYS, ["b"]), DAYS)
    assert engine.to_arrow(only).to_pylist() == [{"date_partition": "b", "n": 2}]


def test_a_partition_replaced_by_nothing_is_empty(store, engine):
    store.replace(DAYS, ["a", "b"], stream(("a", 1), ("b", 2)))
    store.replace(DAYS, ["a"], stream())
    assert (store.partitions(DAYS), numbers(store, engine)) == (["b"], [2])


def test_a_table_without_partitions_is_replaced_whole(store, engine):
    for n in (1, 2):
        store.replace(WHOLE, [""], pa.table({"n": [n]}).to_reader())
    assert (numbers(store, engine, WHOLE), store.partitions(WHOLE), store.version(WHOLE)) == ([2], [""], 1)


def test_a_writer_that_lost_its_lease_is_fenced_off_and_changes_nothing(store, engine):
    store.replace(DAYS, ["a"], stream(("a", 1)), fence=Fence("shop/step", 4))
    store.replace(DAYS, ["a"], stream(("a", 2)), fence=Fence("shop/step", 5))
    with pytest.raises(LedgerError, match="lease 4 was taken over by lease 5"):
        store.replace(DAYS, ["a"], stream(("a", 3)), fence=Fence("shop/step", 4))
    assert numbers(store, engine) == [2]


def test_one_holder_may_write_several_times(store, engine):
    for n in (1, 2):
        store.replace(DAYS, ["a"], stream(("a", n)), fence=Fence("shop/step", 4))
    assert numbers(store, engine) == [2]
