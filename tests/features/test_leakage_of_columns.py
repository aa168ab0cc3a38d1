import numpy as np
import pyarrow as pa
import pytest

from endcap.features import leakage_of_columns as module
from endcap.features.leakage_frame import FrameRoles, read_frame
from endcap.features.leakage_of_columns import leaks_of_columns
from endcap.metrics.chance import binomial_at_most


def found(roles=None, **columns):
    return leaks_of_columns(read_frame(pa.table(columns), roles or FrameRoles("bought")))


def named(result):
    return [(each.name, each.column) for each in result[0]]


def frame(rng, wrong, num=1_500):
    """Labels, and a column that puts all but `wrong` of the pairs in order."""
    bought = rng.random(num) < 0.5
    # A positive one is certain, a negative one is either below all of these or drawn from among them.
    among = rng.random(num) < 2 * wrong
    return bought, np.where(bought | among, 1 + rng.random(num), rng.random(num))


def test_a_column_that_is_right_in_nearly_all_pairs_is_found_and_a_good_one_is_not():
    rng = np.random.default_rng(1)
    bought, sure = frame(rng, 0.0)
    good = bought + rng.normal(0, 1, len(bought))
    assert named(found(bought=bought, sure=sure, good=good)) == [("column-tells-the-label", "sure")]


@pytest.mark.parametrize("kind", ["text", "not monotone", "reversed"])
def test_it_does_not_matter_how_a_column_tells_it(kind):
    rng = np.random.default_rng(2)
    bought = rng.random(2_000) < 0.3
    ways = {
        "text": np.where(bought, "paid", rng.choice(["open", "left"], 2_000)),
        "not monotone": np.where(bought, rng.choice([-5.0, 5.0], 2_000), 0) + rng.normal(0, 1, 2_000),
        "reversed": -1.0 * bought + rng.normal(0, 0.1, 2_000),
    }
    assert named(found(bought=bought, column=ways[kind])) == [("column-tells-the-label", "column")]


def test_columns_at_the_very_edge_are_reported_as_seldom_as_is_said(monkeypatch):
    level, repeats = 0.1, 120
    monkeypatch.setattr(module, "FALSE_ALARM", level)
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(repeats):
        bought, edge = frame(rng, module.LEAST_WRONG, num=900)
        alarms += bool(found(bought=bought, edge=edge)[0])
    # More than that many would come of a rate above `level` only once in a thousand.
    most = next(count for count in range(repeats) if 1 - binomial_at_most(count, trials=repeats, p=level) < 1e-3)
    assert alarms <= most


def test_too_few_examples_are_said_and_not_judged():
    bought = np.arange(200) % 2 == 0
    result = found(bought=bought, copy=bought * 1.0)
    assert named(result) == []
    assert "pairs of examples" in result[1][0]


def test_columns_filled_or_missing_for_buyers_only_are_found_and_holes_at_random_are_not():
    rng = np.random.default_rng(4)
    bought = rng.random(6_000) < 0.2
    value = rng.random(6_000)
    columns = {
        "order": pa.array(np.where(bought & (rng.random(6_000) < 0.6), value, np.nan), from_pandas=True),
        "left_at": pa.array(np.where(bought, np.nan, value), from_pandas=True),
        "holes": pa.array(np.where(rng.random(6_000) < 0.5, value, np.nan), from_pandas=True),
    }
    assert named(found(bought=bought, **columns)) == [
        ("missingness-tells-the-label", "order"), ("missingness-tells-the-label", "left_at")
    ]  # fmt: skip


def test_a_column_that_lasts_is_no_leak_where_the_last_label_tells_as_much():
    rng = np.random.default_rng(5)
    member = np.repeat(rng.random(1_500) < 0.4, 4)
    columns = {"user": [str(number // 4) for number in range(6_000)], "bought": member}
    columns |= {"at": rng.permutation(6_000) + 10**9, "status": np.where(member, "gold", "none")}
    without = pa.table(columns).drop(["at"]).to_pydict()
    assert named(found(FrameRoles("bought", id="user"), **without)) == [("column-tells-the-label", "status")]
    assert named(found(FrameRoles("bought", at="at", id="user"), **columns)) == []


def test_a_running_number_is_a_clock_and_an_age_is_none():
    rng = np.random.default_rng(6)
    at = np.sort(rng.integers(10**15, 10**15 + 10**12, 800))
    columns = {"at": at, "bought": rng.random(800) < 0.3, "number": np.arange(800), "age": rng.random(800)}
    assert named(found(FrameRoles("bought", at="at"), **columns)) == [("column-is-a-clock", "number")]
