import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.clock import DAY_US, day_start_us
from endcap.core.errors import BundleError, Code
from endcap.core.history import History
from endcap.core.landed import LandedEvent, LandedItem
from endcap.features.declared import of_instants
from endcap.features.online import NOTHING_KNOWN, OnlineFeatures, features_at, write_histories
from endcap.features.plain import plain_features
from endcap.features.visitor_rows import UNKNOWN, VisitorRows, pack

A, B, C = "a" * 32, "b" * 32, "c" * 32


FILES = ["keys.npy", "starts.npy", "items.npy", "events.npy", "at_us.npy"]


def write(folder, histories):
    """Write histories of (item number, kind of event, instant)."""
    folder.mkdir(exist_ok=True)
    starts = np.concatenate([[0], np.cumsum([len(histories[key]) for key in sorted(histories)])]).astype(np.int64)
    flat = [element for key in sorted(histories) for element in histories[key]]
    write_histories(folder, sorted(histories), starts, History.of(flat))
    return folder


def told(history):
    return list(zip(history.items.tolist(), history.events.tolist(), history.at_us.tolist(), strict=True))


def test_a_user_has_their_own_history_and_a_stranger_none(tmp_path):
    histories = {B: [(4, 1, 10), (5, 2, 11), (4, 3, 11)], A: [(7, 0, 9)]}
    features = OnlineFeatures.open(write(tmp_path, histories))
    assert (told(features.history(A)), told(features.history(B))) == (histories[A], histories[B])
    assert [told(features.history(key)) for key in (C, "", "a", A + "a")] == [[]] * 4
    assert len(features) == 2


def test_a_shop_without_users_has_no_histories(tmp_path):
    features = OnlineFeatures.open(write(tmp_path, {}))
    assert (len(features), told(features.history(A))) == (0, [])


def test_the_same_histories_are_the_same_bytes(tmp_path):
    for name in "xy":
        write(tmp_path / name, {A: [(1, 1, 5)], C: [(2, 1, 6), (3, 2, 7)]})
    for file in FILES:
        assert (tmp_path / "x" / file).read_bytes() == (tmp_path / "y" / file).read_bytes()


ELEMENT = st.tuples(st.integers(0, 99), st.integers(0, 3), st.integers(0, 1 << 51))


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text("0123456789abcdef", min_size=32, max_size=32), st.lists(ELEMENT, max_size=5)))
def test_what_was_written_is_read(tmp_path_factory, histories):
    features = OnlineFeatures.open(write(tmp_path_factory.mktemp("histories"), histories))
    assert {key: told(features.history(key)) for key in histories} == histories


def test_histories_of_an_earlier_version_tell_items_alone(tmp_path):
    write(tmp_path, {A: [(7, 3, 9)], B: [(4, 1, 10), (5, 2, 11)]})
    for name in ("events.npy", "at_us.npy"):
        (tmp_path / name).unlink()
    found = OnlineFeatures.open(tmp_path).history(B)
    assert (found.items.tolist(), found.events.tolist(), found.at_us) == ([4, 5], [0, 0], None)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("fault", ["missing", "empty", "cut", "other type", "other length"])
def test_damage_is_found_on_opening(tmp_path, file, fault):
    path = write(tmp_path, {A: [(1, 1, 5)], B: [(2, 1, 6), (3, 2, 7)]}) / file
    whole = path.read_bytes()
    path.unlink()
    if fault == "other type":
        np.save(path, np.zeros(3, np.float64))
    elif fault == "other length":
        np.save(path, np.load(_again(tmp_path, file, whole))[:-1])
    elif fault != "missing":
        path.write_bytes(whole[:-1] if fault == "cut" else b"")
    with pytest.raises(BundleError) as caught:
        OnlineFeatures.open(tmp_path)
    assert caught.value.code is Code.BUNDLE_DAMAGED


def _again(folder, file, content):
    (folder / f"copy-{file}").write_bytes(content)
    return folder / f"copy-{file}"


def test_reading_needs_numpy_and_nothing_heavy():
    script = "import sys, endcap.features.online; print([m for m in ('ibis', 'duckdb', 'pandas') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


GAP = 1_800_000_000
NOON = day_start_us("2026-03-10") + DAY_US // 2
# Instants meet each other and the edges of windows: whole gaps, whole days, a microsecond beside them.
APART = st.sampled_from([0, 1, -1, GAP, GAP + 1, DAY_US, 2 * DAY_US, 7 * DAY_US, 30 * DAY_US, 5 * GAP])
TOLD = st.tuples(
    APART, APART, st.sampled_from(["view_item", "add_to_cart", "purchase", "search"]), st.text("AB", max_size=2)
)


def events_of(told):
    for number, (one, other, name, named) in enumerate(told):
        items = "" if name == "search" else named or "A"
        prices = [None if (number + place) % 3 == 0 else 7 * number + place for place in range(len(items))]
        yield LandedEvent(
            event_id=f"{number:032x}",
            event_name=name,
            at_us=NOON - one - other,
            user_key=A,
            items=tuple(LandedItem(item_id=i, price_minor=price) for i, price in zip(items, prices, strict=True)),
        )


def rows_of(events):
    for event in events:
        for item in event.items or [LandedItem()]:
            yield {"event_name": event.event_name, "at_us": event.at_us, "item_id": item.item_id,
                   "price_minor": item.price_minor}  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(TOLD, max_size=12), APART)
def test_features_of_now_are_those_of_plain_loops(told, later):
    events = list(events_of(told))
    found = features_at(pack(events), NOON + later, gap_us=GAP)
    wanted = plain_features(rows_of(events), NOON + later, gap_us=GAP)
    assert dict(found.values) == wanted
    assert [type(value) for value in found.values.values()] == [type(value) for value in wanted.values()]
    assert found.approximate == ()


def test_what_never_pauses_is_parted_at_midnight_as_in_the_tables():
    told = [(number * GAP, 0, "view_item", "A") for number in range(200)]
    events = list(events_of(told))
    for later in (1, GAP, DAY_US // 2, DAY_US // 2 + 1):
        found = features_at(pack(events), NOON + later, gap_us=GAP)
        assert dict(found.values) == plain_features(rows_of(events), NOON + later, gap_us=GAP)


def test_features_that_reach_behind_the_cut_are_approximate_and_no_others():
    def approximate(days):
        known = VisitorRows(cut_us=NOON - days * DAY_US)
        return set(features_at(known, NOON, gap_us=GAP).approximate)

    names = {feature.name for feature in of_instants()}
    assert approximate(34) == set()
    assert approximate(31) == {"num_sessions_30d"}  # whether a session starts depends on two days more
    sessions = {name for name in names if name.startswith("session_")}
    assert approximate(3) == {name for name in names if not name.endswith("_1d")} | {"num_sessions_1d"}
    assert sessions <= approximate(3)
    assert approximate(4) == {name for name in names if not name.endswith("_1d")} - sessions
    assert approximate(0.5) == names


@settings(max_examples=60, deadline=None)
@given(st.lists(TOLD, max_size=12), st.integers(1, 6))
def test_a_feature_that_does_not_say_it_is_approximate_is_exact(told, most):
    events = list(events_of(told))
    found = features_at(pack(events).limited(most), NOON + 1, gap_us=GAP)
    wanted = plain_features(rows_of(events), NOON + 1, gap_us=GAP)
    assert {name for name, value in found.values.items() if value != wanted[name]} <= set(found.approximate)


def test_of_whom_nothing_can_be_known_nothing_is_certain():
    assert set(NOTHING_KNOWN.approximate) == set(NOTHING_KNOWN.values)
    assert set(features_at(VisitorRows(cut_us=UNKNOWN), NOON, gap_us=GAP).approximate) == set(NOTHING_KNOWN.values)
