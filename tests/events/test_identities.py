"""Events as (day, minute, device, user or None); keys are the names themselves."""

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endcap.core.clock import day_start_us
from endcap.core.tables import EVENTS
from endcap.engines.port import arrow_schema
from endcap.events.identities import as_people, find_identities, find_logins
from endcap.events.identity_config import IdentitiesConfig

MINUTE_US = 60_000_000
DAYS = [f"2026-03-{day:02d}" for day in range(1, 8)]


def row(number, day, minute, device, user):
    at_us = day_start_us(f"2026-03-{day:02d}") + minute * MINUTE_US
    return {
        "date_partition": f"2026-03-{day:02d}", "event_id": f"{number:032x}", "item_ordinal": 0, "site": "main",
        "event_name": "view_item", "at_us": at_us, "received_us": at_us, "user_key": user or device,
        "device_key": device,
    }  # fmt: skip


@pytest.fixture
def people(engine):
    """Whose each event is, in the order given; day by day or at once."""

    def people(*told, config=IdentitiesConfig(), days=DAYS):  # noqa: B008 - frozen
        rows = [row(number, *each) for number, each in enumerate(told)]
        events = engine.read_arrow(pa.Table.from_pylist(rows, arrow_schema(EVENTS)))
        logins = engine.materialise(find_logins(events))
        identities = engine.materialise(find_identities(events, logins, config, days=days))
        found = engine.to_arrow(as_people(events, identities).order_by("event_id"))
        return found["user_key"].to_pylist()

    return people


def test_a_device_is_his_who_logged_in_there_last(people):
    assert people((1, 0, "phone", "ann"), (1, 5, "phone", None), (2, 0, "phone", None)) == ["ann"] * 3


def test_a_user_has_many_devices_and_nobody_gets_those_of_others(people):
    told = [(1, 0, "phone", "ann"), (1, 1, "desk", "ann"), (1, 2, "tv", None), (2, 0, "desk", None), (2, 1, "tv", None)]
    assert people(*told) == ["ann", "ann", "tv", "ann", "tv"]


def test_a_shared_device_passes_on_as_users_log_in(people):
    told = [
        (1, 0, "pad", "ann"), (1, 1, "pad", None), (1, 2, "pad", "bob"), (1, 3, "pad", None),
        (2, 0, "pad", None), (2, 1, "pad", "ann"), (2, 2, "pad", None),
    ]  # fmt: skip
    assert people(*told) == ["ann", "ann", "bob", "bob", "bob", "ann", "ann"]


def test_who_logs_in_late_had_the_visit_from_its_start(people):
    assert people((2, 0, "phone", None), (2, 5, "phone", "ann")) == ["ann", "ann"]


def test_a_login_of_a_later_day_changes_nothing_of_an_earlier_one(people):
    assert people((1, 0, "phone", None), (2, 0, "phone", "ann")) == ["phone", "ann"]


def test_a_backfill_gives_a_device_to_its_first_user_from_the_beginning(people):
    told = [
        (1, 0, "phone", None),
        (3, 0, "phone", "ann"),
        (4, 0, "phone", "bob"),
        (6, 0, "tv", None),
        (7, 0, "tv", "bob"),
    ]
    assert people(*told, config=IdentitiesConfig(restitched_through="2026-03-06")) == ["ann", "ann", "bob", "tv", "bob"]


def test_a_device_is_forgotten_after_some_days(people):
    told = [(1, 0, "phone", "ann"), (3, 0, "phone", None), (4, 0, "phone", None)]
    assert people(*told, config=IdentitiesConfig(keep_days=2)) == ["ann", "ann", "phone"]
    assert people(*told, config=IdentitiesConfig(keep_days=0)) == ["ann", "phone", "phone"]


def test_logins_are_told_as_runs_of_one_user(engine):
    told = [
        (1, 0, "pad", "ann"),
        (1, 1, "pad", "ann"),
        (1, 2, "pad", "bob"),
        (1, 9, "pad", "ann"),
        (1, 9, "phone", "ann"),
    ]
    rows = [row(number, *each) for number, each in enumerate(told)]
    logins = find_logins(engine.read_arrow(pa.Table.from_pylist(rows, arrow_schema(EVENTS))))
    start = day_start_us("2026-03-01")
    found = engine.to_arrow(logins.order_by(["device_key", "since_us"])).to_pylist()
    spans = [(each["since_us"] - start) // MINUTE_US for each in found], [each["num_events"] for each in found]
    assert [(each["device_key"], each["user_key"]) for each in found] == [
        ("pad", "ann"), ("pad", "bob"), ("pad", "ann"), ("phone", "ann"),
    ]  # fmt: skip
    assert spans == ([0, 2, 9, 9], [2, 1, 1, 1])


def test_of_two_who_log_in_at_one_instant_one_counts_whatever_the_order(people):
    told = [(1, 5, "till", "ann"), (1, 5, "till", "bob"), (1, 5, "till", "ann"), (1, 6, "till", None)]
    assert people(*told)[-1] == people(*reversed(told[:3]), told[3])[-1] == "bob"


def test_who_logs_in_at_the_first_instant_of_a_day_has_the_device_from_there_on(people):
    assert people((2, 0, "pad", "bob"), (2, 5, "pad", None)) == ["bob", "bob"]
    assert people((1, 0, "pad", "ann"), (2, 0, "pad", "bob"), (2, 5, "pad", None)) == ["ann", "bob", "bob"]


def whose(told, keep_days):
    """The rule in plain words, event by event."""
    for day, minute, device, user in told:
        earlier = [each for each in told if each[2] == device and each[3] and each[:2] <= (day, minute)]
        known = [each for each in earlier if each[0] >= day - keep_days]
        on_day = [each for each in told if each[2] == device and each[3] and each[0] == day]
        if user:
            yield user
        elif known and keep_days:
            yield max(known)[3]
        else:
            yield min(on_day)[3] if on_day and keep_days else device


EVENTS_OF_A_WEEK = st.lists(
    st.tuples(
        st.integers(1, 7), st.integers(0, 30), st.sampled_from(["pad", "tv"]), st.sampled_from([None, "ann", "bob"])
    ),
    min_size=1, max_size=14, unique_by=lambda told: told[:3],
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
@given(told=EVENTS_OF_A_WEEK, keep_days=st.sampled_from([0, 1, 2, 30]))
def test_whatever_the_order_each_event_is_his_by_the_rule(people, told, keep_days):
    config = IdentitiesConfig(keep_days=keep_days)
    assert people(*told, config=config) == list(whose(told, keep_days))
