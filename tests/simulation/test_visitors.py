from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.clock import DAY_US, day_start_us
from endcap.simulation.catalogue import make_catalogue, quantiles_at
from endcap.simulation.settings import make_world
from endcap.simulation.tastes import make_tastes
from endcap.simulation.visitors import (
    COUNTRIES,
    DEVICES,
    NEVER,
    arrivals,
    day_factors,
    draw_visitors,
    first_state,
    newcomers_until,
    num_blocks,
    tastes_change,
)

WORLD = make_world("small", items=20, visitors=2_000, block=800, days=21, seed=5, bot_share=0.02)


@pytest.fixture(scope="module")
def tastes():
    return make_tastes(WORLD, make_catalogue(WORLD))


@pytest.fixture(scope="module")
def blocks():
    return [draw_visitors(WORLD, number) for number in range(num_blocks(WORLD))]


@pytest.fixture(scope="module")
def comings(blocks, tastes):
    """For each block the sessions of all days."""
    return [
        [arrivals(WORLD, people, first_state(WORLD, tastes, people), day).may for day in range(WORLD.days)]
        for people in blocks
    ]


def flat(comings, name):
    return np.concatenate([getattr(sessions, name) for block in comings for sessions in block])


def test_blocks_hold_all_visitors_once(blocks):
    assert [people.first for people in blocks] == [0, 800, 1_600]
    assert [len(people.is_bot) for people in blocks] == [800, 800, 400]


def test_a_block_is_the_same_whatever_blocks_there_are_beside_it(blocks, tastes):
    alone = replace(WORLD, visitors=1_600)
    people = draw_visitors(alone, 1)
    for name in ("activity", "is_bot", "account", "cookie", "device", "country", "allows_ads"):
        assert (getattr(people, name) == getattr(blocks[1], name)).all()
    one, other = (arrivals(world, people, first_state(world, tastes, people), 3).may for world in (alone, WORLD))
    assert (one.visitor == other.visitor).all()
    assert (one.start_us == other.start_us).all()


def test_every_visitor_comes_and_newcomers_come_in_the_order_of_their_numbers(blocks, comings):
    for people, days in zip(blocks, comings, strict=True):
        until = newcomers_until(WORLD, len(people.is_bot)).tolist()
        for (known, now_known), sessions in zip(pairwise([0, *until]), days, strict=True):
            new = np.sort(sessions.visitor[sessions.visitor >= known])
            assert new.tolist() == list(range(known, now_known))
        assert until[-1] == len(people.is_bot)


@given(visitors=st.integers(1, 5_000), days=st.integers(1, 400), has_seasons=st.booleans())
def test_first_visits_are_spread_over_the_days_as_visits_are(visitors, days, has_seasons):
    world = replace(WORLD, visitors=visitors, days=days, has_seasons=has_seasons)
    until = newcomers_until(world, visitors)
    assert until[-1] == visitors
    new = np.diff(until, prepend=0)
    assert (new >= 0).all()
    assert (np.abs(new - visitors * day_factors(world) / days) <= 1).all()


@pytest.fixture(scope="module")
def returning(tastes):
    """How often each of the 300 visitors comes back on day 4, in 600 seeds, and the rates of the day."""
    world = replace(WORLD, visitors=300, block=300, days=7)
    people = draw_visitors(world, 0)
    state = first_state(world, tastes, people)
    known = newcomers_until(world, 300)[3]
    times = np.zeros((600, 300), int)
    for seed in range(600):
        who = arrivals(replace(world, seed=seed), people, state, 4)
        visitor = who.may.visitor[who.come]
        times[seed] = np.bincount(visitor[visitor < known], minlength=300)
    return times[:, :known], people.activity[:known] / world.days * day_factors(world)[4]


def test_returning_sessions_are_a_poisson_number_of_the_stated_mean(returning):
    """Mean and variance over 600 seeds within 4 standard errors."""
    times, rate = returning
    total, mean = times.sum(axis=1), rate.sum()
    assert abs(total.mean() - mean) < 4 * np.sqrt(mean / 600)
    assert abs(total.var(ddof=1) / mean - 1) < 4 * np.sqrt(2 / 599)


def test_each_visitor_comes_back_at_his_own_rate_independently_of_others(returning, fits):
    times, rate = returning
    assert fits([(times.sum(axis=0), rate / rate.sum())])
    one, other = times[:, ::2].sum(axis=1), times[:, 1::2].sum(axis=1)
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(600)


def test_nobody_comes_back_who_is_not_active(tastes, blocks):
    people = replace(blocks[0], activity=np.where(np.arange(800) % 2, blocks[0].activity, 0))
    until = newcomers_until(WORLD, 800)
    visitor = arrivals(WORLD, people, first_state(WORLD, tastes, people), 20).may.visitor
    back = visitor[visitor < until[19]]
    assert len(back) > 20
    assert (back % 2 == 1).all()


def test_who_is_pleased_comes_more_often_and_who_is_bored_less(tastes):
    """Rates are activity x exp(later_visits pleased), within 4 standard errors; newcomers always come."""
    world = replace(WORLD, visitors=300, block=300, days=7, later_visits=0.5)
    people = draw_visitors(world, 0)
    state = first_state(world, tastes, people)
    state.pleased = np.array([-1.0, 0.0, 1.0])[np.arange(300) % 3]
    known = newcomers_until(world, 300)[3]
    times = np.zeros(300, int)
    for seed in range(400):
        who = arrivals(replace(world, seed=seed), people, state, 4)
        assert who.come[who.may.visitor >= known].all()
        times += np.bincount(who.may.visitor[who.come], minlength=300)
    for kind, pleased in enumerate((-1, 0, 1)):
        mine = np.arange(kind, known, 3)
        mean = 400 * people.activity[mine].sum() / 7 * np.exp(0.5 * pleased) * day_factors(world)[4]
        assert abs(times[mine].sum() - mean) < 4 * np.sqrt(mean)


def test_which_sessions_there_may_be_does_not_depend_on_who_is_pleased(tastes, blocks):
    world = replace(WORLD, later_visits=0.5)
    bored, pleased = (first_state(world, tastes, blocks[0]) for _ in range(2))
    bored.pleased[:], pleased.pleased[:] = -1, 1
    one, other = (arrivals(world, blocks[0], state, 9) for state in (bored, pleased))
    for each in fields(one.may):
        assert (getattr(one.may, each.name) == getattr(other.may, each.name)).all()
    assert other.come.all()
    assert (~one.come).any()


def test_activity_has_the_distribution_of_the_world(blocks):
    """The distance of Kolmogorov and Smirnov stays below 1.95 / sqrt(n) in 99.9 of 100 seeds."""
    activity = np.sort(np.concatenate([people.activity[~people.is_bot] for people in blocks]))
    shares = np.arange(10_001) / 10_000
    told = np.interp(activity, quantiles_at(WORLD.activity, shares), shares)
    assert np.abs(told - np.arange(len(told)) / len(told)).max() < 1.95 / np.sqrt(len(told))


@given(days=st.integers(1, 800), start=st.dates(), has_seasons=st.booleans())
def test_day_factors_have_a_mean_of_one(days, start, has_seasons):
    first = start.replace(year=2000 + start.year % 100, day=min(start.day, 28)).isoformat()
    factors = day_factors(replace(WORLD, days=days, start=first, has_seasons=has_seasons))
    assert factors.mean() == pytest.approx(1)
    assert (factors > 0).all()
    assert has_seasons or (factors == 1).all()


@pytest.mark.parametrize(
    ("day", "week_before_or_after", "factor"),
    [
        ("2026-11-20", "2026-11-13", 1.6),
        ("2026-11-30", "2026-11-16", 1.6),
        ("2026-12-01", "2026-11-17", 1.35),
        ("2026-12-20", "2026-12-27", 1.35),
        ("2026-12-24", "2026-12-31", 0.6),
        ("2027-01-01", "2027-01-08", 0.7),
        ("2026-06-03", "2026-06-10", 1.0),
    ],
)
def test_holidays_are_visited_more_or_less_than_the_same_weekday_beside_them(day, week_before_or_after, factor):
    factors = day_factors(replace(WORLD, start="2026-01-01", days=500, has_seasons=True))
    one, other = ((day_start_us(each) - day_start_us("2026-01-01")) // DAY_US for each in (day, week_before_or_after))
    assert factors[one] / factors[other] == pytest.approx(factor)


def test_weekdays_are_visited_as_in_the_google_merchandise_store():
    """2026-06-01 is a Monday; Monday to Sunday."""
    factors = day_factors(replace(WORLD, start="2026-06-01", days=7, has_seasons=True))
    views = np.array([14057, 16370, 16992, 15135, 15038, 9090, 7961])
    assert factors == pytest.approx(views / views.mean())


def test_sessions_start_in_their_day_at_whole_milliseconds_mostly_in_the_american_day(comings):
    """Views at 17, 18 and 19 h UTC over those at 9, 10 and 11 h were 18,053 to 4,865 in the Google store."""
    for days in comings:
        for number, sessions in enumerate(days):
            start_us = day_start_us(WORLD.start) + number * DAY_US
            assert ((sessions.start_us >= start_us) & (sessions.start_us < start_us + DAY_US)).all()
    start_us = flat(comings, "start_us")
    assert (start_us % 1_000 == 0).all()
    hour = start_us % DAY_US // (DAY_US // 24)
    late, early = np.isin(hour, (17, 18, 19)).sum(), np.isin(hour, (9, 10, 11)).sum()
    p, count = 18_053 / (18_053 + 4_865), late + early
    assert abs(late - count * p) < 4 * np.sqrt(count * p * (1 - p))


def test_sessions_are_geometric_in_pages_and_stand_longest_first(blocks, comings, fits):
    pages = []
    for people, days in zip(blocks, comings, strict=True):
        for sessions in days:
            assert (np.diff(sessions.pages) <= 0).all()
            pages.append(sessions.pages[~people.is_bot[sessions.visitor]])
    counts = np.bincount(np.concatenate(pages))[1:]
    p = (1 - WORLD.p_next_page) * WORLD.p_next_page ** np.arange(len(counts))
    assert fits([(np.append(counts, 0), np.append(p, 1 - p.sum()))])


def test_bots_are_a_share_of_the_visitors_turn_more_than_twenty_pages_and_have_no_account(blocks, comings):
    """40 of 2,000 are expected, within 4 standard errors."""
    assert 15 <= sum(people.is_bot.sum() for people in blocks) <= 65
    for people, days in zip(blocks, comings, strict=True):
        assert (people.account[people.is_bot] == -1).all()
        for sessions in days:
            assert (sessions.pages[people.is_bot[sessions.visitor]] > 20).all()


def test_only_who_has_an_account_has_a_second_device_or_logs_in(blocks, comings):
    for people, days in zip(blocks, comings, strict=True):
        for sessions in days:
            is_nobody = people.account[sessions.visitor] < 0
            assert (sessions.which[is_nobody] == 0).all()
            assert (sessions.login_page[is_nobody] == NEVER).all()
            assert (sessions.pages[is_nobody] >= 1).all()


def test_who_has_an_account_uses_both_devices_and_logs_in_from_the_start_or_late_or_never(blocks, comings, fits):
    login, which = [], []
    for people, days in zip(blocks, comings, strict=True):
        for sessions in days:
            is_known = people.account[sessions.visitor] >= 0
            login.append(sessions.login_page[is_known])
            which.append(sessions.which[is_known])
    login, which = np.concatenate(login), np.concatenate(which)
    assert fits([(np.bincount(which), np.array([0.65, 0.35]))])
    counts = np.bincount(np.minimum(login, 6))
    assert fits([(counts, np.array([0.5, 0.05, 0.05, 0.05, 0.05, 0.05, 0.25]))])
    assert set(login.tolist()) == {0, 1, 2, 3, 4, 5, NEVER}


def test_cookies_are_different_numbers_of_eighteen_digits(blocks):
    cookies = np.concatenate([people.cookie.ravel() for people in blocks])
    assert len(np.unique(cookies)) == 4_000
    assert ((cookies >= 10**17) & (cookies < 10**18)).all()


def test_customer_numbers_are_different_and_do_not_tell_the_visitors_number(blocks):
    """20 % of the people have one, within 4 standard errors; in order of neither visitors nor anything like it."""
    account = np.concatenate([people.account for people in blocks])
    known = np.flatnonzero(account >= 0)
    assert len(set(account[known].tolist())) == len(known)
    assert abs(np.corrcoef(account[known], known)[0, 1]) < 4 / np.sqrt(len(known))
    assert abs(len(known) / 1_960 - 0.2) < 4 * np.sqrt(0.16 / 1_960)


def test_visitors_come_from_countries_with_devices_and_consent_by_their_shares(blocks, fits):
    country = np.concatenate([people.country for people in blocks])
    assert fits([(np.bincount(country), np.array([each[1] for each in COUNTRIES]))])
    device = np.concatenate([people.device.ravel() for people in blocks])
    assert fits([(np.bincount(device), np.full(len(DEVICES), 1 / len(DEVICES)))])
    consent = np.concatenate([people.allows_ads for people in blocks]).astype(int)
    assert fits([(np.bincount(consent), np.array([0.2, 0.8]))])
    traffic = np.concatenate([people.traffic.ravel() for people in blocks])
    assert fits([(np.bincount(traffic), np.array([0.4, 0.35, 0.1, 0.15]))])


def changed(world, tastes, people):
    """Days x U booleans: who was drawn anew, and the tastes after it, in the order of the days."""
    state = first_state(world, tastes, people)
    anew, drawn = np.zeros((world.days, len(people.is_bot)), bool), []
    for day in range(1, world.days):
        before = state.taste.copy()
        who = tastes_change(world, tastes, people, state, day)
        anew[day, who] = True
        drawn.append(state.taste[who])
        assert (state.taste[~anew[day]] == before[~anew[day]]).all()
    return anew[1:], np.concatenate(drawn), state


def test_first_tastes_are_drawn_from_the_prior_and_bots_have_one_of_their_own(blocks, tastes, fits):
    taste = np.concatenate([first_state(WORLD, tastes, people).taste for people in blocks])
    is_bot = np.concatenate([people.is_bot for people in blocks])
    assert (taste[is_bot] == WORLD.tastes).all()
    assert fits([(np.bincount(taste[~is_bot], minlength=WORLD.tastes), tastes.prior)])


def test_tastes_drift_as_often_as_the_world_says_to_tastes_of_the_prior(tastes, blocks, fits):
    """5 % of 800 visitors on 20 days, within 4 standard errors; undrawn after 20 days are 0.95 ** 20 of them."""
    world = replace(WORLD, drift=0.05)
    anew, drawn, state = changed(world, tastes, blocks[0])
    people = ~blocks[0].is_bot
    assert abs(anew[:, people].mean() - 0.05) < 4 * np.sqrt(0.05 * 0.95 / anew[:, people].size)
    stayed, p = ~anew[:, people].any(axis=0), 0.95**20
    assert abs(stayed.mean() - p) < 4 * np.sqrt(p * (1 - p) / people.sum())
    assert fits([(np.bincount(drawn, minlength=world.tastes), tastes.prior)])
    assert not anew[:, ~people].any()
    assert (state.taste[~people] == world.tastes).all()


def test_drift_on_one_day_says_nothing_about_the_next(tastes, blocks):
    anew, _, _ = changed(replace(WORLD, drift=0.3), tastes, blocks[0])
    people = ~blocks[0].is_bot
    both = (anew[1:] & anew[:-1])[:, people]
    assert abs(both.mean() - 0.09) < 5 * np.sqrt(0.09 * 0.91 / both.size)  # neighbouring pairs share a day


@pytest.mark.parametrize(("drift", "share"), [(0, 0), (1, 1)])
def test_nobody_or_everybody_may_drift(tastes, blocks, drift, share):
    anew, _, _ = changed(replace(WORLD, drift=drift), tastes, blocks[0])
    assert anew[:, ~blocks[0].is_bot].mean() == share


def test_a_shock_gives_its_share_of_the_visitors_another_taste_on_its_day_only(tastes, blocks):
    world = replace(WORLD, drift=0.02, start="2026-01-01", shock_day="2026-01-11", shock_share=0.4)
    anew, _, _ = changed(world, tastes, blocks[0])
    people = ~blocks[0].is_bot
    p = 1 - 0.98 * 0.6
    assert abs(anew[9, people].mean() - p) < 4 * np.sqrt(p * (1 - p) / people.sum())
    others = np.delete(anew, 9, axis=0)[:, people]
    assert abs(others.mean() - 0.02) < 4 * np.sqrt(0.02 * 0.98 / others.size)


@settings(max_examples=25, deadline=None)
@given(visitors=st.integers(1, 12), block=st.integers(1, 5), days=st.integers(1, 9), seed=st.integers(0, 2**32))
def test_everybody_comes_in_the_smallest_worlds(visitors, block, days, seed):
    world = make_world("small", items=10, visitors=visitors, block=block, days=days, seed=seed)
    tastes = make_tastes(world, make_catalogue(world))
    came = set()
    for number in range(num_blocks(world)):
        people = draw_visitors(world, number)
        state = first_state(world, tastes, people)
        for day in range(days):
            who = arrivals(world, people, state, day)
            came |= set((people.first + who.may.visitor[who.come]).tolist())
    assert came == set(range(visitors))
