import numpy as np
import pyarrow as pa
import pytest

from endcap.core.tables import SLATES
from endcap.features.config import FeaturesConfig
from endcap.features.daily import item_days
from endcap.features.negatives import KnownItems, draw_negatives, known_items
from endcap.sessions.config import SessionsConfig
from endcap.sessions.exposures import find_exposures
from endcap.sessions.sessionize import sessionize

KNOWN = KnownItems(pa.array(["A", "B", "C"]), np.array([16, 1, 0]))
SESSIONS = np.arange(1000, dtype=np.uint64) * np.uint64(2**50 + 7)
POSITIONS = np.arange(1000) % 5 + 1


def test_only_items_of_the_days_before_are_known(engine, world):
    events = world(["ann 0 view_item_list A B", "ann 1 view_item B", "ann 2 purchase B", "ann 1d+0 view_item C"])
    days = ["2016-09-01", "2016-09-02", "2016-09-03"]
    sessions = engine.materialise(sessionize(events, SessionsConfig(), days=days))
    exposures = find_exposures(events, sessions, engine.read_snapshot([], SLATES), SessionsConfig(), days=days)
    known = known_items(engine, item_days(events, exposures, click_events=("select_item",)), days=days)
    assert {day: dict(zip(of.item_ids.to_pylist(), of.counts.tolist(), strict=True)) for day, of in known.items()} == {
        "2016-09-01": {},
        "2016-09-02": {"A": 0, "B": 2},
        "2016-09-03": {"A": 0, "B": 2, "C": 1},
    }


def test_draws_follow_the_counts_and_tell_their_probability():
    config = FeaturesConfig(num_negatives=4, negative_power=0.5)
    items, chances = draw_negatives(KNOWN, SESSIONS, POSITIONS, config, seed=1)
    told = dict(zip(items.flatten().to_pylist(), chances.flatten().to_pylist(), strict=True))
    assert told["A"] == pytest.approx(4000 / 5001)
    assert told["B"] == pytest.approx(1000 / 5001)
    share = items.flatten().to_pylist().count("A") / 4000
    assert share == pytest.approx(0.8, abs=4 * (0.8 * 0.2 / 4000) ** 0.5)


def test_a_draw_depends_on_its_own_example_alone():
    config = FeaturesConfig(num_negatives=3)
    items, chances = draw_negatives(KNOWN, SESSIONS, POSITIONS, config, seed=1)
    few, few_chances = draw_negatives(KNOWN, SESSIONS[[7, 2]], POSITIONS[[7, 2]], config, seed=1)
    assert few.to_pylist() == [items[7].as_py(), items[2].as_py()]
    assert few_chances.to_pylist() == [chances[7].as_py(), chances[2].as_py()]


def test_another_seed_and_another_position_draw_anew():
    config = FeaturesConfig(num_negatives=3)
    once = draw_negatives(KNOWN, SESSIONS, POSITIONS, config, seed=1)[0]
    assert once != draw_negatives(KNOWN, SESSIONS, POSITIONS, config, seed=2)[0]
    assert once != draw_negatives(KNOWN, SESSIONS, POSITIONS + 1, config, seed=1)[0]


@pytest.mark.parametrize(
    ("known", "num_negatives"), [(KnownItems(pa.array([], pa.string()), np.zeros(0, np.int64)), 4), (KNOWN, 0)]
)
def test_without_known_items_or_wish_the_lists_are_empty(known, num_negatives):
    items, chances = draw_negatives(
        known, SESSIONS[:2], POSITIONS[:2], FeaturesConfig(num_negatives=num_negatives), seed=1
    )
    assert items.to_pylist() == chances.to_pylist() == [[], []]
