import csv
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.clock import day_start_us
from endcap.events.files import days_fed, files_for, read_files, scan_files
from endcap.events.ingest import ingest
from endcap.flows.config import load_config
from endcap.flows.init import init_shop
from endcap.flows.wiring.batch import open_engine
from endcap.simulation.flat import write_csv

AT_US = 1_785_578_400_000_000  # 2026-08-01T10:00:00Z
KEY = bytes(range(32))

LIST = {
    "event_timestamp": AT_US + 1,
    "event_name": "view_item_list",
    "event_params": [
        {"key": "ga_session_id", "value": {"int_value": 7}},
        {"key": "event_id", "value": {"string_value": "e1"}},
    ],
    "user_pseudo_id": "c1",
    "device": {"category": "mobile"},
    "geo": {"country": "Peru"},
    "ecommerce": {},
    "items": [
        {
            "item_id": "mug",
            "item_name": 'Mug, "big"',
            "price": 9.5,
            "item_list_name": "Category",
            "item_list_index": "1",
        },
        {"item_id": "pen", "item_name": "Pen\nred", "item_list_name": "Category", "item_list_index": "2"},
    ],
}
SEARCH = {
    "event_timestamp": AT_US + 60_000_000,
    "event_name": "search",
    "event_params": [
        {"key": "event_id", "value": {"string_value": "e2"}},
        {"key": "search_term", "value": {"string_value": "blue mug"}},
    ],
    "user_pseudo_id": "c1",
    "ecommerce": {},
    "items": [],
}
ORDER = {
    "event_timestamp": AT_US + 120_000_000,
    "event_name": "purchase",
    "event_params": [{"key": "event_id", "value": {"string_value": "e3"}}],
    "user_id": "ann",
    "user_pseudo_id": "c2",
    "ecommerce": {"transaction_id": "T1", "purchase_revenue": 24.95, "total_item_quantity": 2.0},
    "items": [{"item_id": "mug", "item_name": "Mug", "item_variant": "mug-2", "price": 10.0, "quantity": 2}],
}

EXPECTED = """\
"event_time","event_name","event_id","user_id","device_id","session_id","item_id","item_name","item_variant","price",\
"quantity","currency","value","order_id","item_list_name","place","search_term","recommendation_id","country",\
"device_category"
"2026-08-01T10:00:00.000001Z","view_item_list","e1",,"c1","7","mug","Mug, ""big""\",,9.5,,"USD",,,"Category","1",,,\
"Peru","mobile"
"2026-08-01T10:00:00.000001Z","view_item_list","e1",,"c1","7","pen","Pen
red",,,,"USD",,,"Category","2",,,"Peru","mobile"
"2026-08-01T10:01:00.000000Z","search","e2",,"c1",,,,,,,"USD",,,,,"blue mug",,,
"2026-08-01T10:02:00.000000Z","purchase","e3","ann","c2",,"mug","Mug","mug-2",10,2,"USD","24.95","T1",,,,,,
"""


@pytest.fixture(scope="module")
def drops(shop, tmp_path_factory):
    """The same simulated days as the GA4 export and as CSV, each in a folder with the feed."""
    exported = sorted(shop.out.rglob("events_*.parquet"))
    feed = next(shop.out.rglob("catalog.tsv"))
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in ("ga4", "csv")}
    for path in exported:
        shutil.copy2(path, folders["ga4"])
        write_csv(folders["csv"] / f"{path.stem}.csv", pq.read_table(path))
    for folder in folders.values():
        shutil.copy2(feed, folder)
    return folders


@pytest.fixture(scope="module")
def nested(drops):
    """Make a table as exported of events written as mappings."""
    schema = pq.read_schema(min(drops["ga4"].glob("*.parquet")))
    return lambda *events: pa.Table.from_pylist(list(events), schema=schema)


@pytest.fixture
def written(nested, tmp_path):
    """Write events and read the rows back, by Python's reader."""

    def written(*events):
        write_csv(tmp_path / "events_20260801.csv", nested(*events))
        with (tmp_path / "events_20260801.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    return written


def test_a_row_is_an_event_x_item_and_an_event_without_items_is_one_row(nested, tmp_path):
    write_csv(tmp_path / "events_20260801.csv", nested(LIST, SEARCH, ORDER))
    assert (tmp_path / "events_20260801.csv").read_text() == EXPECTED
    assert [path.name for path in tmp_path.iterdir()] == ["events_20260801.csv"]


def test_a_day_without_events_is_a_header(nested, tmp_path):
    write_csv(tmp_path / "events_20260801.csv", nested())
    assert (tmp_path / "events_20260801.csv").read_text() == "".join(EXPECTED.splitlines(keepends=True)[0])


def test_an_event_without_an_id_gets_one_made_of_what_it_says(written):
    bare = {**LIST, "event_params": []}
    later = {**bare, "event_timestamp": AT_US + 2}
    fewer = {**bare, "items": bare["items"][:1]}
    ids = [row["event_id"] for row in written(bare, later, fewer, bare)]
    assert ids[:2] == ids[5:]  # a copy of an event has its id
    assert len(set(ids)) == 3
    assert ids == [row["event_id"] for row in written(bare, later, fewer, bare)]


def test_items_do_not_run_into_each_other_in_an_id(written):
    one = {**ORDER, "event_params": [], "items": [{"item_id": "a"}, {"item_id": "b"}]}
    other = {**ORDER, "event_params": [], "items": [{"item_id": "a", "item_name": "b"}, {}]}
    assert len({row["event_id"] for row in written(one, other)}) == 2


def test_a_slice_of_a_table_is_written_as_the_table_of_its_rows(nested, tmp_path):
    write_csv(tmp_path / "slice.csv", nested(LIST, SEARCH, ORDER, LIST).slice(2, 2))
    write_csv(tmp_path / "whole.csv", nested(ORDER, LIST))
    assert (tmp_path / "slice.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_every_simulated_event_arrives_under_an_id_of_its_own(drops):
    for path in drops["ga4"].glob("*.parquet"):
        table = pq.read_table(path)
        with (drops["csv"] / f"{path.stem}.csv").open(newline="") as file:
            ids = list(dict.fromkeys(row["event_id"] for row in csv.DictReader(file)))
        assert len(ids) == len(table) > 100


def test_what_is_ingested_of_the_csv_is_what_is_ingested_of_the_ga4_export(drops, tmp_path):
    found = {kind: ingested(tmp_path / kind, folder) for kind, folder in drops.items()}
    assert found["csv"].num_rows > 1_000
    assert found["csv"].equals(found["ga4"])


def ingested(root, export):
    """Take an export in with the settings that `init` finds by itself; the events but for their ids, ordered."""
    config = load_config(init_shop(root, source=export).config, {}).events
    now_us = day_start_us("2030-01-01")
    with open_engine(root / "scratch") as engine:
        fed = days_fed(scan_files(lambda: engine, config, export), config, now_us=now_us)
        reading = read_files(engine, config, files_for(fed, list(fed)), now_us=now_us)
        taken = ingest(engine, reading, config, key=KEY, now_us=now_us, days=list(fed))
        assert engine.to_arrow(taken.quarantine).num_rows == 0
        events = engine.to_arrow(taken.events).drop_columns(["event_id"])
    return events.sort_by([(name, "ascending") for name in events.column_names])
