"""What every table store must do, as checks that an adapter's tests run: each takes a way to open one store."""

import threading
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq

from endcap.core.contract import Column, Kind, Table
from endcap.core.errors import Code, LedgerError
from endcap.stores.tables import Fence, TableStore

__all__ = ["TABLE_STORE_CHECKS", "OpenStore"]

OpenStore = Callable[[], TableStore]
"""Opens the same store anew, as another process would."""

_DAY = Column("date_partition", Kind.STRING, "day")
_DAYS = Table("days", "a count", (_DAY, Column("n", Kind.INT64, "count")), ("n",))
_GROWN = Table("days", "a count", (*_DAYS.columns, Column("m", Kind.INT64, "more", nullable=True)), ("n",), version=2)
_WHOLE = Table("whole", "a count", (Column("n", Kind.INT64, "count"),), ("n",), partition="")
_WRITERS = 4


def what_was_never_written_is_empty(open_store: OpenStore) -> None:
    """A table that is not there has version -1 and no files."""
    store = open_store()
    assert (store.version(_DAYS), store.schema_version(_DAYS)) == (-1, 0)
    assert (store.files(_DAYS), store.partitions(_DAYS)) == ([], [])


def a_partition_is_replaced_and_the_others_stay(open_store: OpenStore) -> None:
    """Rows of a partition are replaced whole, also by nothing; another handle sees it at once."""
    store = open_store()
    store.replace(_DAYS, ["a", "b"], _rows(("a", 1), ("b", 2)))
    before = store.version(_DAYS)
    assert store.replace(_DAYS, ["b"], _rows(("b", 3), ("b", 4))) == before + 1
    other = open_store()
    assert (_read(other), _read(other, ["b"]), _read(other, ["none"])) == ([1, 3, 4], [3, 4], [])
    store.replace(_DAYS, ["a"], _rows())
    assert (other.partitions(_DAYS), _read(other)) == (["b"], [3, 4])


def a_table_without_partitions_is_replaced_whole(open_store: OpenStore) -> None:
    """It has the one partition ""."""
    store = open_store()
    for n in (1, 2):
        store.replace(_WHOLE, [""], pa.table({"n": [n]}).to_reader())
    assert store.partitions(_WHOLE) == [""]
    assert [pq.read_table(path)["n"].to_pylist() for path in store.files(_WHOLE)] == [[2]]


def files_that_were_named_can_be_read_after_they_were_replaced(open_store: OpenStore) -> None:
    """A reader goes on with the version that it began with."""
    store = open_store()
    store.replace(_DAYS, ["a"], _rows(("a", 1)))
    files = store.files(_DAYS)
    open_store().replace(_DAYS, ["a"], _rows(("a", 2)))
    assert [pq.read_table(path, partitioning=None)["n"].to_pylist() for path in files] == [[1]]


def an_older_holder_of_the_fence_writes_nothing(open_store: OpenStore) -> None:
    """Neither where the table is there nor where it came up meanwhile."""
    store = open_store()
    store.replace(_DAYS, ["a"], _rows(("a", 2)), fence=Fence("step", 2))
    _is_fenced(lambda: open_store().replace(_DAYS, ["a"], _rows(("a", 1)), fence=Fence("step", 1)))
    store.replace(_DAYS, ["a"], _rows(("a", 3)), fence=Fence("step", 3))
    assert _read(store) == [3]


def the_version_of_the_contract_is_told_and_grows(open_store: OpenStore) -> None:
    """A column more: partitions that stay are not touched."""
    store = open_store()
    store.replace(_DAYS, ["a"], _rows(("a", 1)))
    assert store.schema_version(_DAYS) == 1
    rows = pa.table({"date_partition": ["b"], "n": pa.array([2], pa.int64()), "m": pa.array([3], pa.int64())})
    store.replace(_GROWN, ["b"], rows.to_reader())
    assert (store.schema_version(_GROWN), _read(store)) == (2, [1, 2])


def of_writers_of_one_partition_at_once_the_rows_of_one_are_there(open_store: OpenStore) -> None:
    """Also where the table is made by it: those that lose are told, and their rows are not half there."""
    for _is_made in (False, True):
        start = threading.Barrier(_WRITERS)
        won: list[int] = []

        def write(n: int, start: threading.Barrier = start, won: list[int] = won) -> None:
            store = open_store()
            start.wait()
            try:
                store.replace(_DAYS, ["a"], _rows(("a", n), ("a", n + 100)))
                won.append(n)
            except LedgerError as error:
                if error.code not in (Code.FENCED, Code.COMMIT_CONFLICT):
                    raise

        threads = [threading.Thread(target=write, args=(n,)) for n in range(_WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert _read(open_store()) in [[n, n + 100] for n in won]


def _rows(*rows: tuple[str, int]) -> pa.RecordBatchReader:
    schema = pa.schema([("date_partition", pa.string()), ("n", pa.int64())])
    return pa.Table.from_pylist([{"date_partition": day, "n": n} for day, n in rows], schema=schema).to_reader()


def _read(store: TableStore, partitions: list[str] | None = None) -> list[int]:
    files = store.files(_DAYS, partitions)
    return sorted(n for path in files for n in pq.read_table(path, partitioning=None)["n"].to_pylist())


def _is_fenced(write: Callable[[], int]) -> None:
    try:
        write()
    except LedgerError as error:
        if error.code == Code.FENCED:
            return
        raise
    raise AssertionError("an older holder of the fence has written")


TABLE_STORE_CHECKS = (
    what_was_never_written_is_empty,
    a_partition_is_replaced_and_the_others_stay,
    a_table_without_partitions_is_replaced_whole,
    files_that_were_named_can_be_read_after_they_were_replaced,
    an_older_holder_of_the_fence_writes_nothing,
    the_version_of_the_contract_is_told_and_grows,
    of_writers_of_one_partition_at_once_the_rows_of_one_are_there,
)
"""All checks; each wants a store of its own that is empty."""
