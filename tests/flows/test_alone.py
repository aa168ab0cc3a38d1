import threading

import pyarrow as pa

from endcap.core.contract import Column, Kind, Table
from endcap.flows.alone import alone
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.tables import Fence

DAYS = Table(
    "days", "a count", (Column("date_partition", Kind.STRING, "day"), Column("n", Kind.INT64, "count")), ("n",)
)


def test_nobody_comes_in_before_the_other_has_left(tmp_path):
    order = []

    def other():
        with alone(tmp_path, "events"):
            order.append("other")

    waits = threading.Thread(target=other)
    with alone(tmp_path, "events"):
        waits.start()
        order.append("first")
    waits.join()
    assert order == ["first", "other"]


def test_days_that_are_committed_at_once_under_one_fence_are_all_kept(tmp_path):
    store = DeltaTables(tmp_path / "lake")
    days = [f"2026-01-0{day}" for day in range(1, 7)]

    def put(day):
        rows = pa.table({"date_partition": [day], "n": [1]})
        with alone(tmp_path, "days"):
            store.replace(DAYS, [day], rows.to_reader(), fence=Fence("step", 5))

    threads = [threading.Thread(target=put, args=(day,)) for day in days]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.partitions(DAYS) == days
