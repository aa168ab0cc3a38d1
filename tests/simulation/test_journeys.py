from collections import Counter, defaultdict
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pytest

from endcap.core.clock import DAY_US, day_start_us
from endcap.core.errors import UsageError
from endcap.simulation.in_memory import live
from endcap.simulation.journeys import Journeys
from endcap.simulation.policies import Asked, Popular, Random, Slates
from endcap.simulation.settings import make_world
from endcap.simulation.streams import Purpose, stream
from endcap.simulation.truth import click_given_eye, expected_of

# Everything happens here: several blocks, scarce stock, two weeks of range, bots, repeats, moods.
LIVELY = make_world(
    "small", items=40, visitors=1_500, block=600, days=10, places=8, tastes=4, seed=4, bot_share=0.02, p_repeat=0.3
)
# And here nothing depends on the day before; carts are frequent so that few visitors suffice.
CALM = make_world(
    "stationary",
    items=50,
    visitors=3_000,
    days=4,
    places=8,
    tastes=4,
    seed=2,
    p_list=0.8,
    p_cart=0.3,
    p_land_on_item=0.5,
    p_remove=0.4,
)


def scarce(shelves):
    shelves.pieces[:] = 3
    shelves.full[:] = 3


@pytest.fixture(scope="module")
def days():
    return list(live(LIVELY, Popular(0.3), first=scarce))


@pytest.fixture(scope="module")
def calm():
    return list(live(CALM, Popular(0.5)))


@pytest.fixture(scope="module")
def pages(days):
    """For each block's day its pages in the order of sessions and their pages."""
    return [(day, np.lexsort((day.lived.made.number, day.lived.made.session))) for day in days]


def listed(made):
    return np.flatnonzero(made.is_list)


def test_a_session_has_its_pages_once_and_in_order(pages):
    for day, order in pages:
        made = day.lived.made
        told = np.concatenate([np.arange(count) for count in made.sessions.pages.tolist()])
        assert made.number[order].tolist() == told.tolist()
        assert np.bincount(made.session).tolist() == made.sessions.pages.tolist()


def test_every_list_has_a_row_of_its_own_and_item_pages_have_none(days):
    for day in days:
        made = day.lived.made
        assert np.sort(made.row[made.is_list]).tolist() == list(range(len(made.slates)))
        assert (made.row[~made.is_list] == -1).all()
        assert (made.place[~made.is_list] == -1).all()
        assert (made.item[~made.is_list] >= 0).all()


def test_a_list_shows_different_items_that_are_offered(days):
    for day in days:
        slates = day.lived.made.slates
        assert slates.shape[1] == min(8, len(day.day.offered))
        assert all(len(set(slate)) == len(slate) for slate in slates.tolist())
        assert np.isin(slates, day.day.offered).all()


def test_a_clicked_item_stands_at_its_place_and_is_viewed_and_without_a_click_nothing_is(days):
    num_clicks = 0
    for day in days:
        made = day.lived.made
        clicked = np.flatnonzero(made.place >= 0)
        assert (made.slates[made.row[clicked], made.place[clicked]] == made.item[clicked]).all()
        assert (made.item[made.is_list & (made.place < 0)] == -1).all()
        num_clicks += len(clicked)
    assert num_clicks > 200


def test_the_item_before_is_the_last_one_viewed_in_the_session(pages):
    for day, order in pages:
        made = day.lived.made
        last = {}
        for session, before, item in zip(
            made.session[order].tolist(), made.before[order].tolist(), made.item[order].tolist(), strict=True
        ):
            assert before == last.get(session, -1)
            last[session] = item if item >= 0 else before


def test_times_within_a_session_go_forward(pages):
    for day, order in pages:
        made = day.lived.made
        viewed, carted = made.item >= 0, made.is_carted
        assert (made.view_us > made.at_us)[viewed].all()
        assert (made.cart_us > made.view_us)[carted].all()
        assert (made.removed_us >= made.cart_us)[made.is_removed].all()
        put = np.where(made.is_removed, made.removed_us, made.cart_us)
        done = np.where(carted, put, np.where(viewed, made.view_us, made.at_us))[order]
        same = made.session[order][1:] == made.session[order][:-1]
        assert (made.at_us[order][1:] > done[:-1])[same].all()
        last = np.append(~same, True)
        assert (made.till_us[made.session[order][last]] > done[last]).all()
        assert (made.paid_us > made.till_us).all()


def test_some_pages_are_left_open_for_three_quarters_of_an_hour(calm):
    """0.2 % of them, within 4 standard errors; another pause as long as that would be one in 10^5."""
    gaps = []
    for day in calm:
        made = day.lived.made
        order = np.lexsort((made.number, made.session))
        same = made.session[order][1:] == made.session[order][:-1]
        gaps.append((made.at_us[order][1:] - made.at_us[order][:-1])[same])
    gaps = np.concatenate(gaps)
    away = (gaps > 45 * 60_000_000).mean()
    assert abs(away - 0.002) < 4 * np.sqrt(0.002 / len(gaps))


def test_a_session_begins_with_its_first_page_on_its_day(pages):
    for day, order in pages:
        made = day.lived.made
        first = order[made.number[order] == 0]
        assert (made.at_us[first] == made.sessions.start_us).all()
        assert (made.at_us[first] // DAY_US == day_start_us(LIVELY.start) // DAY_US + day.day.number).all()


def test_nothing_is_viewed_before_its_launch_or_after_it_is_delisted(days):
    sold = [day.day.laws.is_sold for day in days]
    assert (sold[0] & ~sold[-1]).any() or (~sold[0] & sold[-1]).any()
    for day in days:
        item = day.lived.made.item
        assert day.day.laws.is_sold[item[item >= 0]].all()


def test_only_what_is_in_stock_is_put_into_a_cart_and_only_what_is_in_a_cart_is_taken_out(days):
    viewed = 0
    for day in days:
        made = day.lived.made
        assert day.day.in_stock[made.item[made.is_carted]].all()
        assert made.is_carted[made.is_removed].all()
        assert (made.item[made.is_carted] >= 0).all()
        viewed += (~day.day.in_stock[made.item[made.item >= 0]]).sum()
    assert viewed > 100  # sold-out items are looked at all the same


def test_bots_see_no_lists_and_click_and_cart_nothing(days):
    num_pages = 0
    for day in days:
        made = day.lived.made
        is_bot = made.people.is_bot[made.sessions.visitor][made.session]
        assert not (made.is_list | made.is_carted)[is_bot].any()
        assert (made.taste[made.session][is_bot] == LIVELY.tastes).all()
        num_pages += is_bot.sum()
    assert num_pages > 200


def test_a_session_takes_to_the_till_all_that_it_left_in_the_cart_or_nothing_and_pays_all_or_nothing(days):
    for day in days:
        made, lines = day.lived.made, day.lived.made.lines
        kept = np.flatnonzero(made.is_carted & ~made.is_removed)
        here = np.isin(made.session[kept], lines.session)
        assert sorted(lines.page.tolist()) == sorted(kept[here].tolist())
        assert (made.session[lines.page] == lines.session).all()
        assert (made.quantity[lines.page] == lines.quantity).all()
        wants = lines.is_paid | lines.is_refused
        assert all(len(set(wants[lines.session == each].tolist())) == 1 for each in np.unique(lines.session))
        assert not (lines.is_paid & lines.is_refused).any()
        assert lines.is_paid[lines.comes_back].all()


def test_nothing_is_paid_for_that_is_not_there(days):
    """Over the blocks of a day, no more pieces of an item are sold than lay there in the morning."""
    sold, there = defaultdict(int), {}
    for day in days:
        sold[day.day.number] += day.lived.sold(LIVELY.items)
        there[day.day.number] = day.pieces
    assert all((sold[number] <= there[number]).all() for number in there)
    assert any((sold[number] == there[number])[there[number] > 0].any() for number in there)


def test_stock_goes_to_who_pays_first_and_only_lines_that_find_too_little_are_refused(days):
    num_refused, there = 0, {}
    for day in days:
        made, lines = day.lived.made, day.lived.made.lines
        left, told = there.setdefault(day.day.number, day.pieces.copy()), []
        for line in sorted(range(len(lines.page)), key=lambda each: made.paid_us[lines.session[each]]):
            item, quantity = made.item[lines.page[line]], lines.quantity[line]
            wants = bool(lines.is_paid[line] | lines.is_refused[line])
            told.append((line, wants and quantity <= left[item]))
            left[item] -= quantity * told[-1][1]
        assert told == [(line, bool(lines.is_paid[line])) for line, _ in told]
        num_refused += lines.is_refused.sum()
    assert num_refused > 20


def test_pieces_are_one_or_seldom_two_or_three(calm, fits):
    pieces = np.concatenate([day.lived.made.quantity for day in calm])
    assert fits([(np.bincount(pieces)[1:], np.array([0.88, 0.06, 0.06]))])


def test_what_was_bought_last_is_remembered_and_some_landings_go_back_to_it(days):
    """Three in ten go back, and of the others who wants it; within 4 standard errors."""
    bought, told, back = {}, [], []
    for day in days:
        made, first = day.lived.made, day.block.people.first
        here = {place: item for place, item in enumerate(day.bought.tolist()) if item >= 0}
        assert here == {
            visitor - first: item for visitor, item in bought.items() if 0 <= visitor - first < len(day.bought)
        }
        lines = made.lines
        for session, page in zip(lines.session[lines.is_paid], lines.page[lines.is_paid], strict=True):
            bought[first + int(made.sessions.visitor[session])] = int(made.item[page])
        landing = np.flatnonzero((made.number == 0) & ~made.is_list & (made.bought >= 0))
        landing = landing[day.day.laws.is_sold[made.bought[landing]]]
        item = made.bought[landing]
        wants = day.day.laws.wanted_KN[made.taste[made.session[landing]], item].astype(float)
        told.append(0.3 + 0.7 * wants)
        back.append(made.item[landing] == item)
    p, back = np.concatenate(told), np.concatenate(back)
    assert len(p) > 100
    assert abs(back.sum() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum())


def test_who_always_returns_to_what_he_bought_lands_on_it():
    world = replace(LIVELY, p_repeat=1, p_land_on_item=1, bot_share=0, block=1_500)
    num_landings = 0
    for day in live(world, Popular()):
        made = day.lived.made
        landing = np.flatnonzero((made.number == 0) & (made.bought >= 0))
        landing = landing[day.day.laws.is_sold[made.bought[landing]]]
        assert (made.item[landing] == made.bought[landing]).all()
        num_landings += len(landing)
    assert num_landings > 100


def test_good_lists_bring_visitors_back_sooner_and_bad_ones_later():
    world = replace(LIVELY, later_visits=0.5, block=1_500)
    day = next(live(world, Popular()))
    made, state = day.lived.made, day.block.state
    count = len(state.pleased)
    times = [
        np.bincount(made.sessions.visitor[made.session[which]], minlength=count)
        for which in (made.is_list, made.place >= 0)
    ]
    lists, clicks = times
    assert (state.pleased == 0)[lists == 0].all()
    assert (state.pleased > 0)[(clicks > 0) & (lists < 8 * clicks)].all()
    assert (state.pleased < 0)[(lists > 0) & (clicks == 0)].all()
    assert (np.abs(state.pleased) <= 1).all()
    assert min((lists == 0).sum(), (clicks > 0).sum(), ((lists > 0) & (clicks == 0)).sum()) > 10


def test_without_later_visits_nobody_is_pleased_or_bored(calm):
    assert (calm[-1].block.state.pleased == 0).all()


def within(seen, told, *, errors=4):
    """Whether sums agree within so many standard errors, which the differences themselves tell."""
    apart = np.asarray(seen, float) - told
    return abs(apart.sum()) < errors * np.sqrt((apart**2).sum())


@pytest.fixture(scope="module")
def expected(calm):
    """For each list of the calm world: the session, the taste, what was expected and what happened."""
    rows = defaultdict(list)
    for number, day in enumerate(calm):
        made, which = day.lived.made, listed(day.lived.made)
        taste, before = made.taste[made.session[which]], made.before[which]
        told = expected_of(CALM, day.day, taste, before, made.slates[made.row[which]])
        is_paid = np.zeros(len(made.item), bool)
        is_paid[made.lines.page[made.lines.is_paid]] = True
        for name, values in {
            "session": made.session[which] + number * 10**6,
            "taste": taste,
            "before": before,
            **{each.name: getattr(told, each.name) for each in fields(told)},
            "clicked": made.place[which] >= 0,
            "carted": made.is_carted[which],
            "paid": is_paid[which],
        }.items():
            rows[name].append(values)
    return {name: np.concatenate(values) for name, values in rows.items()}


def test_lists_are_clicked_as_often_as_expected_by_every_taste(expected):
    """Within 4 standard errors, alone and after an item."""
    for taste in range(CALM.tastes):
        for is_alone in (True, False):
            which = (expected["taste"] == taste) & ((expected["before"] < 0) == is_alone)
            p = expected["clicks"][which]
            assert p.sum() > 10
            assert abs(expected["clicked"][which].sum() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum())


def test_clicked_items_are_carted_and_paid_as_often_as_expected(expected):
    """Within 4 standard errors; lines of one session are paid together, so sessions are what is counted."""
    assert expected["carted"].sum() > 100
    assert within(expected["carted"], expected["carts"])
    _, session = np.unique(expected["session"], return_inverse=True)
    paid, told = (np.bincount(session, expected[name]) for name in ("paid", "purchases"))
    assert paid.sum() > 40
    assert within(paid, told)


def test_of_what_has_sold_out_clicks_are_expected_but_no_carts(calm):
    day, slates = calm[0].day, np.array([[3, 1, 2]], np.int32)
    in_stock = np.arange(CALM.items) != 3
    taste, before = np.array([0]), np.array([-1])
    there, gone = (expected_of(CALM, each, taste, before, slates) for each in (day, replace(day, in_stock=in_stock)))
    without = expected_of(CALM, day, taste, before, np.array([[-1, 1, 2]], np.int32))
    assert gone.clicks == pytest.approx(there.clicks)
    assert gone.carts == pytest.approx(without.carts)
    assert gone.purchases == pytest.approx(without.carts * 0.6 * CALM.p_checkout * CALM.p_pay)


def test_viewed_items_are_carted_as_often_as_the_laws_say(days):
    told, seen = [], []
    for day in days:
        made = day.lived.made
        viewed = np.flatnonzero(made.item >= 0)
        item = made.item[viewed]
        told.append(day.day.laws.cart_KN[made.taste[made.session[viewed]], item] * day.day.in_stock[item])
        seen.append(made.is_carted[viewed])
    p, seen = np.concatenate(told).astype(float), np.concatenate(seen)
    assert abs(seen.sum() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum())


def test_lists_are_clicked_as_expected_in_a_world_with_a_memory_too(days):
    told, seen = [], []
    for day in days:
        made, which = day.lived.made, listed(day.lived.made)
        slates = made.slates[made.row[which]]
        told.append(expected_of(LIVELY, day.day, made.taste[made.session[which]], made.before[which], slates).clicks)
        seen.append(made.place[which] >= 0)
    p, seen = np.concatenate(told), np.concatenate(seen)
    assert abs(seen.sum() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum())


def test_where_all_items_are_alike_clicks_fall_on_places_as_attention_does(fits):
    """Random lists: what stands on a place is as attractive as what stands on any other."""
    world = replace(CALM, visitors=6_000, attention=(0.3, 0.2, 0.15, 0.1, 0.08, 0.06, 0.04, 0.02), seed=6)
    place = np.concatenate([day.lived.made.place for day in live(world, Random())])
    counts = np.bincount(place[place >= 0], minlength=8)
    assert counts.sum() > 1_000
    assert fits([(counts, np.array(world.attention) / sum(world.attention))])


def test_pages_are_lists_and_landings_are_items_as_often_as_the_world_says():
    """Within 4 standard errors."""
    world = replace(CALM, p_land_on_item=0.3)
    made = [day.lived.made for day in live(world, Random())]
    is_list = np.concatenate([each.is_list for each in made])
    is_first = np.concatenate([each.number == 0 for each in made])
    for which, p in ((is_first, 0.7), (~is_first, 0.8)):
        assert abs(is_list[which].mean() - p) < 4 * np.sqrt(p * (1 - p) / which.sum())


SAME = ("session", "number", "is_list", "taste", "quantity")


@pytest.fixture(scope="module")
def pairs():
    """Each block's day under two policies."""
    return list(zip(live(CALM, Popular(0)), live(CALM, Random()), strict=True))


def test_two_policies_meet_the_same_visitors_sessions_and_pages(pairs):
    for pair in pairs:
        one, other = (day.lived.made for day in pair)
        assert all((getattr(one, name) == getattr(other, name)).all() for name in SAME)
        for each in fields(one.sessions):
            assert (getattr(one.sessions, each.name) == getattr(other.sessions, each.name)).all()
        assert (one.slates[one.row[listed(one)]] != other.slates[other.row[listed(other)]]).any(axis=1).mean() > 0.9
        landing = (one.number == 0) & ~one.is_list
        assert (one.item[landing] == other.item[landing]).all()


def test_where_lists_change_who_comes_back_two_policies_meet_the_same_sessions_of_who_does():
    """What a session holds is the same under both, whoever else comes: matched by visitor and start."""
    world, matched = replace(LIVELY, later_visits=0.5, block=1_500), 0
    for pair in zip(live(world, Popular(0)), live(world, Random()), strict=True):
        kept = []
        for day in pair:
            made = day.lived.made
            key = list(zip(made.sessions.visitor.tolist(), made.sessions.start_us.tolist(), strict=True))
            pages = [(made.is_list[page], made.quantity[page]) for page in range(len(made.session))]
            kept.append({})
            for session, page in zip(made.session.tolist(), pages, strict=True):
                kept[-1].setdefault(key[session], []).append(page)
        both = kept[0].keys() & kept[1].keys()
        assert all(kept[0][each] == kept[1][each] for each in both)
        matched += len(both)
        num_sessions = [len(each) for each in kept]
        assert len(both) > 0.7 * max(num_sessions)
        later = pair[0].day.number
        assert later or num_sessions[0] == num_sessions[1] == len(both)
    assert matched > 1_000


def test_two_policies_meet_the_same_eyes_and_the_same_luck(pairs):
    """What was clicked on a place under one policy is clicked under the other, if what stands there attracts more."""
    certain = 0
    for pair in pairs:
        p, place = [], []
        for day in pair:
            made, which = day.lived.made, listed(day.lived.made)
            taste, slates = made.taste[made.session[which]], made.slates[made.row[which]]
            p.append(click_given_eye(day.day.laws, taste, made.before[which], slates))
            place.append(made.place[which])
        for here, there in ((0, 1), (1, 0)):
            clicked = np.flatnonzero(place[here] >= 0)
            at = place[here][clicked]
            sure = p[there][clicked, at] >= p[here][clicked, at] + 1e-6
            assert (place[there][clicked[sure]] == at[sure]).all()
            assert ((place[there][clicked] == at) | (place[there][clicked] < 0)).all()
            certain += sure.sum()
        both = (place[0] >= 0) & (place[1] >= 0)
        assert (place[0] == place[1])[both].all()
    assert certain > 100


@dataclass(frozen=True)
class Noisy:
    """Lists what is popular, and draws a lot for nothing."""

    name: str = "noisy"

    def choose(self, asked: Asked, rng: np.random.Generator) -> Slates:
        rng.random(1 + len(asked.visitor) * asked.page)
        return Popular(0).choose(asked, rng)


def test_what_a_policy_draws_changes_nothing_in_the_world():
    world = replace(LIVELY, visitors=300, block=200)
    for one, other in zip(live(world, Popular(0)), live(world, Noisy()), strict=True):
        for each in fields(Journeys):
            if each.name not in {"people", "sessions", "lines"}:
                assert np.array_equal(getattr(one.lived.made, each.name), getattr(other.lived.made, each.name))


@dataclass(frozen=True)
class Curious:
    """Random, and keeps what it was told and what it drew."""

    name: str = "curious"
    asked: list[Asked] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)

    def choose(self, asked: Asked, rng: np.random.Generator) -> Slates:
        self.asked.append(asked)
        self.drawn.append(rng.random())
        return Random().choose(asked, rng)


def test_a_policy_is_asked_once_for_each_page_of_the_day_in_order_and_told_what_is_true():
    policy = Curious()
    day = next(live(replace(LIVELY, days=1), policy))
    made = day.lived.made
    which = listed(made)
    assert [asked.page for asked in policy.asked] == np.unique(made.number[which]).tolist()
    told = {name: np.concatenate([getattr(asked, name) for asked in policy.asked]) for name in ("before", "at_us")}
    assert (told["before"] == made.before[which]).all()
    assert (told["at_us"] == made.at_us[which]).all()
    visitor = made.sessions.visitor[made.session[which]]
    assert (np.concatenate([asked.visitor for asked in policy.asked]) == visitor + made.people.first).all()
    device = made.sessions.which[made.session[which]]
    assert (np.concatenate([asked.cookie for asked in policy.asked]) == made.people.cookie[visitor, device]).all()
    assert all((asked.places, asked.day) == (8, 0) for asked in policy.asked)


def test_a_policy_draws_from_a_stream_of_its_own_for_each_day_and_block():
    policy, world = Curious(), replace(LIVELY, days=2)
    for day in live(world, policy):
        own = stream(world.seed, Purpose.POLICY, day=day.day.number, block=day.block.people.block)
        assert policy.drawn[0] == own.random()
        policy.drawn.clear()


@dataclass(frozen=True)
class Short:
    """Lists of three items on eight places, as a server may answer."""

    name: str = "short"

    def choose(self, asked: Asked, rng: np.random.Generator) -> Slates:
        slates = Random().choose(asked, rng)
        beyond = np.arange(asked.places) >= 3
        return Slates(np.where(beyond, -1, slates.items), np.where(beyond, np.nan, slates.propensity))


def test_on_an_empty_place_nothing_is_clicked_and_nothing_expected():
    places = Counter()
    for day in live(CALM, Short()):
        made, which = day.lived.made, listed(day.lived.made)
        places.update(made.place[which].tolist())
        taste, before, slates = made.taste[made.session[which]], made.before[which], made.slates[made.row[which]]
        short = expected_of(CALM, day.day, taste, before, slates)
        assert short.clicks == pytest.approx(expected_of(CALM, day.day, taste, before, slates[:, :3]).clicks)
        assert short.carts == pytest.approx(expected_of(CALM, day.day, taste, before, slates[:, :3]).carts)
    assert set(places) == {-1, 0, 1, 2}


@dataclass(frozen=True)
class Stubborn:
    """Lists what is not sold yet."""

    name: str = "stubborn"

    def choose(self, asked: Asked, rng: np.random.Generator) -> Slates:
        slates = Popular(0).choose(asked, rng)
        missing = np.setdiff1d(np.arange(LIVELY.items), asked.offered)
        slates.items[:, 0] = missing[0]
        return slates


def test_a_policy_that_lists_what_is_not_offered_is_refused(days):
    assert any(len(day.day.offered) < LIVELY.items for day in days)
    with pytest.raises(UsageError, match="items not offered on day"):
        for _ in live(replace(LIVELY, has_stock=False), Stubborn()):
            pass


def test_a_range_smaller_than_a_list_is_shown_whole():
    world = make_world("stationary", items=10, visitors=200, days=2)
    for day in live(world, Popular(0.5)):
        assert day.lived.made.slates.shape[1] == 10
        assert (np.sort(day.lived.made.slates, axis=1) == np.arange(10)).all()


@pytest.mark.parametrize("preset", ["small", "stationary"])
def test_days_on_which_nobody_comes_are_empty(preset):
    world = make_world(preset, items=10, visitors=1, days=12, seed=1)
    made = [day.lived.made for day in live(world, Popular())]
    sizes = [len(each.taste) for each in made]
    assert min(sizes) == 0
    assert sum(sizes) >= 1
    for each in made:
        assert len(each.session) == each.sessions.pages.sum()
        assert len(each.slates) == each.is_list.sum()


def test_a_day_is_the_same_again(days):
    for one, other in zip(days, live(LIVELY, Popular(0.3), first=scarce), strict=True):
        for each in fields(Journeys):
            if each.name not in {"people", "sessions", "lines"}:
                assert np.array_equal(getattr(one.lived.made, each.name), getattr(other.lived.made, each.name))
