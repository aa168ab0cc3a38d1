"""The engine's reading against plain loops, on a log with ties, edges of windows and a machine without a pause."""

import numpy as np
import pyarrow as pa
import pytest

from endcap.core.clock import DAY_US, day_of, day_start_us, days_between
from endcap.core.tables import EVENTS
from endcap.engines.port import arrow_schema
from endcap.features.daily import user_days
from endcap.features.declared import FEATURES, declared, of_instants
from endcap.features.instants import instant_features, instant_features_by_part
from endcap.features.plain import plain_features
from endcap.features.user_features import user_features
from endcap.sessions.config import SessionsConfig
from endcap.sessions.sessionize import sessionize

GAP = 1_800_000_000
FIRST = day_start_us("2016-09-01")
NAMES = ["view_item", "view_item", "add_to_cart", "purchase", "view_item_list", "search"]


def row(number, user, at_us, name, item, price):
    return {
        "date_partition": day_of(at_us), "event_id": f"{number:032x}", "item_ordinal": int(item is not None),
        "site": "main", "event_name": name, "at_us": at_us, "received_us": at_us, "user_key": f"{user:032x}",
        "item_id": item, "price_minor": price,
    }  # fmt: skip


def drawn(count):
    """Half of the instants are multiples of a quarter of an hour, so that they meet each other and edges of windows."""
    rng = np.random.default_rng(4)
    users = (rng.random(count) ** 2 * 12).astype(int)
    quarters = rng.integers(0, 40 * 96, count) * 900_000_000
    at_us = FIRST + np.where(rng.random(count) < 0.5, rng.integers(0, 40 * DAY_US, count), quarters)
    for number, (user, at, name) in enumerate(
        zip(users.tolist(), at_us.tolist(), rng.choice(NAMES, count), strict=True)
    ):
        item = None if name == "search" else "ABCDE"[number % 5]
        yield row(number, user, at, str(name), item, None if item is None or number % 4 == 0 else number % 997)
    machine = range(FIRST + 5 * DAY_US + 7, FIRST + 9 * DAY_US, 1_200_000_000)
    yield from (row(count + number, 20, at, "view_item", "A", 5) for number, at in enumerate(machine))


ROWS = list(drawn(1000))


def questions():
    apart = [0, 1, -1, GAP, GAP + 1, DAY_US, 7 * DAY_US, 30 * DAY_US]
    asked = [(each["user_key"], each["at_us"] + apart[number % 8]) for number, each in enumerate(ROWS)]
    return [*asked, ("f" * 32, FIRST)]


def table_of(rows):
    return pa.Table.from_pylist(rows, arrow_schema(EVENTS))


@pytest.fixture(scope="module")
def asked(engine):
    numbered = [{"n": number, "user_key": key, "at_us": at_us} for number, (key, at_us) in enumerate(questions())]
    return engine.read_arrow(pa.Table.from_pylist(numbered))


@pytest.fixture(scope="module")
def found(engine, asked):
    return instant_features(engine, engine.read_arrow(table_of(ROWS)), asked, gap_us=GAP).sort_by("n")


def test_brute_force_finds_the_same_in_every_row(found):
    of_user = {}
    for each in ROWS:
        of_user.setdefault(each["user_key"], []).append(each)
    wanted = [plain_features(of_user.get(key, []), at_us, gap_us=GAP) for key, at_us in questions()]
    assert found.drop_columns(["n", "user_key", "at_us"]).to_pylist() == wanted
    assert sum(each["num_sessions_30d"] for each in wanted) > 600


def test_the_columns_have_the_declared_types(found):
    kinds = [str(found.schema.field(feature.name).type) for feature in of_instants()]
    assert kinds == [{"int64": "int64", "float64": "double"}[feature.kind] for feature in of_instants()]


def test_neither_what_comes_later_nor_the_order_of_rows_changes_anything(engine, found):
    early = found.filter(pa.compute.less(found["at_us"], FIRST + 20 * DAY_US))
    known = [each for each in ROWS if each["at_us"] < FIRST + 20 * DAY_US]
    events = engine.read_arrow(table_of(known[::-1]))
    asked = engine.read_arrow(early.select(["n", "user_key", "at_us"]))
    assert instant_features(engine, events, asked, gap_us=GAP).sort_by("n").equals(early)


def test_at_midnight_a_user_has_the_features_of_the_day(engine, world, rows_of):
    events = world("""
        ann 23       view_item A@500 B@201
        ann 24       add_to_cart A@500
        ann 2d+0     view_item A
        ann 2d+1439  purchase A
        ann 3d+0     view_item C
        bob 2d+7     search
    """)
    days = ["2016-09-02", "2016-09-03", "2016-09-04", "2016-09-05", "2016-09-10"]
    started = sessionize(events, SessionsConfig(), days=days_between("2016-08-31", "2016-09-30"))
    of_day = engine.materialise(user_features(user_days(events, started), days=days))
    names = [feature.name for feature in declared("user", "day") if "instant" in feature.readings]
    asked = of_day.select("date_partition", "user_key", at_us=of_day.date_partition.cast("date").epoch_days() * DAY_US)
    told = instant_features(engine, events, engine.materialise(asked), gap_us=GAP)
    wanted = rows_of(of_day, "date_partition", "user_key", *names)
    assert rows_of(engine.read_arrow(told), "date_partition", "user_key", *names) == wanted
    assert len(wanted) == 8


def test_users_by_parts_are_all_users(engine, asked, found):
    few = [feature for feature in FEATURES if feature.name in ("num_views_7d", "session_num_items")]
    ends = engine.materialise(asked.mutate(user_key=asked.user_key.right(2).rpad(32, "0")))
    events = engine.read_arrow(table_of([{**each, "user_key": each["user_key"][-2:].ljust(32, "0")} for each in ROWS]))
    parts = list(instant_features_by_part(engine, events, ends, gap_us=GAP, features=few))
    assert len(parts) == 3
    names = ["n", *(feature.name for feature in few)]
    assert pa.concat_tables(parts).sort_by("n").select(names).equals(found.select(names))
