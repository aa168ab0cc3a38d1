"""What a running service tells of a visitor is what the tables tell later, when the same events have been ingested."""

import asyncio
import json

import numpy as np
import pyarrow as pa
import pytest

from endcap.core.clock import DAY_US, fixed_clock
from endcap.core.ids import user_key
from endcap.engines.adapters.duckdb import DuckDBEngine
from endcap.events.config import EventsConfig
from endcap.events.files import days_fed, files_for, read_files, scan_landing
from endcap.events.ingest import ingest
from endcap.features.instants import instant_features
from endcap.features.online import NOTHING_KNOWN
from endcap.features.visitor_rows import UNKNOWN, PastRows, VisitorRows
from endcap.flows.visitor_data import events_to_pack, packed_by_user
from endcap.serving.config import ServingConfig
from endcap.serving.service import Service, Setting
from endcap.serving.visitor_features import features_of

GAP = 1_800_000_000
MORNING = fixed_clock("2026-09-19T08:00:00")()


class Ticking:
    at_us = MORNING

    def __call__(self):
        return self.at_us


@pytest.fixture
def engine(tmp_path):
    made = DuckDBEngine(memory_limit="1GB", threads=1, spill=tmp_path / "spill")
    yield made
    made.close()


def ingested(engine, shop):
    """Read the landing as a refresh does."""
    config = EventsConfig(source="export", default_currency="USD")
    files = scan_landing(lambda: engine, config, shop.landing / "events")
    now_us = MORNING + 9 * DAY_US
    fed = days_fed(files, config, now_us=now_us)
    reading = read_files(engine, config, files_for(fed, list(fed)), now_us=now_us)
    made = ingest(engine, reading, config, key=shop.key, now_us=now_us, days=list(fed))
    return engine.materialise(made.events)


def event(minute, name, *items, **more):
    told = [{"item_id": item, "price": 10 + place} for place, item in enumerate(items)]
    return {"event_name": name, "event_timestamp": MORNING + int(minute * 60_000_000), "items": told} | more


# Minutes from the first morning: when it is sent, by whom, and what it is. The last ones are late or sent twice.
SENT = [
    (0, "ann", event(0, "view_item", "A")),
    (1, "ann", event(1, "add_to_cart", "A", "B")),
    (2, "bob", event(2, "view_item_list", "A", "B", "C")),
    (50, "ann", event(50, "purchase", "A", event_id="order-1")),
    (900, "bob", event(900, "search")),
    (1440, "ann", event(1440, "view_item", "C")),
    (1441, "ann", event(50, "purchase", "A", event_id="order-1")),
    (1442, "bob", event(1441.5, "view_item", "G")),
    (1445, "ann", event(1444, "view_item")),
    (1450, "bob", event(1450, "purchase", "G")),
]


def test_features_served_now_are_those_computed_later(shop, engine):
    shop.bundle(visitors=PastRows.of_users([], *nothing(), most=100, since_us=0, gap_us=GAP))
    clock = Ticking()
    service = Service(
        Setting(bundles=shop.bundles, landing=shop.landing, kv=shop.kv(), config=ServingConfig(), user_key=shop.key,
                clock=clock, new_id=shop.ids(), load_scorer=shop.load_scorer, default_currency="USD")
    )  # fmt: skip
    asked, served = [], []

    def ask(who):
        question = {"placement": "home", "user_pseudo_id": who, "n": 1, "explain": True}
        told = json.loads(service.recommend(json.dumps(question).encode()).body)["explanation"]
        assert told["features_approximate"] == []
        key = user_key(user_id=None, user_pseudo_id=who, key=shop.key)
        asked.append({"n": len(asked), "user_key": key, "at_us": clock.at_us})
        served.append(told["features"])

    async def live(sent):
        for minute, who, body in sent:
            clock.at_us = MORNING + minute * 60_000_000 + 1
            await service.take(json.dumps(body | {"user_pseudo_id": who}).encode())
            clock.at_us += 1
            if minute < 1442:  # until then nothing was late
                ask("ann")
                ask("bob")

    async def whole():
        await service.start()
        await live(SENT[:5])
        clock.at_us += 61_000_000  # the segment is closed, and ingest may read it
        await service.keep(is_adopting=False)
        knows_a_part = engine.to_arrow(events_to_pack(ingested(engine, shop)))
        shop.bundle(visitors=PastRows.of_users(*packed_by_user(knows_a_part), most=100, since_us=0, gap_us=GAP))
        await service.keep(is_adopting=False)
        await live(SENT[5:])
        ask("ann")
        ask("bob")
        ask("eve")
        await service.stop()

    asyncio.run(whole())
    told = instant_features(
        engine, ingested(engine, shop), engine.read_arrow(pa.Table.from_pylist(asked)), gap_us=GAP
    ).sort_by("n")
    assert served == told.drop_columns(["n", "user_key", "at_us"]).to_pylist()
    assert served[-3]["bought_price_minor_30d"] == served[-2]["bought_price_minor_30d"] == 1000
    assert (served[-3]["num_sessions_7d"], served[-2]["session_num_items"]) == (3, 1)


def nothing():
    return np.zeros(1, np.int64), VisitorRows().rows


class Broken:
    def rows(self, _key):
        raise ValueError("damaged")


@pytest.mark.parametrize("state", [None, Broken()])
def test_without_the_live_state_nothing_is_certain(state):
    past = PastRows.of_users([], *nothing(), most=100, since_us=0, gap_us=GAP)
    found = features_of(["a" * 32], MORNING, past=past, state=state)
    assert found == NOTHING_KNOWN


def test_a_past_that_cannot_be_read_gives_defaults_of_which_none_is_certain():
    class Damaged:
        gap_us = GAP

        def of(self, _key):
            raise OSError("the disk is gone")

    assert features_of(["a" * 32], MORNING, past=Damaged(), state=None) == NOTHING_KNOWN
    assert VisitorRows(cut_us=UNKNOWN).cut_us > MORNING
