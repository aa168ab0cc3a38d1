"""On the simulated shop of three days, whose files are changed as trackers and exports change them."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from endcap.core.errors import Code, SourceError
from endcap.core.tables import EVENTS
from endcap.flows.refresh import refresh
from endcap.flows.source_schemas import refused_days, schema_rows
from endcap.simulation.faults.nested import change_field

FIRST, SECOND, THIRD = (f"2026-01-0{number}" for number in (1, 2, 3))
RENAMED = {"user_pseudo_id": "pseudo_user_id"}


def changed(root, day, change):
    """Change the table of a day's file."""
    path = root / "export" / f"events_{day.replace('-', '')}.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def cast(table, path, kind):
    return change_field(table, path, lambda values, _row: values.cast(kind))


def text_dates(table):
    at = table.schema.get_field_index("event_timestamp")
    instants = table["event_timestamp"].cast(pa.timestamp("us")).cast(pa.string())
    return table.set_column(at, "event_timestamp", instants)


def text_items(table):
    at = table.schema.get_field_index("items")
    return table.set_column(at, "items", pa.array([str(items) for items in table["items"].to_pylist()]))


@pytest.fixture
def own(tmp_path, fresh_shop):
    return shutil.copytree(fresh_shop, tmp_path / "tiny")


@pytest.fixture
def take_in(morning):
    def take_in(root, **options):
        return refresh(root, verbs=("ingest",), clock=morning, **options)

    return take_in


@pytest.fixture
def as_exported(tiny_shop, rows_of):
    """The events of the export as it is; keys and ids are those of the same shop."""
    return lambda days=None: rows_of(tiny_shop, EVENTS, days)


def mapped(root, columns=RENAMED):
    told = ", ".join(f'{name} = "{after}"' for name, after in columns.items())
    text = (root / "endcap.toml").read_text()
    assert "# columns = {}" in text
    (root / "endcap.toml").write_text(text.replace("# columns = {}", f"columns = {{ {told} }}"))


def test_what_is_added_renamed_by_mapping_wider_or_of_another_type_comes_to_the_same_events(
    own, take_in, rows_of, as_exported, flow_of
):
    mapped(own)
    changed(own, FIRST, lambda table: cast(table, ("items", "quantity"), pa.int32()))
    changed(own, SECOND, lambda table: table.append_column("batch_page_id", pa.array(range(len(table)))))
    changed(
        own,
        THIRD,
        lambda table: (
            cast(cast(table, ("event_timestamp",), pa.string()), ("items", "price"), pa.string())
            .rename_columns(RENAMED)
            .append_column("batch_page_id", pa.nulls(len(table), pa.int64()))
        ),
    )
    [report] = [each for each in take_in(own).steps if each.step == "ingest"]
    assert rows_of(own, EVENTS) == as_exported()
    assert report.note == (
        "schema version 2 since events_20260102.parquet: batch_page_id added (int64), items[].quantity widened from "
        "int32 to int64; schema version 3 since events_20260103.parquet: event_timestamp changed from int64 to string, "
        "items[].price changed from double to string, user_pseudo_id renamed pseudo_user_id"
    )
    flow = flow_of(own)
    told = [(row["version"], row["first_file"][7:15], row["before"], row["num_files"], row["num_refused"])
            for row in schema_rows(flow.ledger, flow.shop.config.events)]  # fmt: skip
    assert told == [(1, "20260101", 0, 1, 0), (2, "20260102", 1, 1, 0), (3, "20260103", 2, 1, 0)]


BREAKS = {
    "user_pseudo_id": (lambda table: table.rename_columns(RENAMED), "is gone, it was string"),
    "items": (text_items, "is string, it was list<struct>"),
    "event_timestamp": (text_dates, "is string, it was int64"),
}


@pytest.mark.parametrize("column", BREAKS)
def test_a_schema_that_broke_stops_its_day_alone_with_a_report(column, own, take_in, rows_of, as_exported):
    change, what = BREAKS[column]
    changed(own, SECOND, change)
    with pytest.raises(
        SourceError, match=f"1 file .* events_20260102.parquet first: column '{column}' {what}"
    ) as caught:
        take_in(own)
    assert caught.value.code is Code.SOURCE_COLUMN
    assert "2026-01-02 waits for it, all other days are done" in caught.value.what
    assert rows_of(own, EVENTS) == as_exported([FIRST, THIRD])


def test_a_refused_day_is_told_at_every_refresh_that_asks_for_it_and_made_when_the_mapping_is_there(
    own, take_in, rows_of, as_exported, flow_of
):
    changed(own, SECOND, BREAKS["user_pseudo_id"][0])
    with pytest.raises(SourceError, match="2026-01-02 waits"):
        take_in(own)
    before = flow_of(own).ledger.parts("events")
    with pytest.raises(SourceError, match="2026-01-02 waits"):
        take_in(own)
    take_in(own, through=FIRST)  # the day is not asked for
    assert flow_of(own).ledger.parts("events") == before
    mapped(own)
    take_in(own)
    assert rows_of(own, EVENTS) == as_exported()


def test_a_day_in_force_whose_file_came_again_broken_stays_as_it_was(own_shop, take_in, flow_of, versions, simulated):
    written, parts = versions(own_shop), flow_of(own_shop).ledger.parts("events")
    changed(own_shop, THIRD, text_items)
    shutil.copy(simulated / "events_20260104.parquet", own_shop / "export")
    with pytest.raises(SourceError, match="2026-01-03 waits"):
        take_in(own_shop, again=("ingest",))
    held = flow_of(own_shop).ledger.parts("events")
    assert {day: part for day, part in held.items() if day in parts} == parts
    assert "2026-01-04" in held
    assert versions(own_shop)["events"] == written["events"] + 1
    told = [(each.version, each.file) for each in flow_of(own_shop).ledger.sources.schemas()]
    assert told == [(1, "events_20260101.parquet"), (2, "events_20260103.parquet")]  # that of the fourth was there


def test_a_source_of_which_no_file_can_be_read_is_refused_whole(own, take_in, flow_of):
    for day in (FIRST, SECOND, THIRD):
        changed(own, day, BREAKS["user_pseudo_id"][0])
    with pytest.raises(SourceError, match=r"3 files .*'user_pseudo_id' is not there; did you mean .*'pseudo_user_id'"):
        take_in(own)
    assert flow_of(own).ledger.parts("events") == {}


def test_a_refresh_does_all_else_and_the_health_report_tells_of_the_day(own, morning, flow_of):
    changed(own, THIRD, text_items)
    with pytest.raises(SourceError, match="2026-01-03 waits"):
        refresh(own, clock=morning)
    assert refresh(own, verbs=("train",), clock=morning).steps  # has not looked at the source
    flow = flow_of(own)
    ledger = flow.ledger
    assert refused_days(flow, "") == {THIRD: ["events_20260103.parquet"]}
    assert ledger.outputs("bundle")[""]["bundle_id"].startswith(SECOND)
    told = (own / "reports" / "health.txt").read_text()
    assert "1 file of the source cannot be read, events_20260103.parquet first: 2026-01-03 goes on without" in told


def test_a_lake_of_an_older_contract_is_read_and_grows_under_the_newer_one(
    own_shop, rows_of, flow_of, simulated, morning
):
    """Events as if an older version had written them: without the country, with pieces of 32 bits."""
    place, before = own_shop / "lake" / "events", rows_of(own_shop, EVENTS)
    stored = DeltaTable(place).to_pyarrow_table().drop_columns(["country"])
    stored = stored.set_column(
        stored.schema.get_field_index("quantity"), "quantity", stored["quantity"].cast(pa.int32())
    )
    write_deltalake(place, stored, mode="overwrite", schema_mode="overwrite", partition_by=["date_partition"])
    assert rows_of(own_shop, EVENTS) == [row | {"country": None} for row in before]
    shutil.copy(simulated / "events_20260104.parquet", own_shop / "export")
    refresh(own_shop, verbs=("ingest", "sessionize"), clock=morning)
    fourth = [row for row in rows_of(own_shop, EVENTS) if row["date_partition"] == "2026-01-04"]
    assert any(row["country"] for row in fourth)
    assert flow_of(own_shop).tables.schema_version(EVENTS) == EVENTS.version
    told = flow_of(own_shop).ledger.attempts(limit=10)
    assert next(each for each in told if each["step"] == "ingest")["outputs"]["events"]["schema"] == EVENTS.version
