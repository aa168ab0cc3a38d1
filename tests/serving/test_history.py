from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endcap.core.history import NO_HISTORY, History, kind_of
from endcap.core.landed import LandedEvent, LandedItem
from endcap.features.online import OnlineFeatures, write_histories
from endcap.features.visitor_rows import PastRows, pack
from endcap.serving.history import history_of, joined, looked_at
from endcap.serving.state import VisitorState
from endcap.stores.adapters.lmdb import LmdbKeyValues

USER, DEVICE = "a" * 32, "b" * 32
LETTERS = "ABCDE"
ELEMENTS = ("view_item", "add_to_cart", "purchase", "add_to_wishlist")
LENGTH = 4


def told(history):
    at_us = [None] * len(history) if history.at_us is None else history.at_us.tolist()
    return list(zip(history.items.tolist(), history.events.tolist(), at_us, strict=True))


def untold(items):
    return [(item, 0, None) for item in items]


@pytest.mark.parametrize(
    ("past", "live", "expected"),
    [
        ([], [1, 2], [1, 2]),
        ([1, 2], [3], [1, 2, 3]),
        ([1, 2, 3], [2, 3], [1, 2, 3]),  # the tables have caught up
        ([1, 2, 3], [3, 4], [1, 2, 3, 4]),  # in part
        ([1, 2, 3], [4, 2, 3], [1, 2, 3, 4, 2, 3]),  # other events that end alike
    ],
)
def test_of_items_alone_what_both_know_counts_once(past, live, expected):
    new = History.of([(item, 1, at_us) for at_us, item in enumerate(live)])
    assert joined(History.of_items(past), new, known_until_us=None).items.tolist() == expected


def test_to_items_alone_what_came_late_is_the_oldest_and_no_instant_is_known():
    new = History.of([(5, 1, 30), (6, 3, 50)])
    found = joined(History.of_items([1, 2]), new, known_until_us=40)
    assert told(found) == [(5, 1, None), *untold([1, 2]), (6, 3, None)]
    assert told(joined(History.of_items([1, 2]), NO_HISTORY, known_until_us=40)) == untold([1, 2])


def test_where_instants_are_known_what_came_late_stands_where_it_belongs():
    past, new = History.of([(1, 1, 10), (3, 2, 30)]), History.of([(2, 3, 20), (4, 1, 40)])
    assert told(joined(past, new, known_until_us=30)) == [(1, 1, 10), (2, 3, 20), (3, 2, 30), (4, 1, 40)]
    assert told(joined(NO_HISTORY, new, known_until_us=None)) == told(new)


def test_what_a_page_names_is_viewed_now():
    assert told(looked_at([7, 8], at_us=5)) == [(7, kind_of("view_item"), 5), (8, kind_of("view_item"), 5)]


@dataclass(frozen=True)
class Event:
    """An event of Hypothesis; those of a user have different instants."""

    at_us: int
    name: str
    items: str
    is_on_device: bool

    def landed(self):
        return LandedEvent(
            event_id=f"{self.at_us:032x}",
            event_name=self.name,
            at_us=self.at_us,
            received_us=self.at_us,
            user_key=DEVICE if self.is_on_device else USER,
            items=tuple(LandedItem(item_id=item) for item in self.items),
        )


EVENT = st.builds(
    Event,
    st.integers(1, 60),
    st.sampled_from((*ELEMENTS, "view_item_list")),
    st.text(LETTERS, min_size=1, max_size=2),
    st.booleans(),
)


def elements(events):
    """What tables tell of events: each event x item that is an element, once, in order of instant and item."""
    return sorted(
        {(e.at_us, LETTERS.index(item), kind_of(e.name)) for e in events for item in e.items if e.name in ELEMENTS}
    )


def bundle_of(events, folder, num_rows=100):
    """What a bundle knows after a refresh has made all events the user's."""
    own = [(item, kind, at_us) for at_us, item, kind in elements(events)][-LENGTH:]
    keys = [USER] if events else []
    write_histories(folder, keys, np.array([0, len(own)] if keys else [0]), History.of(own))
    rows = pack(event.landed() for event in events)
    starts = np.array([0, len(rows.rows)] if keys else [0])
    number = lambda item: LETTERS.index(item) if item in LETTERS else None  # noqa: E731
    return SimpleNamespace(
        histories=OnlineFeatures.open(folder),
        visitors=PastRows.of_users(keys, starts, rows.rows, most=num_rows, since_us=0, gap_us=1),
        items=SimpleNamespace(number=number),
    )


@pytest.fixture
def visitors(tmp_path):
    """Make an empty live state."""
    opened = []

    def make():
        opened.append(LmdbKeyValues(tmp_path / f"kv{len(opened)}", size_mb=1))
        return VisitorState(opened[-1], events=ELEMENTS, length=LENGTH, num_rows=100)

    yield make
    for kv in opened:
        kv.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENT, max_size=14, unique_by=lambda event: event.at_us), st.data())
def test_the_history_of_now_is_that_of_the_tables_once_they_have_caught_up(tmp_path_factory, visitors, events, data):
    """Events arrive in any order; the bundle knows those before one, the live state has lost those before another."""
    own = [event for event in events if not event.is_on_device]
    bundled, lost = sorted(data.draw(st.lists(st.integers(0, len(own)), min_size=2, max_size=2)), reverse=True)
    state = visitors()
    for event in own[lost:]:
        state.record([event.landed()])
    state.record([event.landed() for event in own[lost:]])  # sent again
    num_rows = data.draw(st.sampled_from([1, 100]))  # rows reach less far back than a history may
    bundle = bundle_of(own[:bundled], tmp_path_factory.mktemp("histories"), num_rows)
    found, failed = history_of([USER], bundle, state, length=LENGTH)
    assert failed == []
    assert [(at_us, item, kind) for item, kind, at_us in told(found)] == elements(own)[-LENGTH:]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENT, max_size=14, unique_by=lambda event: event.at_us), st.data())
def test_what_happens_on_the_users_device_is_theirs_from_where_the_tables_end(tmp_path_factory, visitors, events, data):
    """Events arrive in order here: whose the earlier ones of a device were, the tables have settled."""
    events = sorted(events, key=lambda event: event.at_us)
    bundled = data.draw(st.integers(0, len(events)))
    state = visitors()
    state.record([event.landed() for event in events])
    bundle = bundle_of(events[:bundled], tmp_path_factory.mktemp("histories"))
    found, _ = history_of([USER, DEVICE], bundle, state, length=LENGTH)
    assert [(at_us, item, kind) for item, kind, at_us in told(found)] == elements(events)[-LENGTH:]


def test_an_item_that_the_bundle_does_not_have_is_left_out(tmp_path, visitors):
    state = visitors()
    state.record([Event(1, "view_item", "ZA", is_on_device=False).landed()])
    found, _ = history_of([USER], bundle_of([], tmp_path), state, length=LENGTH)
    assert told(found) == [(0, 1, 1)]
    assert told(history_of([USER], bundle_of([], tmp_path), None, length=LENGTH)[0]) == []
