"""A small clean shop in memory, made by the steps that make everybody's: nothing in it leaks."""

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa

from endcap.core.clock import DAY_US, day_of, day_start_us, days_between
from endcap.core.tables import (
    EVENTS,
    EXAMPLES,
    EXPOSURES,
    ITEM_FEATURES,
    ITEMS,
    SEQUENCES,
    SESSIONS,
    SLATES,
    TABLES,
    USER_FEATURES,
)
from endcap.engines.port import Engine, arrow_schema
from endcap.features import daily
from endcap.features.config import FeaturesConfig
from endcap.features.examples import NegativeSources, make_examples
from endcap.features.item_features import item_features
from endcap.features.leakage_sample import ShopTables
from endcap.features.sequences import elements_of, sequences
from endcap.features.user_features import user_features
from endcap.sessions.config import SessionsConfig
from endcap.sessions.exposures import find_exposures
from endcap.sessions.sessionize import sessionize

__all__ = ["DAYS", "FEATURES", "Rows", "Tables", "clean_shop", "keyed", "refreshed", "shop_tables"]

FEATURES = FeaturesConfig()
"""The settings that the shop is made with."""

Tables = dict[str, pa.Table]
"""Name of a table -> its rows."""

Rows = list[dict[str, Any]]
"""The same rows one by one."""

_FIRST, _LAST = "2016-09-01", "2016-09-08"
DAYS = tuple(days_between(_FIRST, _LAST))
"""The UTC days of the shop."""

_MINUTE_US = 60_000_000
_NUM_USERS, _NUM_ITEMS, _SHOWN = 110, 24, 6
_SESSIONS = SessionsConfig()
_SEED = 17


def clean_shop(engine: Engine, *, seed: int = _SEED) -> Tables:
    """Make a shop's tables by the steps that make everybody's.

    Visitors come at all hours, some over midnight; some log in on a later visit; new items come in every day; prices
    move from day to day.

    Args:
        engine: Computes the steps.
        seed: Of what happens in the shop.
    """
    events = pa.Table.from_pylist(_events(np.random.default_rng(seed)), arrow_schema(EVENTS))
    versions = pa.Table.from_pylist(_versions(), arrow_schema(ITEMS))
    return refreshed(engine, {EVENTS.name: events, ITEMS.name: versions})


def refreshed(engine: Engine, tables: Tables, *, made: tuple[str, ...] = ()) -> Tables:
    """Make all tables from events; a shop of which all are made is as it was.

    Args:
        engine: Computes the steps.
        tables: Events and items at least, and what is made already.
        made: Names of the tables that stay as they are.
    """
    if set(made) >= set(tables) - {EVENTS.name, ITEMS.name} and made:
        return tables
    days = DAYS
    events = engine.read_arrow(tables[EVENTS.name])
    sessions = engine.materialise(sessionize(events, _SESSIONS, days=days))
    if EXPOSURES.name in made:
        exposures = engine.read_arrow(tables[EXPOSURES.name])
    else:
        slates = engine.read_snapshot([], SLATES)
        exposures = engine.materialise(find_exposures(events, sessions, slates, _SESSIONS, days=days))
    of_items = engine.materialise(daily.item_days(events, exposures))
    of_users = engine.materialise(daily.user_days(events, sessions))
    of_sessions = engine.materialise(sequences(elements_of(events, FEATURES), sessions, FEATURES, days=days))
    sources = NegativeSources(of_items, exposures, _no_neighbours)
    found = {
        SESSIONS.name: sessions,
        EXPOSURES.name: exposures,
        USER_FEATURES.name: user_features(of_users, days=days),
        ITEM_FEATURES.name: item_features(of_items, daily.first_seen(of_items), days=days),
        SEQUENCES.name: of_sessions,
        EXAMPLES.name: make_examples(engine, of_sessions, sources, FEATURES, days=days, seed=_SEED),
    }
    written = {name: _written(engine.to_arrow(rows), name) for name, rows in found.items()}
    return {EVENTS.name: tables[EVENTS.name], ITEMS.name: tables[ITEMS.name], **written}


def _no_neighbours(_wanted: pa.Array) -> pa.ListArray:
    raise AssertionError("nobody draws hard negatives here")


def _written(rows: pa.Table, name: str) -> pa.Table:
    """Return rows in the order and under the types of their contract."""
    return rows.cast(arrow_schema(TABLES[name])).sort_by([(each, "ascending") for each in TABLES[name].key])


def shop_tables(engine: Engine, tables: Tables) -> ShopTables:
    """Take the tables of a shop in."""
    return ShopTables(**{name: engine.read_arrow(rows) for name, rows in tables.items()})


def keyed(name: str) -> str:
    """Return 32 hex digits for a name, as a keyed hash has them."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _price(item: int, day: int) -> int:
    return 500 + 100 * item + (7 * item * day) % 90


def _events(rng: np.random.Generator) -> Rows:
    """Return what 110 visitors do in eight days."""
    rows: Rows = []
    for user in range(_NUM_USERS):
        login_at = rng.integers(1, 4) if user % 3 == 0 else 99
        days = sorted(rng.choice(8, size=rng.integers(1, 5), replace=False).tolist())
        for visit, day in enumerate(days):
            minute = int(rng.integers(1415, 1440) if rng.random() < 0.2 else rng.integers(0, 1400))
            start_us = day_start_us(_FIRST) + day * DAY_US + minute * _MINUTE_US + int(rng.integers(_MINUTE_US))
            who = {"device_key": keyed(f"device {user}")}
            who["user_key"] = keyed(f"user {user}") if visit >= login_at else who["device_key"]
            rows += _visit(rng, who, start_us)
    return rows


def _visit(rng: np.random.Generator, who: dict[str, str], start_us: int) -> Rows:
    """Return the events of one visit: lists, clicks, views, carts, and an order for what lies in the cart."""
    rows: Rows = []
    at_us, cart = start_us, []

    def tell(event_name: str, items: list[int]) -> None:
        nonlocal at_us
        at_us += int(rng.integers(5, 240) * 1_000_000 + rng.integers(1_000_000))
        day = (at_us - day_start_us(_FIRST)) // DAY_US
        event = {
            "date_partition": day_of(at_us), "event_id": keyed(f"{who['device_key']} {at_us}"), "site": "main",
            "event_name": event_name, "at_us": at_us, "received_us": at_us, "currency": "USD", **who,
        }  # fmt: skip
        for place, item in enumerate(items, 1):
            price = _price(item, int(day))
            rows.append(
                {**event, "item_ordinal": place, "item_id": f"I{item:02d}", "price_minor": price, "quantity": 1}
            )

    day = (start_us - day_start_us(_FIRST)) // DAY_US
    there = min(_NUM_ITEMS, 10 + 2 * int(day))
    taste = 1.0 / (1.0 + np.arange(there))
    for _ in range(int(rng.integers(2, 7))):
        shown = rng.choice(there, size=_SHOWN, replace=False, p=taste / taste.sum()).tolist()
        tell("view_item_list", shown)
        if rng.random() < 0.3:
            tell("view_item_list", shown)
        item = int(rng.choice(shown))
        if rng.random() < 0.7:
            tell("select_item", [item])
        tell("view_item", [item])
        if rng.random() < 0.4:
            tell("add_to_cart", [item])
            cart.append(item)
    if cart and rng.random() < 0.6:
        tell("purchase", list(dict.fromkeys(cart)))
        if rng.random() < 0.5:
            tell("view_item", [cart[0]])
            tell("view_item", [(cart[0] + 1) % there])
            tell("view_item", [cart[0]])
    return rows


def _versions() -> Rows:
    """Return two versions of each item: the second one begins on the seventh day, and is dearer."""
    change_us = day_start_us("2016-09-07")
    rows: Rows = []
    for item in range(_NUM_ITEMS):
        each = {"item_id": f"I{item:02d}", "title": f"Thing {item}", "currency": "USD", "availability": "in_stock",
                "origin": "catalogue"}  # fmt: skip
        rows.append({**each, "valid_from_us": 0, "valid_to_us": change_us, "price_minor": 500 + 100 * item})
        rows.append({**each, "valid_from_us": change_us, "price_minor": 9_000 + 100 * item})
    return rows
