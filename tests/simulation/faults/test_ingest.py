"""What the product makes of a faulty drop: the events of the clean log, but for what the record says was lost."""

import shutil
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.clock import fixed_clock
from endcap.core.errors import Code, SourceError
from endcap.core.tables import EVENTS, QUARANTINE
from endcap.flows.refresh import refresh
from endcap.flows.shop import find_shop, make_key
from endcap.flows.wiring.batch import open_flow
from endcap.simulation.faults.schema_change import RENAMED
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate

MORNING = fixed_clock("2026-01-05T06:00:00")
SETTINGS = """
[shop]
project = "tiny"
[events]
source = "export"
default_currency = "USD"
max_bad_share = 0.5
folds = [{ event_name = "quickview", into = "view_item", within_s = 2.0 }]
[events.reader]
kind = "ga4"
columns = { user_pseudo_id = "pseudo_user_id" }
"""
LOSES_NOTHING = {
    "duplicates": 0.1,
    "late": 0.1,
    "out_of_order": True,
    "schema_change": "2026-01-03",
    "malformed": 0.1,
}


@pytest.fixture(scope="module")
def shop_log(tmp_path_factory):
    """The clean log of four days of a small shop."""
    out = tmp_path_factory.mktemp("simulated") / "shop"
    simulate(make_world("small", days=4, visitors=300, items=40), out, Popular())
    return next(out.rglob("events_*.parquet")).parent


@pytest.fixture(scope="module")
def take_in(tmp_path_factory):
    """Ingest a folder into a shop of its own; returns its events, and why rows are in quarantine."""
    key = tmp_path_factory.mktemp("key") / "user.key"
    make_key(key)

    def take_in(folder, settings=SETTINGS):
        root = tmp_path_factory.mktemp("shop") / "tiny"
        shutil.copytree(folder, root / "export")
        (root / "endcap.toml").write_text(settings)
        (root / "keys").mkdir()
        shutil.copy(key, root / "keys")
        refresh(root, verbs=("ingest",), clock=MORNING)
        with open_flow(find_shop(root), through="", progress=lambda _report: None, clock=MORNING) as flow:
            events = flow.engine.to_arrow(flow.read(EVENTS, None).order_by([EVENTS.partition, *EVENTS.key]))
            reasons = flow.engine.to_arrow(flow.read(QUARANTINE, None).select("reason"))
            return events.to_pylist(), set(reasons["reason"].to_pylist())

    return take_in


@pytest.fixture(scope="module")
def clean_events(shop_log, take_in):
    return take_in(shop_log)[0]


@pytest.fixture
def edited(tmp_path, shop_log):
    """Write the clean log with the rows that `edit` returns of each; a row for which it returns None is left out."""

    def edited(edit):
        for path in shop_log.glob("events_*.parquet"):
            schema = pq.read_schema(path)
            kept = [edit(path.name, *each) for each in enumerate(pq.read_table(path).to_pylist())]
            pq.write_table(pa.Table.from_pylist([row for row in kept if row], schema=schema), tmp_path / path.name)
        return tmp_path

    return edited


def changes_of(made, rows):
    return {(name, told["row"]): told for name, each in rows(made.record / "changes").items() for told in each}


def without(events, *names):
    return Counter(tuple(value for name, value in row.items() if name not in names) for row in events)


@pytest.mark.parametrize("fault", ["duplicates", "late", "out_of_order", "schema_change"])
def test_a_fault_that_loses_nothing_changes_nothing(broken, shop_log, take_in, clean_events, fault):
    made = broken(clean=shop_log, **{fault: LOSES_NOTHING[fault]})
    assert made.counts[fault] > 0
    assert take_in(made.faulty)[0] == clean_events


def test_garbage_goes_to_quarantine(broken, shop_log, take_in, clean_events):
    events, reasons = take_in(broken(clean=shop_log, malformed=0.2).faulty)
    assert events == clean_events
    assert reasons >= {
        "item_missing",
        "event_name_unknown",
        "event_name_missing",
        "at_missing",
        "at_out_of_range",
        "quantity_out_of_range",
        "price_negative",
    }


def test_all_that_lose_nothing_together_change_nothing(broken, shop_log, take_in, clean_events):
    events, reasons = take_in(broken(clean=shop_log, **LOSES_NOTHING).faulty)
    assert events == clean_events
    assert "price_not_a_number" in reasons


def test_the_new_schema_without_a_mapping_is_refused_with_the_near_name(broken, shop_log, take_in):
    made = broken(clean=shop_log, schema_change="2026-01-03")
    [old], [new] = RENAMED.keys(), RENAMED.values()
    with pytest.raises(SourceError, match=f"no column '{old}'; did you mean .*'{new}'") as caught:
        take_in(made.faulty, SETTINGS.replace("columns =", "# columns ="))
    assert caught.value.code == Code.SOURCE_COLUMN


def test_a_missing_day_takes_its_events_and_no_others(broken, shop_log, take_in, edited):
    made = broken(clean=shop_log, missing_day="2026-01-02")
    kept = edited(lambda name, _row, event: event if name != "events_20260102.parquet" else None)
    (kept / "events_20260102.parquet").unlink()
    assert take_in(made.faulty) == take_in(kept)


def test_events_without_a_user_are_lost_and_other_missing_fields_are_missing_values(
    broken, shop_log, take_in, edited, rows
):
    made = broken(clean=shop_log, missing_fields=0.2)
    lacks = {place: told["what"] for place, told in changes_of(made, rows).items()}
    kept = edited(lambda name, row, event: event if lacks.get((name, row)) != "user" else None)
    (events, reasons), (expected, _) = take_in(made.faulty), take_in(kept)
    optional = ("price_minor", "country", "device_category", "event_id")  # without an id of its own, it is a digest
    assert without(events, *optional) == without(expected, *optional)
    assert without(events) != without(expected)
    assert "user_missing" in reasons


def test_a_clock_moves_the_instants_of_its_events_and_one_that_is_years_off_loses_them(
    broken, shop_log, take_in, edited, rows
):
    every_kind = {"off", "1970", "2000", "future"}
    tried = (broken(clean=shop_log, clock_skew=1.0, seed=seed) for seed in range(30))
    made = next(made for made in tried if {each["what"] for each in changes_of(made, rows).values()} == every_kind)
    told = changes_of(made, rows)

    def moved(name, row, event):
        is_lost = told[name, row]["what"] in ("1970", "future")  # to ingest, the first days of 2000 are days of a shop
        return None if is_lost else event | {"event_timestamp": event["event_timestamp"] + told[name, row]["shift_us"]}

    (events, reasons), (expected, _) = take_in(made.faulty), take_in(edited(moved))
    assert events == expected
    assert reasons >= {"at_out_of_range", "at_in_future"}
