"""Tiny worlds as text: one event a line, `user minute event items... key=value...`.

A minute counts from the start of 2016-09-01; `2d+5` is five minutes into the third day. An item is `A`, with a price
`A@300`, a quantity `A@300*2`, a place `A#4`. Keys: list, country, device,
currency. Ids follow from the line, not from its place.
"""

import hashlib
from collections import Counter

import pyarrow as pa
import pytest

from endcap.core.clock import day_of, day_start_us
from endcap.core.tables import EVENTS, SLATES
from endcap.engines.adapters.duckdb import DuckDBEngine
from endcap.engines.port import arrow_schema
from endcap.features import daily, negative_pools, sequences
from endcap.features.config import FeaturesConfig
from endcap.features.examples import NegativeSources, make_examples
from endcap.features.item_features import item_features
from endcap.features.leakage import find_leaks
from endcap.features.leakage_of_features import leaks_of_item_features, leaks_of_user_features
from endcap.features.leakage_of_negatives import leaks_of_negatives
from endcap.features.leakage_of_sequences import leaks_of_sequences
from endcap.features.leakage_of_sessions import leaks_of_examples, leaks_of_exposures, sessions_anew
from endcap.features.leakage_sample import ShopTables
from endcap.features.negatives_config import PopularityNegatives
from endcap.features.user_features import user_features
from endcap.sessions.config import SessionsConfig
from endcap.sessions.exposures import find_exposures
from endcap.sessions.sessionize import sessionize
from endcap.testing.leaky_shop import FEATURES, clean_shop

CONFIG = FeaturesConfig(negatives=[PopularityNegatives(num=2)])
MINUTE_US = 60_000_000
FIRST_US = day_start_us("2016-09-01")
KEYS = {
    "list": "item_list_id",
    "slate": "recommendation_id",
    "country": "country",
    "device": "device_category",
    "currency": "currency",
}


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    made = DuckDBEngine(memory_limit="1GB", threads=1, spill=tmp_path_factory.mktemp("spill"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def world(engine):
    """Turn text, or lines, into EVENTS."""

    def world(text):
        lines = [line.split() for line in (text.splitlines() if isinstance(text, str) else text)]
        seen = Counter()
        rows = []
        for line in filter(None, lines):
            rows += _event(line, seen[tuple(line)])
            seen[tuple(line)] += 1
        return engine.read_arrow(pa.Table.from_pylist(rows, arrow_schema(EVENTS)))

    return world


@pytest.fixture(scope="session")
def rows_of(engine):
    """Compute columns of an expression as a sorted list of tuples."""

    def rows_of(expression, *names):
        table = engine.to_arrow(expression.select(*names) if names else expression)
        return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True), key=repr)

    return rows_of


@pytest.fixture(scope="session")
def made(engine, world):
    """Make everything from a world: its events, sessions and exposures of all days, and the features of some days.

    With `near`, a step for a single day is given the days that it says it needs and no others. Without `features`, only
    sequences and examples are made.
    """

    def made(text, days, *, all_days, config=CONFIG, near=False, features=True, neighbours=None):
        def needed(table, step):
            return table.filter(table.date_partition.between(*step.needed_days(days[0]))) if near else table

        told = world(text)
        click = SessionsConfig()
        sessions = engine.materialise(sessionize(told, click, days=all_days))
        slates = engine.read_snapshot([], SLATES)
        exposures = engine.materialise(find_exposures(told, sessions, slates, click, days=all_days))
        before = [needed(table, daily) for table in (told, sessions, exposures)]
        of_items, all_items = (
            engine.materialise(daily.item_days(*each)) for each in ((before[0], before[2]), (told, exposures))
        )
        if features:
            of_users = engine.materialise(daily.user_days(before[0], before[1]))
        started = sessions.filter(sessions.date_partition.isin(days))
        elements = sequences.elements_of(needed(told, sequences), config)
        of_sessions = engine.materialise(sequences.sequences(elements, started, config, days=days))
        sources = NegativeSources(of_items, needed(exposures, negative_pools), neighbours)
        examples = {
            "sequences": of_sessions,
            "examples": make_examples(engine, of_sessions, sources, config, days=days, seed=17),
        }
        if not features:
            return examples
        return examples | {
            "item_days": of_items,
            "user_days": of_users,
            "item_features": item_features(of_items, daily.first_seen(all_items), days=days),
            "user_features": user_features(of_users, days=days),
        }

    return made


@pytest.fixture(scope="session")
def minute():
    """Turn an instant back into the minute of a tiny world."""
    return lambda at_us: (at_us - FIRST_US) // MINUTE_US


def _event(line, occurrence):
    user, minute, name, *rest = line
    days, _, minutes = minute.rpartition("d+")
    at_us = FIRST_US + (int(days or 0) * 1440 + int(minutes)) * MINUTE_US
    told = {KEYS[key]: value for key, value in (word.split("=") for word in rest if "=" in word)}
    event_id = hashlib.sha256(repr((line, occurrence)).encode()).hexdigest()[:32]
    event = {"date_partition": day_of(at_us), "event_id": event_id, "site": "main", "event_name": name, "at_us": at_us,
             "received_us": at_us, "user_key": user, "item_ordinal": 0, **told}  # fmt: skip
    items = [word for word in rest if "=" not in word]
    return [{**event, "item_ordinal": place, **_item(item)} for place, item in enumerate(items, 1)] or [event]


def _item(text):
    text, _, place = text.partition("#")
    text, _, quantity = text.partition("*")
    item_id, _, price = text.partition("@")
    numbers = {"place": place, "quantity": quantity, "price_minor": price}
    return {"item_id": item_id} | {name: int(number) for name, number in numbers.items() if number}


@pytest.fixture(scope="session")
def clean(engine):
    """The tables of a small clean shop; tests change copies of them."""
    return clean_shop(engine)


@pytest.fixture(scope="session")
def leaks_of(engine, clean):
    """Look for leaks in the tables of a shop, in all users and items, and return the findings.

    What is as in the clean shop is taken in once. `part` names one table: the others are not looked through.
    """
    taken = {name: engine.read_arrow(rows) for name, rows in clean.items()}
    users = engine.materialise(taken["sessions"].select("user_key").distinct())
    items = engine.materialise(taken["item_features"].select("item_id").distinct())

    def leaks_of(tables, part="", **asked):
        read = {
            name: taken[name] if rows is clean.get(name) or rows.equals(clean[name]) else engine.read_arrow(rows)
            for name, rows in tables.items()
        }
        shop = ShopTables(**read)
        if not part:
            return list(find_leaks(engine, shop, FEATURES, click_events=["select_item"], **asked).findings)
        sessions = (
            sessions_anew(engine, shop, users, FEATURES) if part in ("examples", "exposures", "negatives") else {}
        )
        parts = {
            "user_features": lambda: leaks_of_user_features(engine, shop, users),
            "item_features": lambda: leaks_of_item_features(engine, shop, items),
            "sequences": lambda: leaks_of_sequences(engine, shop),
            "examples": lambda: leaks_of_examples(engine, shop, sessions, users, FEATURES),
            "exposures": lambda: leaks_of_exposures(engine, shop, sessions, users, click_events=["select_item"]),
            "negatives": lambda: leaks_of_negatives(engine, shop, sessions, users, FEATURES),
        }
        return parts[part]()[0]

    return leaks_of
