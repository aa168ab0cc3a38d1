import numpy as np
import pyarrow as pa
import pytest

from endcap.core.clock import day_of, day_start_us
from endcap.simulation.faults.schema_change import change_schema
from endcap.simulation.faults.values import GARBAGE, make_garbage, miss_fields, skew_clocks

FIRST = "2026-01-01"
LACKS = {
    "items.price": lambda event: {item["price"] for item in event["items"]} == {None},
    "geo.country": lambda event: event["geo"] == {"country": None},
    "device.category": lambda event: event["device"] == {"category": None},
    "user": lambda event: event["user_pseudo_id"] is None and event["user_id"] is None,
}


@pytest.fixture(scope="module")
def devices():
    """2,000 events on 2,000 devices."""
    columns = {
        "event_timestamp": day_start_us(FIRST) + np.arange(2_000),
        "user_pseudo_id": np.arange(2_000).astype(str),
    }
    return pa.table(columns)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_each_event_that_is_told_lacks_its_field_and_no_other_changed(table, rng):
    changed, told = miss_fields(table, 0.5, rng)
    what_of = dict(zip(told["row"].to_pylist(), told["what"].to_pylist(), strict=True))
    assert set(what_of.values()) == set(LACKS)
    for row, (before, after) in enumerate(zip(table.to_pylist(), changed.to_pylist(), strict=True)):
        assert (before != after) == (row in what_of)
        assert row not in what_of or LACKS[what_of[row]](after)


def test_an_event_is_hit_only_where_it_has_the_field(rng, table):
    bare = table.filter(np.arange(len(table)) % 30 == 18)  # searches in no country, so without items
    _, told = miss_fields(bare, 1.0, rng)
    assert set(told["what"].to_pylist()) == {"device.category", "user"}
    assert 0 < len(told) < len(bare) == 40


def test_a_clock_is_off_by_a_constant_of_its_device(table):
    skewed, told = skew_clocks(table, 0.5, 3, FIRST)
    shift = np.subtract(skewed["event_timestamp"], table["event_timestamp"])
    by_device = {}
    for device, us in zip(table["user_pseudo_id"].to_pylist(), shift.tolist(), strict=True):
        by_device.setdefault(device, set()).add(us)
    assert {len(each) for each in by_device.values()} == {1}
    assert len(set.union(*by_device.values())) > 1
    assert dict(zip(told["row"].to_pylist(), told["shift_us"].to_pylist(), strict=True)) == {
        row: us for row, us in enumerate(shift.tolist()) if us
    }


def test_the_asked_share_of_clocks_is_off_mostly_by_minutes_or_hours_sometimes_by_years(devices):
    skewed, told = skew_clocks(devices, 0.5, 3, FIRST)
    assert 900 < len(told) < 1_100
    what, rows = np.array(told["what"].to_pylist()), told["row"].to_numpy()
    days = np.array([day_of(at) for at in skewed["event_timestamp"].to_pylist()])[rows]
    off_s = np.abs(told["shift_us"].to_numpy()[what == "off"]) / 1e6
    assert (off_s >= 120).all()
    assert (off_s <= 6 * 3600).all()
    assert 0.75 < np.mean(what == "off") < 0.85
    assert set(days[what == "1970"]) <= {"1970-01-01", "1970-01-02"}
    assert set(days[what == "2000"]) <= {"2000-01-01", "2000-01-02"}
    assert min(days[what == "future"]) > "2035"


def test_a_clock_does_not_depend_on_where_its_device_stands(devices):
    order = np.random.default_rng(0).permutation(len(devices))
    skewed, _ = skew_clocks(devices, 0.5, 3, FIRST)
    shuffled, _ = skew_clocks(devices.take(order), 0.5, 3, FIRST)
    assert shuffled.equals(skewed.take(order))


def test_a_missing_device_has_no_clock(table):
    nobody = table.set_column(5, "user_pseudo_id", pa.nulls(len(table), pa.string()))
    skewed, told = skew_clocks(nobody, 1.0, 3, FIRST)
    assert (len(told), skewed.equals(nobody)) == (0, True)


@pytest.mark.parametrize("version", [lambda table: table, change_schema])
def test_every_kind_of_garbage_is_made_and_is_in_its_field(table, rng, version):
    made, kinds = make_garbage(version(table), 400, rng)
    events = dict(zip(kinds, made.to_pylist(), strict=True))
    assert set(events) == set(GARBAGE)
    assert events["event_name_missing"]["event_name"] is None
    assert events["at_missing"]["event_timestamp"] is None
    assert int(events["at_in_seconds"]["event_timestamp"]) < 2**32
    assert {item["quantity"] for item in events["quantity_negative"]["items"]} == {-1}
    assert {item["quantity"] for item in events["quantity_absurd"]["items"]} == {10**15}
    assert {item["price"] for item in events["price_no_price"]["items"]} == {
        -1.0 if version(table) is table else "free"
    }
    assert [events["items_empty"][name] for name in ("event_name", "items", "event_params")] == ["view_item", [], []]


def test_no_garbage_is_made_of_events_without_items(table, rng):
    made, kinds = make_garbage(table.filter(np.arange(len(table)) % 30 == 18), 5, rng)
    assert (len(made), kinds, made.schema) == (0, [], table.schema)
