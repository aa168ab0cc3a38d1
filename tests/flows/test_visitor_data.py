"""A day is replayed event by event through what a server holds, and compared with what the engine reads."""

import ibis
import numpy as np
import pyarrow as pa
import pytest

from endcap.core.clock import DAY_US, day_of, day_start_us
from endcap.core.landed import LandedEvent, LandedItem
from endcap.core.tables import EVENTS
from endcap.engines.adapters.duckdb import DuckDBEngine
from endcap.engines.port import arrow_schema
from endcap.features.instants import instant_features
from endcap.features.online import features_at
from endcap.features.visitor_rows import PastRows
from endcap.flows.people import read_people
from endcap.flows.shop import find_shop
from endcap.flows.visitor_data import events_to_pack, needed_days, packed_by_user
from endcap.serving.state import VisitorState
from endcap.serving.visitor_features import features_of
from endcap.stores.adapters.lmdb import LmdbKeyValues

GAP = 1_800_000_000
FIRST = day_start_us("2026-03-01")
LAST = FIRST + 8 * DAY_US
NAMES = ["view_item", "view_item", "add_to_cart", "purchase", "view_item_list", "search"]


@pytest.fixture
def engine(tmp_path):
    made = DuckDBEngine(memory_limit="1GB", threads=1, spill=tmp_path / "spill")
    yield made
    made.close()


@pytest.fixture
def kv(tmp_path):
    opened = LmdbKeyValues(tmp_path / "kv", size_mb=8)
    yield opened
    opened.close()


def drawn(count):
    rng = np.random.default_rng(11)
    for number in range(count):
        # The day that is replayed has as many events as all days before it.
        at_us = int(LAST + rng.integers(0, DAY_US) if number % 2 else rng.integers(FIRST, LAST))
        name = str(rng.choice(NAMES))
        items = [] if name == "search" else list(rng.choice(list("ABCD"), 1 + number % 3))
        yield LandedEvent(
            event_id=f"{rng.integers(1 << 60):032x}",
            event_name=name,
            at_us=at_us - at_us % (1 if number % 3 else GAP // 2),
            received_us=at_us,
            user_key=f"{number % 5:032x}",
            items=tuple(LandedItem(item_id=str(item), price_minor=number or None) for item in items),
        )


def rows_of(event):
    items = event.items or (LandedItem(),)
    return [
        {
            "date_partition": day_of(event.at_us), "event_id": event.event_id, "site": "main",
            "event_name": event.event_name, "at_us": event.at_us, "received_us": event.received_us,
            "user_key": event.user_key, "item_id": item.item_id, "price_minor": item.price_minor,
            "item_ordinal": place if item.item_id else 0,
        }
        for place, item in enumerate(items, 1)
    ]  # fmt: skip


def test_a_day_replayed_through_the_server_s_state_gives_what_the_tables_tell(engine, kv):
    events = sorted(drawn(300), key=lambda event: event.at_us)
    table = engine.read_arrow(
        pa.Table.from_pylist([row for each in events for row in rows_of(each)], arrow_schema(EVENTS))
    )
    # The bundle was made in the middle of the day: it knows a part of what the live state knows.
    known = table.filter(table.at_us < LAST + DAY_US // 3)
    past = PastRows.of_users(
        *packed_by_user(engine.to_arrow(events_to_pack(known))), most=2000, since_us=FIRST - 40 * DAY_US, gap_us=GAP
    )
    state = VisitorState(kv, events=("view_item",), length=50, num_rows=2000)
    asked, served = [], []
    for event in (each for each in events if each.at_us >= LAST):
        questions = [(event.user_key, event.at_us), (event.user_key, event.at_us - 1), ("f" * 32, event.at_us)]
        for key, at_us in questions:
            asked.append({"n": len(asked), "user_key": key, "at_us": at_us})
            served.append(features_of([key], at_us, past=past, state=state))
        state.record([event])
    told = instant_features(engine, table, engine.read_arrow(pa.Table.from_pylist(asked)), gap_us=GAP).sort_by("n")
    assert [dict(each.values) for each in served] == told.drop_columns(["n", "user_key", "at_us"]).to_pylist()
    assert not any(each.approximate for each in served)
    assert len(served) > 400


def test_a_bundle_knows_of_each_user_what_the_tables_tell(tiny_shop, flow_of):
    flow, shop = flow_of(tiny_shop), find_shop(tiny_shop)
    past = PastRows.open(shop.bundles / shop.bundle_in_force() / "visitors")
    events = read_people(flow, flow.days(EVENTS))
    users = flow.engine.materialise(events.select("user_key").distinct())
    at_us = day_start_us("2026-01-04")  # the shop has three days
    asked = users.mutate(at_us=ibis.literal(at_us, "int64"))
    told = instant_features(flow.engine, events, asked, gap_us=past.gap_us).to_pylist()
    found = [features_at(past.of(each["user_key"]), at_us, gap_us=past.gap_us) for each in told]
    assert [
        {"user_key": row["user_key"], "at_us": at_us, **each.values} for row, each in zip(told, found, strict=True)
    ] == told
    assert len(past) == len(told) > 20
    assert not any(each.approximate for each in found)


def test_the_days_that_are_needed_reach_as_far_back_as_any_feature():
    days = needed_days("2026-03-31")
    assert (days[0], days[-1], len(days)) == ("2026-02-26", "2026-03-31", 34)


def test_a_shop_without_events_packs_nothing(engine):
    keys, starts, rows = packed_by_user(engine.to_arrow(events_to_pack(engine.read_snapshot([], EVENTS))))
    assert (keys, starts.tolist(), len(rows)) == ([], [0], 0)
