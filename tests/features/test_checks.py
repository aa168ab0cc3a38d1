"""The checks, and the laws of the whole room: neither the future, nor the order of rows, nor the batch matters."""

from functools import partial

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from endcap.core.clock import day_start_us, days_between
from endcap.core.errors import Code, DataError
from endcap.core.tables import EXPOSURES, ITEM_DAYS, ITEM_FEATURES, USER_DAYS, USER_FEATURES
from endcap.features.checks import check_days, check_examples, check_features, check_negatives, check_sequences
from endcap.features.config import FeaturesConfig
from endcap.features.daily import item_days
from endcap.features.negatives_config import HardNegatives, PopularityNegatives, UnclickedNegatives, UniformNegatives

DAYS = days_between("2016-09-01", "2016-09-05")
CONFIG = FeaturesConfig(negatives=[PopularityNegatives(num=2)])
WORLD = """
    ann 0       view_item_list A@300 B
    ann 1       select_item A
    ann 2       view_item A@300
    ann 3       view_item B
    ann 4       purchase A@300
    bob 1d+0    view_item B@100
    bob 1d+1    add_to_cart A
    ann 1d+0    view_item C
    ann 1d+1    view_item A
"""
EVERY_KIND = FeaturesConfig(
    negatives=[
        UniformNegatives(num=2),
        PopularityNegatives(num=2),
        UnclickedNegatives(num=2),
        HardNegatives(num=2, model="two_tower", version="0123456789abcdef"),
    ]
)


def neighbours(wanted):
    """B and C are near everything but themselves."""
    return pa.array([[near for near in "BC" if near != item] for item in wanted.to_pylist()], pa.list_(pa.string()))


# Building the expressions costs more than running them: few examples of many users each, and none made smaller.
few = settings(max_examples=2, deadline=None, derandomize=True, phases=[Phase.generate])


@pytest.fixture(scope="module")
def small(made):
    """All tables of a small world."""
    return made(WORLD, DAYS, all_days=DAYS)


@pytest.fixture(scope="module")
def item_days_of(engine, world):
    """The daily counts of a world, without exposures."""

    def counted(text):
        events = world(text)
        nothing = engine.read_snapshot([], EXPOSURES)
        return engine.materialise(item_days(events, nothing))

    return counted


def refused(check, *args):
    with pytest.raises(DataError) as caught:
        check(*args)
    assert caught.value.code == Code.CONTRACT_BROKEN
    return caught.value.what


def test_what_the_room_makes_passes(engine, small):
    check_features(engine, small["user_features"], USER_FEATURES)
    check_features(engine, small["item_features"], ITEM_FEATURES)
    check_sequences(engine, small["sequences"], CONFIG)
    check_examples(engine, small["examples"], CONFIG)


def test_a_day_that_counts_more_of_a_part_than_of_the_whole_is_told(engine, small):
    for table, rows, part in ((ITEM_DAYS, "item_days", "num_clicks"), (USER_DAYS, "user_days", "num_priced")):
        check_days(engine, small[rows], table)
        assert f"count more {part} than" in refused(check_days, engine, small[rows].mutate(**{part: 99}), table)


def test_a_window_that_counts_less_than_a_shorter_one_is_told(engine, small):
    table = small["item_features"].mutate(num_views_7d=-1, days_since_first_seen=0)
    what = refused(check_features, engine, table, ITEM_FEATURES)
    assert "rows count more num_views in 1 than in 7 days" in what
    assert "rows were last seen before they were first seen" in what


def test_a_sequence_out_of_order_or_beyond_its_day_is_told(engine, small):
    table = small["sequences"]
    late = table.mutate(at_us_list=table.at_us_list.map(lambda at_us: 2 * day_start_us("2016-09-20") - at_us))
    what = refused(check_sequences, engine, late, CONFIG)
    for fault in ("are out of order", "do not start at started_us", "histories that reach into", "outside their day"):
        assert fault in what
    longer = table.mutate(item_ids=table.item_ids.concat(table.item_ids))
    assert "different lengths" in refused(check_sequences, engine, longer, CONFIG)


def test_examples_that_do_not_fit_together_are_told(engine, small):
    values = {"context_item_ids": ["A", "B"], "item_id": "B", "negative_p": [0.0], "carted": False, "purchased": False}
    table = small["examples"].mutate(**{name: ibis.literal(value) for name, value in values.items()})
    what = refused(check_examples, engine, table, CONFIG)
    for fault in ("context of the wrong length", "the target as the last item", "carted or purchased but"):
        assert fault in what


def test_negatives_that_were_not_drawn_as_asked_for_are_told(engine, small, item_days_of):
    counted, table = item_days_of(WORLD), small["examples"]

    def told(config=CONFIG, counted=counted, **values):
        changed = table.mutate(**{name: ibis.literal(value) for name, value in values.items()})
        return refused(partial(check_negatives, days=DAYS), engine, changed, counted, config)

    check_negatives(engine, table, counted, CONFIG, days=DAYS)
    for samplers in ([PopularityNegatives(num=1)], [PopularityNegatives(num=2), UniformNegatives(num=1)]):
        assert "wrong number of negatives" in told(FeaturesConfig(negatives=samplers))
    assert "wrong number of negatives" in told(negative_kinds=["unclicked", "unclicked"])
    assert "without a probability or a kind" in told(negative_kinds=["popularity"])
    assert "without a probability or a kind" in told(negative_p=[0.5])
    for chance in (0.0, 1.5):
        assert "outside (0, 1]" in told(negative_p=[0.5, chance])
    # On the first day nothing is known, and nothing can have been drawn.
    first_day = {"negative_item_ids": ["A", "B"], "negative_p": [0.5, 0.5], "negative_kinds": ["popularity"] * 2}
    assert "2 rows have the wrong number" in told(counted=counted.filter(counted.item_id == "none"))
    assert "rows have the wrong number" in told(**first_day)


def test_negatives_that_nobody_could_have_drawn_are_told(engine, small, item_days_of):
    later = small["examples"].filter(small["examples"].date_partition > DAYS[0])
    counted = item_days_of(WORLD)
    known = partial(check_negatives, days=DAYS)
    new = later.mutate(negative_item_ids=ibis.literal(["A", "NEW"]))
    assert "draw an item not known before the day" in refused(known, engine, new, counted, CONFIG)
    unclicked = FeaturesConfig(negatives=[UnclickedNegatives(num=2)])
    own = later.mutate(negative_item_ids=ibis.array([later.item_id, ibis.literal("NEW")]),
                       negative_kinds=ibis.literal(["unclicked"] * 2))  # fmt: skip
    what = refused(known, engine, own, counted, unclicked)
    assert "draw the target from a pool without it" in what
    assert "not known" not in what


def random_world(seed):
    """A world of eight users over four days, most of them busy around midnight."""
    rng = np.random.default_rng(seed)
    names = ["view_item_list", "select_item", "view_item", "view_item", "add_to_cart", "purchase"]
    lines = set()
    for _ in range(300):
        near_midnight = 1440 * rng.integers(1, 4) + rng.integers(-60, 60)
        minute = near_midnight if rng.random() < 0.7 else rng.integers(0, 4 * 1440)
        told = " ".join(f"{item}@{rng.integers(100, 104)}" for item in rng.choice(list("ABCD"), rng.integers(1, 4)))
        lines.add(f"{rng.choice(list('stuvwxyz'))} {minute} {rng.choice(names)} {told}")
    return sorted(lines)


@few
@given(seed=st.integers(0, 2**32))
def test_neither_later_events_nor_the_order_of_rows_change_what_was_known(made, rows_of, seed):
    lines = random_world(seed)
    end_us = day_start_us(DAYS[3])
    past = [line for line in lines if int(line.split()[1]) < 3 * 1440]
    shuffled = [lines[place] for place in np.random.default_rng(seed).permutation(len(lines))]
    then, later = (made(world, DAYS[:4], all_days=DAYS) for world in (past, shuffled))
    for name in ("item_features", "user_features"):  # the last of these days is the one after the past
        assert rows_of(then[name]) == rows_of(later[name])
    known = [each["sequences"].filter(each["sequences"].date_partition < DAYS[3]) for each in (then, later)]
    histories, later_histories = (rows_of(each.filter(each.scope == "user")) for each in known)
    assert histories == later_histories
    assert histories
    steps, later_steps = (each["examples"].filter(each["examples"].at_us < end_us) for each in (then, later))
    columns = [column for column in steps.columns if column not in ("carted", "purchased")]
    assert rows_of(steps, *columns) == rows_of(later_steps, *columns)
    assert rows_of(steps)


@settings(few, max_examples=1)
@given(seed=st.integers(0, 2**32))
def test_a_day_made_from_the_days_it_needs_equals_the_same_day_of_all_at_once(made, rows_of, seed):
    lines = random_world(seed)
    world = partial(made, lines, all_days=DAYS, config=EVERY_KIND, neighbours=neighbours)
    at_once = world(DAYS[:4])
    kinds = [kind for (found,) in rows_of(at_once["examples"], "negative_kinds") for kind in found]
    assert set(kinds) == {"uniform", "popularity", "unclicked", "hard"}
    for day in DAYS[1:4]:
        alone = world([day], near=True)
        for name, table in at_once.items():
            if name in ("item_days", "user_days"):
                continue  # what the day looks back on, not what is made of it
            assert rows_of(alone[name]) == rows_of(table.filter(table.date_partition == day))
