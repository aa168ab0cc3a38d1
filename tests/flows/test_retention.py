import os

import msgspec
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endcap.core.clock import fixed_clock
from endcap.core.contract import Column, Kind, Table
from endcap.core.tables import EVENTS
from endcap.flows.retention import kept_versions, named_versions, vacuum, vacuum_when_due
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.runs import FolderOfRuns

pytestmark = pytest.mark.slow

DAYS = Table(
    "days", "a count", (Column("date_partition", Kind.STRING, "day"), Column("n", Kind.INT64, "count")), ("n",)
)
DAY_US = 86_400_000_000
LATER = fixed_clock("2100-01-01")


def write(store, day, n):
    rows = pa.table({"date_partition": [day], "n": pa.array([n], pa.int64())})
    return store.replace(DAYS, [day], rows.to_reader())


def read(root, version):
    return DeltaTable(str(root / "days"), version=version).to_pyarrow_table().sort_by("date_partition").to_pydict()


def age(root, days=40):
    """Have all that lies in a lake be written, and taken out of its table, some days ago."""
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (path.stat().st_mtime - days * 86_400,) * 2)
    for log in root.rglob("_delta_log/*.json"):
        entries = [msgspec.json.decode(line) for line in log.read_bytes().splitlines()]
        for entry in entries:
            if "remove" in entry:
                entry["remove"]["deletionTimestamp"] -= days * 86_400_000
            if "commitInfo" in entry:
                entry["commitInfo"]["timestamp"] -= days * 86_400_000
        log.write_bytes(b"\n".join(map(msgspec.json.encode, entries)))


@given(
    writes=st.lists(st.sampled_from("abc"), min_size=1, max_size=9),
    named=st.sets(st.integers(0, 12)),
    num_orphans=st.integers(0, 2),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_kept_version_reads_as_before_a_vacuum_and_exactly_the_other_files_go(
    tmp_path_factory, writes, named, num_orphans
):
    root = tmp_path_factory.mktemp("lake")
    store = DeltaTables(root)
    versions = [write(store, day, number) for number, day in enumerate(writes)]
    for number in range(num_orphans):
        (root / "days" / f"dead-{number}.parquet").write_bytes(b"half")
    age(root)
    (root / "days" / "young.parquet").write_bytes(b"of a commit that is still to come")
    made_at_us = store.versions(DAYS)
    keep = kept_versions(made_at_us, named, since_us=max(made_at_us.values()) + 1)
    assert keep == {versions[-1]} | (named & set(versions))
    before = {version: read(root, version) for version in keep}
    files = {name for version in keep for name in DeltaTable(str(root / "days"), version=version).file_uris()}
    planned = store.vacuum(DAYS, keep=keep, dry_run=True)
    assert store.vacuum(DAYS, keep=keep, dry_run=False) == planned
    assert {version: read(root, version) for version in keep} == before
    there = {str(path) for path in (root / "days").rglob("*.parquet") if "_delta_log" not in path.parts}
    assert there == files | {str(root / "days" / "young.parquet")}
    assert store.vacuum(DAYS, keep=keep, dry_run=False) == []
    assert store.schema_version(DAYS) == DAYS.version
    write(store, "a", 99)  # a table that was vacuumed is written as before
    assert 99 in read(root, None)["n"]


def test_what_was_taken_out_within_a_day_stays_for_those_who_read_it(tmp_path):
    store = DeltaTables(tmp_path)
    for n in range(3):
        write(store, "a", n)
    assert store.vacuum(DAYS, keep=[], dry_run=False) == []


def test_a_version_survives_the_checkpoints_of_its_log(tmp_path):
    store = DeltaTables(tmp_path)
    first = write(store, "a", 0)
    for n in range(1, 102):
        write(store, "a", n)
    assert list((tmp_path / "days" / "_delta_log").glob("*.checkpoint.parquet"))
    age(tmp_path, days=60)
    write(store, "a", 102)
    DeltaTable(str(tmp_path / "days")).create_checkpoint()
    assert store.vacuum(DAYS, keep=[first], dry_run=False)
    assert read(tmp_path, first)["n"] == [0]


def test_versions_that_were_the_latest_within_the_days_kept_stay_and_older_ones_go():
    made = {0: 1 * DAY_US, 1: 2 * DAY_US, 2: 5 * DAY_US, 3: 6 * DAY_US}
    assert kept_versions(made, set(), since_us=4 * DAY_US) == {1, 2, 3}  # 1 was the latest on day 4
    assert kept_versions(made, {0, 77}, since_us=9 * DAY_US) == {0, 3}


def test_a_vacuum_of_a_shop_keeps_what_manifests_name_until_it_is_erased(own_shop, flow_of):
    names = named_versions(flow_of(own_shop))
    version = max(names["events"])
    flow = flow_of(own_shop, clock=LATER)
    day = flow.tables.partitions(EVENTS)[0]
    flow.tables.replace(EVENTS, [day], flow.engine.stream(flow.read(EVENTS, [day])))
    old = DeltaTable(str(own_shop / "lake" / "events"), version=version)
    rows = old.to_pyarrow_table().num_rows
    age(own_shop / "lake")
    assert all(each.files_removed == 0 for each in vacuum(flow))
    assert DeltaTable(str(own_shop / "lake" / "events"), version=version).to_pyarrow_table().num_rows == rows
    for path in [*(own_shop / "runs").glob("*.json"), *(own_shop / "bundles").glob("*/manifest.json")]:
        told = msgspec.json.decode(path.read_bytes())
        path.write_bytes(msgspec.json.encode(told | {"erasure": "erased(3)"}))
    flow.ledger.wrote("events", {name: type(part)(part.digest, part.rows, flow.tables.version(EVENTS))
                                 for name, part in flow.ledger.parts("events").items()})  # fmt: skip
    assert {each.table: each.files_removed for each in vacuum(flow)}["events"] == 1
    assert flow.engine.to_arrow(flow.read(EVENTS)).num_rows == rows


def test_nothing_goes_where_a_manifest_cannot_be_read(own_shop, flow_of):
    (own_shop / "runs" / "torn.json").write_bytes(b'{"run_id": ')
    assert vacuum(flow_of(own_shop, clock=LATER)) is None


def test_an_attempt_that_died_while_it_wrote_names_no_version(own_shop, flow_of):
    flow = flow_of(own_shop)
    before = named_versions(flow)
    path = next((own_shop / "runs").glob("*.json"))
    told = msgspec.json.decode(path.read_bytes())
    dead = told["attempts"][0] | {"outcome": "failed", "outputs": {"events": {"partitions": ["2026-01-01"]}}}
    path.with_name("dead.json").write_bytes(msgspec.json.encode(told | {"attempts": [dead]}))
    assert named_versions(flow) == before


def test_what_the_manifest_of_another_machine_names_stays_and_one_of_it_that_is_torn_stops_the_vacuum(
    own_shop, flow_of
):
    """Two machines, each with a folder of its own, share a lake."""
    flow = flow_of(own_shop, clock=LATER)
    version = max(named_versions(flow)["events"])
    day = flow.tables.partitions(EVENTS)[0]
    latest = flow.tables.replace(EVENTS, [day], flow.engine.stream(flow.read(EVENTS, [day])))
    flow.ledger.wrote("events", {name: type(part)(part.digest, part.rows, latest)
                                 for name, part in flow.ledger.parts("events").items()})  # fmt: skip
    (mine,) = (own_shop / "runs").glob("*.json")
    theirs = own_shop.parent / "theirs"
    flow.shared_runs = FolderOfRuns(theirs)
    flow.shared_runs.put(mine.stem, mine.read_bytes())
    mine.unlink()
    for bundle in (own_shop / "bundles").glob("*/manifest.json"):
        bundle.unlink()
    age(own_shop / "lake")
    assert version in named_versions(flow)["events"]
    assert {each.table: each.files_removed for each in vacuum(flow)}["events"] == 0
    (theirs / "torn.json").write_bytes(b"{")
    assert vacuum(flow) is None
    (theirs / "torn.json").unlink()
    (theirs / mine.name).unlink()
    assert {each.table: each.files_removed for each in vacuum(flow)}["events"] == 1


def test_a_refresh_vacuums_once_a_week(own_shop, flow_of):
    (own_shop / ".vacuumed").unlink(missing_ok=True)
    at = {name: flow_of(own_shop, clock=fixed_clock(f"2030-01-{name}")) for name in ("01", "05", "09", "10")}
    assert [vacuum_when_due(at[day]) is not None for day in ("01", "05", "09", "10")] == [False, False, True, False]
