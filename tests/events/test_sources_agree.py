"""The same simulated days in every format of events: what is read of each is what its GA4 export tells, to the row."""

from collections import Counter

import pytest
from pydantic import TypeAdapter

from endcap.events.config import EventsConfig
from endcap.events.detect import detect
from endcap.simulation.formats import FORMATS
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate

pytestmark = pytest.mark.slow

WORLD = make_world("small", days=3, visitors=150, items=50, p_cart=0.4, p_return=0.6)
_ALL = (
    *("event_name", "at_us", "user_key", "device_key", "source_session_id", "item_ordinal", "item_id", "item_name"),
    *("item_variant", "price_minor", "quantity", "value_minor", "currency", "transaction_id", "item_list_id", "place"),
    *("recommendation_id", "country", "device_category", "received_us"),
)
# What a format has no words for: columns, and events. Personalize has one id of users, logged in or not, and seconds.
UNSAID = {
    "ga4": ((), ()),
    "ga4-json": ((), ()),
    "segment": ((), ()),
    "csv": ((), ()),
    "snowplow": (("recommendation_id",), ()),
    "vertex": (
        ("item_variant", "item_list_id", "place", "country", "device_category"),
        ("select_item", "begin_checkout", "refund"),
    ),
    "personalize": (
        (
            *("user_key", "received_us", "device_key", "source_session_id", "item_ordinal", "item_name"),
            "item_variant",
            *("price_minor", "quantity", "value_minor", "currency", "transaction_id", "item_list_id", "place"),
            *("country", "device_category"),
        ),
        ("view_item_list",),
    ),
}


@pytest.fixture(scope="module")
def taken(engine, take_in, tmp_path_factory):
    """The events of each format, read by the settings that `init` proposes."""

    def taken(form):
        made = simulate(WORLD, tmp_path_factory.mktemp("formats") / "shop", Popular(), form=form)
        seen = detect(engine, made.export, currency="USD")
        config = TypeAdapter(EventsConfig).validate_python({"source": str(made.export), **seen.settings})
        return take_in(made.export, config)

    return taken


@pytest.fixture(scope="module")
def expected(taken):
    return taken("ga4")


def told(events, form, names):
    """Count the rows by what the format has words for."""
    columns, unsaid = UNSAID[form]
    said = [name for name in _ALL if name not in columns]
    rows = (event for event in events if event["event_name"] not in unsaid)
    assert {name for name in said if name not in names} == set()
    unit_us = 1_000_000 if form == "personalize" else 1
    return Counter(tuple(row[name] // unit_us if name == "at_us" else row[name] for name in said) for row in rows)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_comes_to_the_same_events(taken, expected, form):
    found = taken(form)
    assert found.quarantine == []
    names = set(expected.events_table.column_names)
    assert told(found.events, form, names) == told(expected.events, form, names)
    assert len(found.events) > 2_000 or form == "personalize"


def test_all_that_happens_in_a_shop_is_among_them(expected):
    names = {event["event_name"] for event in expected.events}
    assert names >= {"view_item_list", "select_item", "add_to_cart", "remove_from_cart", "purchase", "refund"}
