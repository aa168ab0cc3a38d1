import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.tables import SLATES
from endcap.features.config import FeaturesConfig
from endcap.features.daily import item_days
from endcap.features.negative_pools import Pools
from endcap.features.negatives import KnownItems, draw_negatives, known_items
from endcap.features.negatives_config import (
    HardNegatives,
    PopularityNegatives,
    UnclickedNegatives,
    UniformNegatives,
)
from endcap.sessions.config import SessionsConfig
from endcap.sessions.exposures import find_exposures
from endcap.sessions.sessionize import sessionize

KNOWN = KnownItems(pa.array(["A", "B", "C"]), np.array([16, 1, 0]))
SESSIONS = np.arange(1000, dtype=np.uint64) * np.uint64(2**50 + 7)
POSITIONS = np.arange(1000) % 5 + 1
ROWS = np.arange(1000)
NOTHING = KnownItems(pa.array([], pa.string()), np.zeros(0, np.int64))
UNIFORM, POPULARITY, UNCLICKED = UniformNegatives(num=3), PopularityNegatives(num=2), UnclickedNegatives(num=4)
HARD = HardNegatives(num=5, model="two_tower", version="0123456789abcdef")
ALL = (UNIFORM, POPULARITY, UNCLICKED, HARD)
laws = settings(max_examples=20, deadline=None, derandomize=True)


def pools_of(rows):
    """Pools of the first examples: unclicked ones of 0 to 3 items, hard ones of 0 or 2."""
    sizes = np.array([0, 3, 1, 2])[rows % 4]
    unclicked = Pools(pa.array(["X", "Y", "Z"]), np.zeros(len(rows), np.int64), sizes)
    hard = Pools(pa.array(["N0", "N1", "N2", "N3"]), rows % 2 * 2, np.where(rows % 3 == 0, 0, 2))
    return {"unclicked": unclicked, "hard": hard}


def drawn(samplers, rows=ROWS, *, known=KNOWN, seed=1):
    """Draws of some examples: for each a list of (kind, item, probability)."""
    config = FeaturesConfig(negatives=samplers)
    found = draw_negatives(known, SESSIONS[rows], POSITIONS[rows], config, pools_of(rows), seed=seed)
    items, chances, kinds = (each.to_pylist() for each in found)
    return [list(zip(*each, strict=True)) for each in zip(kinds, items, chances, strict=True)]


def chi_square(found, expected):
    """The statistic over the items that can be drawn."""
    assert set(found) <= set(expected)
    total = sum(found.values())
    return sum((found.get(item, 0) - total * p) ** 2 / (total * p) for item, p in expected.items())


def counted(draws, kind):
    items = [item for each in draws for name, item, _ in each if name == kind]
    return {item: items.count(item) for item in set(items)}


def test_only_items_of_the_days_before_are_known(engine, world):
    events = world(["ann 0 view_item_list A B", "ann 1 view_item B", "ann 2 purchase B", "ann 1d+0 view_item C"])
    days = ["2016-09-01", "2016-09-02", "2016-09-03"]
    sessions = engine.materialise(sessionize(events, SessionsConfig(), days=days))
    exposures = find_exposures(events, sessions, engine.read_snapshot([], SLATES), SessionsConfig(), days=days)
    known = known_items(engine, item_days(events, exposures), days=days)
    assert {day: dict(zip(of.item_ids.to_pylist(), of.counts.tolist(), strict=True)) for day, of in known.items()} == {
        "2016-09-01": {},
        "2016-09-02": {"A": 0, "B": 2},
        "2016-09-03": {"A": 0, "B": 2, "C": 1},
    }


def test_the_default_draws_what_it_always_drew():
    known = KnownItems(pa.array([f"I{number:03}" for number in range(60)]), np.arange(60) ** 2 % 97)
    items, chances, kinds = draw_negatives(known, SESSIONS[:500], POSITIONS[:500], FeaturesConfig(), {}, seed=17)
    told = "".join(items.flatten().to_pylist()).encode() + np.asarray(chances.flatten()).tobytes()
    # Digest of what was drawn when there was one sampler.
    assert hashlib.sha256(told).hexdigest() == "6d00b4e6f142cf4dfcf9e155ab76daa9d65bc1ed9b3c5f7fdba5264919a870c5"
    assert set(kinds.flatten().to_pylist()) == {"popularity"}


def test_draws_by_popularity_tell_their_probability():
    (draws,) = drawn([PopularityNegatives(num=40, power=0.5)], np.array([0]))
    told = {item: p for _, item, p in draws}
    assert told["A"] == pytest.approx(4000 / 5001)
    assert told["B"] == pytest.approx(1000 / 5001)


def test_each_sampler_makes_exactly_its_draws_and_an_empty_pool_is_made_up_by_popularity():
    for row, draws in enumerate(drawn(ALL)):
        kinds = [kind for kind, _, _ in draws]
        unclicked = "popularity" if row % 4 == 0 else "unclicked"
        hard = "popularity" if row % 3 == 0 else "hard"
        assert kinds == ["uniform"] * 3 + ["popularity"] * 2 + [unclicked] * 4 + [hard] * 5


def test_draws_from_a_pool_tell_that_each_of_its_items_is_as_likely():
    draws = drawn([UNCLICKED, HARD])
    assert {(item, p) for kind, item, p in draws[1] if kind == "unclicked"} <= {
        ("X", 1 / 3),
        ("Y", 1 / 3),
        ("Z", 1 / 3),
    }
    assert [(item, p) for kind, item, p in draws[2] if kind == "unclicked"] == [("X", 1.0)] * 4
    assert {(item, p) for kind, item, p in draws[1] if kind == "hard"} <= {("N2", 0.5), ("N3", 0.5)}


def test_frequencies_are_the_stated_probabilities():
    """Chi-square at the one in ten thousand: with these seeds it is passed or not for good."""
    draws = drawn(ALL)
    assert chi_square(counted(draws, "uniform"), dict.fromkeys("ABC", 1 / 3)) < 18.4  # 2 degrees of freedom
    by_power = np.array([8000, 1000, 1]) / 9001
    assert chi_square(counted(draws, "popularity"), dict(zip("ABC", by_power, strict=True))) < 18.4
    of_three = counted(drawn([UNCLICKED], np.arange(1, 1000, 4)), "unclicked")
    assert chi_square(of_three, dict.fromkeys("XYZ", 1 / 3)) < 18.4
    of_hard = counted([each for row, each in enumerate(draws) if row % 2], "hard")
    assert chi_square(of_hard, {"N2": 0.5, "N3": 0.5}) < 15.1  # 1 degree


@laws
@given(rows=st.lists(st.integers(0, 999), min_size=1, max_size=12, unique=True), seed=st.integers(0, 2**31 - 1))
def test_neither_batching_nor_the_order_of_examples_changes_a_draw(rows, seed):
    rows = np.array(rows)
    together = drawn(ALL, rows, seed=seed)
    assert [drawn(ALL, rows[[place]], seed=seed)[0] for place in range(len(rows))] == together
    assert drawn(ALL, rows[::-1], seed=seed) == together[::-1]


@laws
@given(
    kept=st.sets(st.integers(0, 3), min_size=1),
    order=st.permutations(range(4)),
    power=st.floats(0, 1),
    seed=st.integers(0, 2**31 - 1),
)
def test_another_sampler_changes_no_draw_of_one_that_is_there(kept, order, power, seed):
    """Whatever stands beside it, before it or after it."""
    samplers = [UNIFORM, PopularityNegatives(num=2, power=power), UNCLICKED, HARD]
    rows = np.arange(12)
    alone = {place: drawn([samplers[place]], rows, seed=seed) for place in kept}
    some = [samplers[place] for place in order if place in kept]
    for row, draws in enumerate(drawn(some, rows, seed=seed)):
        expected = [draw for place in order if place in kept for draw in alone[place][row]]
        assert draws == expected


def test_more_draws_go_on_where_fewer_ended():
    fewer, more = drawn([UniformNegatives(num=2)]), drawn([UniformNegatives(num=7)])
    assert [each[:2] for each in more] == fewer


def test_no_two_samplers_draw_in_step():
    by_count = KnownItems(pa.array([f"I{n:03}" for n in range(1000)]), np.ones(1000, np.int64))
    pairs = drawn([UniformNegatives(num=1), PopularityNegatives(num=1)], known=by_count)
    assert sum(one[1] == other[1] for one, other in pairs) < 10


def test_another_seed_and_another_position_draw_anew():
    config = FeaturesConfig(negatives=[UNIFORM])
    once = draw_negatives(KNOWN, SESSIONS, POSITIONS, config, {}, seed=1)[0]
    assert once != draw_negatives(KNOWN, SESSIONS, POSITIONS, config, {}, seed=2)[0]
    assert once != draw_negatives(KNOWN, SESSIONS, POSITIONS + 1, config, {}, seed=1)[0]


def test_where_no_item_is_known_only_pools_are_drawn_from():
    kinds = [{kind for kind, _, _ in each} for each in drawn(ALL, np.arange(4), known=NOTHING)]
    assert kinds == [set(), {"unclicked", "hard"}, {"unclicked", "hard"}, {"unclicked"}]


@pytest.mark.parametrize(("known", "samplers"), [(NOTHING, [UNIFORM, POPULARITY]), (KNOWN, [])])
def test_without_known_items_or_wish_the_lists_are_empty(known, samplers):
    assert drawn(samplers, np.arange(2), known=known) == [[], []]


def test_without_examples_there_are_no_lists():
    assert drawn(ALL, np.zeros(0, np.int64)) == []
