import shutil
import threading
from contextlib import ExitStack

import pyarrow as pa
import pyarrow.parquet
import pytest
from deltalake import DeltaTable, write_deltalake

from endcap.core.errors import LedgerError
from endcap.core.tables import EVENTS, QUARANTINE, TABLES
from endcap.flows.compact import _hold_all, _rearrange, clean_dead_attempts, compact_table, compact_where_needed
from endcap.flows.lease import held
from endcap.flows.refresh import refresh
from endcap.stores.tables import Fence
from endcap.testing.content import shop_content

pytestmark = pytest.mark.slow


def split(root, table, times):
    """Write the rows of a table's first day again as many small files, as a writer does that appends."""
    place = str(root / "lake" / table.name)
    before = DeltaTable(place)
    day = before.file_uris()[0].split("date_partition=")[1][:10]
    rows = before.to_pyarrow_table(filters=[("date_partition", "=", day)])
    write_deltalake(before, rows.schema.empty_table(), mode="overwrite", predicate=f"date_partition = '{day}'")
    for at in range(times):
        part = rows.take(pa.array(range(at, rows.num_rows, times)))
        if part.num_rows:
            write_deltalake(place, part, mode="append")
    return day


def test_small_files_become_one_sorted_by_person_and_what_the_shop_holds_stays(own_shop, flow_of, morning):
    content = shop_content(own_shop)
    day = split(own_shop, EVENTS, 12)
    flow = flow_of(own_shop)
    planned = compact_table(flow, EVENTS, dry_run=True)
    assert (planned.state, planned.partitions, planned.files_after) == ("planned", 1, planned.files_before)
    done = compact_table(flow, EVENTS)
    assert (done.state, done.partitions, done.files_before - done.files_after) == ("done", 1, 11)
    (file,) = flow.tables.files(EVENTS, [day])
    people = pa.parquet.read_table(file)["user_key"].to_pylist()
    assert people == sorted(people)
    part = flow.ledger.parts("events")[day]
    assert part.version == flow.tables.version(EVENTS)
    assert shop_content(own_shop) == content
    assert all(report.state == "unchanged" for report in refresh(own_shop, clock=morning).steps)


def test_nothing_is_done_where_files_are_few_or_large_and_a_second_time(own_shop, flow_of):
    flow = flow_of(own_shop)
    versions = {name: flow.tables.version(table) for name, table in TABLES.items()}
    assert {each.state for each in compact_where_needed(flow)} == {"unchanged"}
    assert versions == {name: flow.tables.version(table) for name, table in TABLES.items()}
    split(own_shop, EVENTS, 9)
    assert [compact_table(flow, EVENTS).state for _ in range(2)] == ["done", "unchanged"]


def test_a_table_that_another_run_writes_now_is_left_for_the_next_time(own_shop, flow_of):
    split(own_shop, EVENTS, 9)
    flow, other = flow_of(own_shop), flow_of(own_shop)
    with held(other.ledger.catalog, other.ledger.lease_name("ingest"), wait_s=0):
        assert compact_table(flow, EVENTS).state == "held"
    assert compact_table(flow, EVENTS).state == "done"


def test_a_day_that_does_not_hold_what_the_ledger_says_is_left_alone(own_shop, flow_of):
    day = split(own_shop, EVENTS, 9)
    flow = flow_of(own_shop)
    part = flow.ledger.parts("events")[day]
    for digest in ("", "other"):
        flow.ledger.wrote("events", {day: type(part)(digest, part.rows, part.version)})
        version = flow.tables.version(EVENTS)
        assert (compact_table(flow, EVENTS).state, flow.tables.version(EVENTS)) == ("unchanged", version)


def test_a_writer_of_any_step_that_slept_through_a_compaction_is_refused(own_shop, flow_of):
    flow = flow_of(own_shop)
    days = flow.tables.partitions(EVENTS)
    with ExitStack() as stack:
        fences = _hold_all(flow, EVENTS, stack, 0)
        assert _rearrange(flow, EVENTS, days[:1], fences) == 1
    late = Fence(fences[0].name, fences[0].token - 1)
    rows = flow.engine.stream(flow.read(EVENTS, days[:1]))
    with pytest.raises(LedgerError, match="taken over"):
        flow.tables.replace(EVENTS, days[:1], rows, fence=late)
    writers = ["ingest", "catalogue", "slates"]
    with ExitStack() as stack:
        assert [fence.name.rsplit("/", 1)[1] for fence in _hold_all(flow, QUARANTINE, stack, 0)] == writers


def test_a_compaction_beside_a_refresh_loses_nothing_of_either(own_shop, grown_shop, simulated, flow_of, morning):
    shutil.copy2(simulated / "events_20260104.parquet", own_shop / "export")
    for table in (EVENTS, TABLES["sessions"], TABLES["user_features"]):
        split(own_shop, table, 9)
    stop, seen = threading.Event(), []

    def compact_again():
        while not stop.is_set():
            seen.append([each.state for each in compact_where_needed(flow_of(own_shop), wait_s=5)])

    beside = threading.Thread(target=compact_again)
    beside.start()
    try:
        refresh(own_shop, clock=morning)
    finally:
        stop.set()
        beside.join()
    assert seen
    assert shop_content(own_shop) == shop_content(grown_shop)
    assert {each.state for each in compact_where_needed(flow_of(own_shop))} == {"unchanged"}


def test_what_executors_wrote_in_a_dead_attempt_goes_unless_another_run_writes_the_table(
    own_shop, flow_of, monkeypatch
):
    dead = own_shop / "lake" / "events" / "attempt-dead" / "date_partition=2026-01-01" / "part-0.parquet"
    dead.parent.mkdir(parents=True)
    dead.write_bytes(b"half a file")
    flow = flow_of(own_shop)
    assert clean_dead_attempts(flow, [EVENTS]) == []  # DuckDB has no executors: nothing is looked for
    monkeypatch.setenv("ENDCAP__ENGINE__NAME", "spark")
    flow = flow_of(own_shop)
    before = flow.tables.files(EVENTS)
    with held(flow.ledger.catalog, flow.ledger.lease_name("ingest"), wait_s=0.0):
        assert clean_dead_attempts(flow, [EVENTS]) == []
    assert clean_dead_attempts(flow, [EVENTS, QUARANTINE]) == [
        "events/attempt-dead/date_partition=2026-01-01/part-0.parquet"
    ]
    assert not dead.exists()
    assert flow.tables.files(EVENTS) == before
