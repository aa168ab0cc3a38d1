from dataclasses import fields, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.core.errors import Code, UsageError
from endcap.simulation.settings import PRESETS, World, make_world, planted_shock

presets = pytest.mark.parametrize("name", PRESETS)


@presets
def test_every_preset_is_a_world_under_its_own_name(name):
    assert make_world(name) == PRESETS[name]
    assert make_world(name).name == name


@presets
def test_the_distributions_of_a_preset_are_quantiles(name):
    for knots in (PRESETS[name].item_weights, PRESETS[name].activity):
        shares, values = zip(*knots, strict=True)
        assert (shares[0], shares[-1]) == (0, 1)
        assert all(low < high for low, high in pairwise(shares))
        assert all(0 <= low <= high for low, high in pairwise(values))


@presets
def test_attention_falls_from_place_to_place_and_some_is_left_for_no_place(name):
    attention = PRESETS[name].attention[: PRESETS[name].places]
    assert len(attention) == PRESETS[name].places
    assert all(low >= high > 0 for low, high in pairwise(attention))
    assert sum(attention) < 1


def test_places_are_looked_at_in_the_proportions_of_the_google_merchandise_store():
    first, second, *_, sixth = make_world("small").attention[:6]
    assert second / first == pytest.approx(2.3 / 3.7)
    assert sixth / first == pytest.approx(1.25 / 3.7)


def test_the_sizes_of_the_presets_are_those_of_their_originals():
    small, retailrocket, otto = (make_world(name) for name in ("small", "retailrocket", "otto"))
    assert (small.items, small.visitors, small.days) == (2_000, 20_000, 30)
    assert (retailrocket.visitors, retailrocket.days, retailrocket.start) == (1_407_580, 138, "2015-05-03")
    assert (otto.items, otto.visitors, otto.days) == (1_855_603, 12_899_779, 28)


def test_scale_is_a_factor_on_visitors_and_items_and_on_nothing_else():
    half = make_world("small", scale=0.5)
    assert (half.visitors, half.items) == (10_000, 1_000)
    assert replace(half, visitors=20_000, items=2_000) == PRESETS["small"]


def test_the_smallest_scale_leaves_a_visitor_and_ten_items():
    tiny = make_world("small", scale=1e-9)
    assert (tiny.visitors, tiny.items) == (1, 10)


def test_a_named_size_is_not_scaled():
    world = make_world("otto", scale=0.001, items=77)
    assert (world.visitors, world.items) == (12_900, 77)


@given(scale=st.floats(0.01, 2, allow_subnormal=False), days=st.integers(1, 3660), seed=st.integers(0, 2**63 - 1))
def test_what_is_named_is_changed_and_what_is_not_named_stays(scale, days, seed):
    world = make_world("stationary", scale=scale, days=days, seed=seed, drift=None)
    sizes = {"visitors": round(5_000 * scale), "items": max(10, round(500 * scale))}
    assert world == replace(PRESETS["stationary"], days=days, seed=seed, **sizes)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"days": 0}, "days is 0, it must lie in 1..3,660"),
        ({"days": 3_661}, "days is 3661"),
        ({"visitors": 0}, "visitors is 0, it must lie in 1..100,000,000"),
        ({"items": 9}, "items is 9, it must lie in 10..10,000,000"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "seed is 9223372036854775808"),
        ({"block": 0}, "block is 0"),
        ({"tastes": 1}, "tastes is 1, it must lie in 2..64"),
        ({"tastes": 65}, "tastes is 65"),
        ({"places": 0}, "places is 0"),
        ({"places": 21}, "attention must have a share >= 0 for each place"),
        ({"attention": (0.6, 0.5), "places": 2}, "none greater than the one before, at most 1 in sum"),
        ({"attraction": 0.0}, "attraction is 0.0"),
        ({"attraction": 0.7, "complement_pull": 0.31}, "attraction and complement_pull must sum to at most 1"),
        ({"p_next_page": 1.0}, "p_next_page is 1.0, it must lie in 0.0..0.95"),
        ({"later_visits": 1.1}, "later_visits is 1.1"),
        ({"feed_every_days": 0}, "feed_every_days is 0"),
        ({"drift": float("nan")}, "drift is nan"),
        ({"start": "yesterday"}, "'yesterday' is no day"),
        ({"shock_day": "soon"}, "'soon' is no day"),
        ({"days": 2.5}, "days is 2.5, it must be a whole number"),
        ({"attention": (-0.1,) * 20}, "a share >= 0 for each place"),
        ({"attention": (0.01,) * 10 + (0.02,) * 10}, "none greater than the one before"),
        ({"attention": (float("nan"),) * 20}, "a share >= 0 for each place"),
        ({"activity": ()}, "activity must be pairs"),
        ({"activity": ((0, 0), (1, -1))}, "activity must be pairs"),
        ({"activity": ((0, 1), (0.5, 2))}, "activity must be pairs"),
        ({"item_weights": ((0, 0), (1, 0))}, "item_weights must be pairs"),
        ({"start": "9999-12-30"}, "is no range of days"),
        ({"shock_day": "soon"}, "is no range of days|soon"),
        ({"shock_day": "2026-01-01"}, "2026-01-01 is not after 2026-01-01 and up to 2026-01-14"),
        ({"shock_day": "2026-01-15"}, "2026-01-15 is not after"),
    ],
)
def test_a_value_out_of_its_range_is_refused_with_the_range(wrong, told):
    with pytest.raises(UsageError, match=told) as refused:
        make_world("stationary", **wrong)
    assert refused.value.code is Code.USAGE


SHARES = [
    *("p_land_on_item", "p_list", "p_follow", "p_repeat", "p_remove", "p_checkout", "p_pay", "p_return"),
    *("drift", "bot_share", "account_share", "shock_share"),
]


@pytest.mark.parametrize("name", SHARES)
def test_a_share_lies_between_none_and_all(name):
    assert [getattr(make_world("small", **{name: share}), name) for share in (0, 1)] == [0, 1]
    for share in (-0.001, 1.001):
        with pytest.raises(UsageError, match=f"{name} is {share}, it must lie in 0.*1"):
            make_world("small", **{name: share})


def test_the_flag_to_look_at_is_told():
    with pytest.raises(UsageError) as refused:
        make_world("small", days=0)
    assert refused.value.where == "--days"
    with pytest.raises(UsageError) as refused:
        make_world("small", shock_share=2)
    assert refused.value.where == "shock_share"  # there is no such option


@pytest.mark.parametrize(
    ("first", "second"),
    [("2026-01-11", "2026-01-12"), ("20260111", "20260112"), ("2026-W02-7", "2026-W03-1")],
)
def test_days_are_read_however_they_are_written(first, second):
    world = make_world("small", start=first, shock_day=second)
    assert (world.start, world.shock_day) == ("2026-01-11", "2026-01-12")


@pytest.mark.parametrize("scale", [0, -1, 100.5, float("nan"), float("inf")])
def test_a_scale_that_makes_no_world_is_refused(scale):
    with pytest.raises(UsageError, match="it must be above 0 and at most 100"):
        make_world("small", scale=scale)


def test_a_scale_that_makes_too_many_visitors_is_refused():
    with pytest.raises(UsageError, match="visitors is 128997790"):
        make_world("otto", scale=10)


def test_an_unknown_preset_is_refused_with_the_near_name():
    with pytest.raises(UsageError, match="there is no preset 'smal'; did you mean 'small'"):
        make_world("smal")


def test_a_preset_like_no_other_is_refused_with_all_names():
    with pytest.raises(UsageError, match="known: otto, retailrocket, small, stationary"):
        make_world("xyz")


def test_an_unknown_setting_is_refused_with_the_near_name():
    with pytest.raises(UsageError, match="there is no setting 'p_kart'; did you mean 'p_cart'"):
        make_world("small", p_kart=0.1)


def test_a_shock_may_come_on_the_second_and_on_the_last_day():
    for day in ("2026-01-02", "2026-01-14"):
        assert make_world("stationary", shock_day=day).shock_day == day


@pytest.mark.parametrize(
    "change", [{"has_stock": True}, {"later_visits": 0.1}, {"p_repeat": 0.1}, {"changes_range": True}]
)
def test_a_world_has_a_memory_as_soon_as_one_thing_depends_on_the_days_before(change):
    assert make_world("stationary").is_memoryless
    assert not make_world("stationary", **change).is_memoryless


def test_seasons_drift_shocks_and_bots_are_no_memory():
    world = make_world("stationary", has_seasons=True, drift=0.5, shock_day="2026-01-05", bot_share=0.1)
    assert world.is_memoryless


def test_every_setting_is_told_in_the_docstring():
    assert [each.name for each in fields(World) if f"\n        {each.name}: " not in World.__doc__] == []


MONTH = make_world("small")  # 30 days from 2026-01-01


@pytest.mark.parametrize(
    ("words", "day", "left"),
    [
        ([], "", []),
        (["late", "garbage=0.1"], "", ["late", "garbage=0.1"]),
        (["drift_shock"], "2026-01-21", []),
        (["late", "drift_shock=2026-01-09"], "2026-01-09", ["late"]),
        (["all"], "2026-01-21", ["all"]),
        (["drift_shock=2026-01-09", "all"], "2026-01-09", ["all"]),
    ],
)
def test_a_shock_that_is_asked_for_among_the_faults_is_planted_in_the_world(words, day, left):
    assert planted_shock(MONTH, words) == (replace(MONTH, shock_day=day), left)


@pytest.mark.parametrize("day", ["2026-01-01", "2026-02-01", "soon"])
def test_a_shock_on_no_day_of_the_world_is_refused(day):
    with pytest.raises(UsageError):
        planted_shock(MONTH, [f"drift_shock={day}"])


def test_days_are_days_however_they_are_written():
    assert make_world("small", start="20260103").start == "2026-01-03"
    world, _ = planted_shock(make_world("small"), ["drift_shock=20260108"])
    assert world.shock_day == "2026-01-08"


def test_a_world_of_one_day_has_all_faults_but_no_shock():
    world, left = planted_shock(make_world("small", days=1), ["all"])
    assert (world.shock_day, left) == ("", ["all"])
