import dataclasses
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from endcap.core.contract import Column, Kind, Table
from endcap.core.errors import Code, LedgerError, StoreError
from endcap.engines.port import arrow_schema
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.local_files import locked
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


def test_days_that_are_committed_one_after_the_other_under_one_fence_are_all_kept(tmp_path, store):
    days = [f"2026-01-0{day}" for day in range(1, 7)]

    def put(day):
        with locked(tmp_path / "lock"):
            store.replace(DAYS, [day], stream((day, 1)), fence=Fence("step", 5))

    threads = [threading.Thread(target=put, args=(day,)) for day in days]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.partitions(DAYS) == days


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


LIST = Column("names", Kind.STRINGS, "names")
OLD = Table("days", "d", (Column("date_partition", Kind.STRING, "day"), Column("n", Kind.INT32, "n"),
                          Column("rate", Kind.FLOAT32, "r"), LIST), ("n",))  # fmt: skip
NEW = Table(
    "days",
    "d",
    (
        Column("date_partition", Kind.STRING, "day"),
        Column("n", Kind.INT64, "n"),
        Column("rate", Kind.FLOAT64, "r"),
        LIST,
        Column("brand", Kind.STRING, "b", nullable=True),
    ),
    ("n",),
    version=2,
)


def rows_of(table, *rows):
    return pa.Table.from_pylist(
        [dict(zip(table.names, row, strict=True)) for row in rows], arrow_schema(table)
    ).to_reader()


def content(store, engine, table):
    found = engine.read_snapshot(store.files(table), table).order_by(list(table.key))
    return [tuple(row.values()) for row in engine.to_arrow(found).to_pylist()]


@pytest.fixture
def aged(store):
    """A table of two partitions that was written under version 1 of its contract."""
    store.replace(OLD, ["a", "b"], rows_of(OLD, ("a", 1, 0.5, ["x"]), ("b", 2, 1.5, [])))
    return store


def test_each_snapshot_tells_the_version_of_its_contract(aged):
    assert (aged.schema_version(OLD), aged.schema_version(WHOLE)) == (1, 0)
    [commit] = DeltaTable(aged.files(OLD)[0].removeprefix("file://").split("/date_partition")[0]).history(1)
    assert (commit["endcap.schema_version"], commit["endcap.schema_digest"]) == ("1", OLD.digest)


def test_rows_of_an_older_contract_lack_what_was_added_and_are_widened(aged, engine):
    assert content(aged, engine, NEW) == [("a", 1, 0.5, ["x"], None), ("b", 2, 1.5, [], None)]


def test_a_partition_under_a_newer_contract_stands_beside_older_ones(aged, engine):
    assert aged.replace(NEW, ["b"], rows_of(NEW, ("b", 2**40, 0.1, ["y"], "acme"))) == 1
    assert content(aged, engine, NEW) == [("a", 1, 0.5, ["x"], None), ("b", 2**40, 0.1, ["y"], "acme")]
    assert aged.schema_version(NEW) == 2
    aged.replace(NEW, ["c"], rows_of(NEW, ("c", 3, 0.2, [], None)))
    assert len(content(aged, engine, NEW)) == 3


def test_a_column_that_left_the_contract_is_not_read_any_more(aged, engine):
    fewer = dataclasses.replace(OLD, columns=OLD.columns[:2], version=2)
    aged.replace(fewer, ["b"], rows_of(fewer, ("b", 7)))
    assert content(aged, engine, fewer) == [("a", 1), ("b", 7)]


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (Column("n", Kind.STRING, "n"), "has n as int32, the contract as string"),
        (Column("brand", Kind.STRING, "b"), "has no column brand"),
    ],
)
def test_a_contract_that_cannot_read_what_is_stored_is_refused_until_all_of_it_is_replaced(aged, engine, column, what):
    columns = {each.name: each for each in OLD.columns} | {column.name: column}
    broken = dataclasses.replace(OLD, columns=tuple(columns.values()), version=2)
    n = 1 if broken.column("n").kind is Kind.INT32 else "1"
    filling = {"date_partition": "b", "n": n, "rate": 1.0, "names": [], "brand": "acme"}
    row = [filling[name] for name in broken.names]
    with pytest.raises(StoreError, match=what) as caught:
        engine.read_snapshot(aged.files(broken), broken)
    assert (caught.value.code, "move SHOP/lake/days away" in caught.value.fix) == (Code.TABLE_SCHEMA, True)
    with pytest.raises(StoreError, match=what):
        aged.replace(broken, ["b"], rows_of(broken, row))
    assert aged.version(OLD) == 0
    aged.replace(broken, ["a", "b"], rows_of(broken, row))
    assert [each[0] for each in content(aged, engine, broken)] == ["b"]


def test_a_table_written_whole_takes_the_newer_contract(store, engine):
    store.replace(WHOLE, [""], pa.table({"n": pa.array([1], pa.int64())}).to_reader())
    newer = dataclasses.replace(WHOLE, columns=(*WHOLE.columns, Column("brand", Kind.STRING, "b", nullable=True)))
    store.replace(newer, [""], rows_of(newer, (2, "acme")))
    assert content(store, engine, newer) == [(2, "acme")]


def test_a_table_is_read_as_it_was_until_its_files_are_gone(store, engine):
    store.replace(DAYS, ["a"], stream(("a", 1)))
    store.replace(DAYS, ["a"], stream(("a", 2)))
    past = store.at({"days": 0})
    assert (numbers(past, engine), numbers(store, engine)) == ([1], [2])
    assert store.at({}).files(DAYS) == []
    Path(past.files(DAYS)[0]).unlink()
    for gone in (0, 9):
        with pytest.raises(StoreError) as told:
            store.at({"days": gone}).files(DAYS)
        assert told.value.code is Code.VERSION_GONE


@pytest.mark.parametrize("options", [None, {"AWS_REGION": "here"}])
def test_a_file_that_a_store_did_not_take_is_told_as_that_and_a_fault_of_rows_is_not(tmp_path, options, monkeypatch):
    def fails(*_words, **_options):
        raise DeltaError(f"Failed to parse parquet: External: {why}")

    store = DeltaTables(tmp_path, options)
    monkeypatch.setattr("endcap.stores.adapters.delta.write_deltalake", fails)
    why = "Generic S3 error: Error performing PUT http://s3/lake, after 3 retries - HTTP error: error sending request"
    with pytest.raises(StoreError if options else DeltaError) as caught:
        store.replace(DAYS, ["a"], pa.table({"date_partition": ["a"], "n": [1]}).to_reader())
    if options:
        assert caught.value.code == Code.STORAGE_UNREACHABLE
    why = "a row is broken"
    with pytest.raises(DeltaError, match="broken"):
        store.replace(DAYS, ["a"], pa.table({"date_partition": ["a"], "n": [1]}).to_reader())
