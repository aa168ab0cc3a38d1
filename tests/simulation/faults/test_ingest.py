"""What the product makes of a faulty drop: the events of the clean log, but for what the record says was lost.

Each fault alone and all at once go through a refresh; events are compared row by row, and the rows in quarantine with
the record: file, place, item and reason.
"""

import shutil
from collections import Counter, defaultdict
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.clock import fixed_clock
from endcap.core.errors import Code, SourceError
from endcap.core.tables import EVENTS, QUARANTINE
from endcap.flows.refresh import refresh
from endcap.flows.shop import find_shop, make_key
from endcap.flows.wiring.batch import open_flow
from endcap.simulation.faults.choice import FAULTS
from endcap.simulation.faults.schema_change import RENAMED
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate

pytestmark = pytest.mark.slow

MORNING = fixed_clock("2026-01-05T06:00:00")
SETTINGS = """
[shop]
project = "tiny"
[events]
source = "export"
default_currency = "USD"
max_bad_share = 0.4
folds = [{ event_name = "quickview", into = "view_item", within_s = 2.0 }]
[events.reader]
kind = "ga4"
columns = { user_pseudo_id = "pseudo_user_id" }
"""
ALL = {
    "duplicates": 0.1,
    "late": 0.1,
    "out_of_order": True,
    "clock_skew": 0.4,
    "missing_fields": 0.2,
    "schema_change": "2026-01-03",
    "malformed": 0.1,
    "missing_day": "2026-01-02",
}
LOSES_NOTHING = ("duplicates", "late", "out_of_order", "schema_change", "malformed")
LOST = {"user": "user_missing", "1970": "at_out_of_range", "2000": "at_too_late", "future": "at_in_future"}
"""What a changed row is quarantined for; other changes leave an event that is worth having."""
GARBAGE = {
    "event_name_unknown": "event_name_unknown",
    "event_name_missing": "event_name_missing",
    "at_missing": "at_missing",
    "at_in_seconds": "at_out_of_range",
    "items_empty": "item_missing",
}
GARBAGE_ITEMS = {"quantity_negative": "quantity_out_of_range", "quantity_absurd": "quantity_out_of_range"}


@pytest.fixture(scope="module")
def shop_log(tmp_path_factory):
    """The clean log of four days of a small shop."""
    out = tmp_path_factory.mktemp("simulated") / "shop"
    simulate(make_world("small", days=4, visitors=150, items=40, bot_share=0.03), out, Popular())
    return next(out.rglob("events_*.parquet")).parent


@pytest.fixture(scope="module")
def take_in(tmp_path_factory):
    """Ingest a folder into a shop of its own; returns its events and its quarantine."""
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
            events, quarantine = (
                flow.engine.to_arrow(flow.read(table).order_by([table.partition, *table.key])).to_pylist()
                for table in (EVENTS, QUARANTINE)
            )
        return SimpleNamespace(events=events, quarantine=quarantine)

    return take_in


@pytest.fixture(scope="module")
def clean(shop_log, take_in):
    return take_in(shop_log)


@pytest.fixture(scope="module")
def told(rows):
    """Read the record of a faulty drop: what is delivered where, and what was done to which clean row."""

    def told(made):
        changes = defaultdict(list)
        for name, each in rows(made.record / "changes").items():
            for change in each:
                changes[name, change["row"]].append(change)
        delivered = {name: each for name, each in rows(made.record / "rows").items() if (made.faulty / name).is_file()}
        return SimpleNamespace(changes=changes, delivered=delivered)

    return told


@pytest.fixture(scope="module")
def left(tmp_path_factory, shop_log, rows):
    """Write of the clean log what a drop delivers and does not lose, with the values that its faults have changed."""

    def left(record):
        log, kept, folder = rows(shop_log), defaultdict(dict), tmp_path_factory.mktemp("left")
        for each in (each for rows_of_file in record.delivered.values() for each in rows_of_file):
            place = (each["_origin_file"], each["_origin_row"])
            changes = record.changes[place]
            if each["_fault"] != "malformed" and not reason_of(changes):
                kept[place[0]][place[1]] = with_changes(log[place[0]][place[1]], changes)
        for name, of_file in kept.items():
            schema = pq.read_schema(shop_log / name)
            loose = pa.schema([field.with_nullable(nullable=True) for field in schema])
            in_order = [event for _, event in sorted(of_file.items())]
            pq.write_table(pa.Table.from_pylist(in_order, schema=loose), folder / name)
        return folder

    return left


def reason_of(changes):
    """Why an event that was changed is quarantined, "" if it is not: the time is judged before the user."""
    reasons = {LOST.get(change["what"], "") for change in changes}
    return next(
        (reason for reason in (*sorted(reasons - {"user_missing", ""}), "user_missing") if reason in reasons), ""
    )


def with_changes(event, changes):
    event = dict(event)
    for change in changes:
        if change["fault"] == "clock_skew":
            event["event_timestamp"] += change["shift_us"]
        elif change["what"] == "items.price":
            event["items"] = [item | {"price": None} for item in event["items"]]
        else:
            struct, field = change["what"].split(".")
            event[struct] = event[struct] | {field: None}
    return event


def explained(record, made, rows):
    """The rows that the record says must be in quarantine: (file, row, item, reason), each as often as it is there."""
    found = Counter()
    faulty = rows(made.faulty)
    for name, of_file in record.delivered.items():
        for row, each in enumerate(of_file):
            if each["_fault"] != "malformed":
                if reason := reason_of(record.changes[each["_origin_file"], each["_origin_row"]]):
                    found[name, row, 0, reason] += 1
            elif each["_what"] in GARBAGE:
                found[name, row, 0, GARBAGE[each["_what"]]] += 1
            else:
                items = faulty[name][row]["items"]
                no_price = "price_not_a_number" if isinstance(items[0]["price"], str) else "price_negative"
                for ordinal in range(1, len(items) + 1):
                    found[name, row, ordinal, GARBAGE_ITEMS.get(each["_what"], no_price)] += 1
    return found


def in_quarantine(taken):
    return Counter(
        (row["source_file"], row["source_row"], row["item_ordinal"], row["reason"]) for row in taken.quarantine
    )


@pytest.fixture(scope="module")
def taken_in(broken, shop_log, take_in, told, rows):
    """Ingest a faulty drop and compare its quarantine with the record; returns what came of it and the record."""

    def taken_in(**faults):
        made = broken(clean=shop_log, **faults)
        assert all(made.counts[fault] > 0 for fault in faults)
        taken, record = take_in(made.faulty), told(made)
        assert in_quarantine(taken) == explained(record, made, rows)
        assert all(row["detail"] and row["row_digest"] for row in taken.quarantine)
        return taken, record

    return taken_in


def test_nothing_of_the_clean_log_is_in_quarantine_and_bots_are_in_it_as_anybody(clean, shop_log):
    visitors = pq.read_table(shop_log.parent / "truth" / "visitors")
    bots = visitors.filter(visitors["is_bot"])["cookie"].to_pylist()
    log = pa.concat_tables([pq.read_table(path) for path in shop_log.glob("events_*.parquet")])
    assert set(bots) & set(log["user_pseudo_id"].to_pylist())
    assert clean.quarantine == []


@pytest.mark.parametrize("fault", LOSES_NOTHING)
def test_a_fault_that_loses_nothing_changes_nothing(taken_in, clean, fault):
    assert taken_in(**{fault: ALL[fault]})[0].events == clean.events


@pytest.mark.parametrize("fault", [each for each in FAULTS if each not in LOSES_NOTHING])
def test_a_fault_that_loses_rows_loses_those_of_its_record(taken_in, take_in, left, fault):
    taken, record = taken_in(**{fault: ALL[fault]})
    assert taken.events == take_in(left(record)).events


def test_all_faults_at_once_lose_what_their_record_says_and_nothing_else(taken_in, take_in, left):
    taken, record = taken_in(**ALL)
    assert taken.events == take_in(left(record)).events
    reasons = {row["reason"] for row in taken.quarantine}
    assert reasons == {
        *LOST.values(),
        *GARBAGE.values(),
        *GARBAGE_ITEMS.values(),
        "price_negative",
        "price_not_a_number",
    }
    days = {row["date_partition"] for row in taken.events}  # a clock that is hours off may be on another day
    assert "2025-12-31" <= min(days) <= max(days) <= "2026-01-05"


def test_the_new_schema_without_a_mapping_stops_its_days_with_the_mapping_to_write(broken, shop_log, take_in):
    made = broken(clean=shop_log, schema_change="2026-01-03")
    [old], [new] = RENAMED.keys(), RENAMED.values()
    with pytest.raises(
        SourceError, match=f"column '{old}' is gone, it was string; 2026-01-03, 2026-01-04 wait"
    ) as caught:
        take_in(made.faulty, SETTINGS.replace("columns =", "# columns ="))
    assert caught.value.code == Code.SOURCE_COLUMN
    assert f'columns = {{ {old} = "{new}" }}' in caught.value.fix
