from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.simulation.catalogue import make_catalogue
from endcap.simulation.in_memory import live
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.stock import Shelves, Till, close_day, first_shelves, open_day, order_at_till
from endcap.simulation.tastes import make_laws, make_tastes

WORLD = make_world("small", items=10, visitors=500, days=30, places=3, seed=1)
MEMORYLESS = make_world("stationary", items=10, visitors=500, places=3)


@pytest.fixture(scope="module")
def made(morning_of):
    return morning_of(WORLD)


@pytest.fixture(scope="module")
def all_sold(made):
    """Laws under which the whole range is sold."""
    return replace(made.laws, is_sold=np.ones(10, bool))


def shelves(pieces, *, full=20, due=-1, views=None):
    pieces = np.array(pieces)
    filled = [np.broadcast_to(each, pieces.shape).astype(np.int64) for each in (full, due)]
    return Shelves(pieces, filled[0].copy(), filled[1].copy(), np.zeros(len(pieces)) if views is None else views)


def close(there, day, *, sold=0, came_back=0, viewed=0, world=WORLD):
    count = len(there.pieces)
    booked = {"sold": sold, "came_back": came_back, "viewed": viewed}
    close_day(world, there, day, **{name: np.broadcast_to(each, count) for name, each in booked.items()})
    return there


def test_first_shelves_are_full_and_nothing_is_due(made):
    first = first_shelves(WORLD, made.tastes, made.laws)
    assert (first.pieces == first.full).all()
    assert (first.full >= 4).all()
    assert (first.due == -1).all()
    assert not first.views.any()


def first_of(world):
    """How much each item is wanted, and what its full shelf holds."""
    goods = make_catalogue(world)
    tastes = make_tastes(world, goods)
    laws = make_laws(world, goods, tastes, 0)
    return tastes.prior @ laws.wanted_KN[:-1], first_shelves(world, tastes, laws).full


def test_what_the_crowd_wants_more_has_fuller_shelves():
    crowded = make_world("small", visitors=200_000, items=10)
    wanted, full = np.concatenate([first_of(replace(crowded, seed=seed)) for seed in range(20)], axis=1)
    assert np.corrcoef(wanted, full)[0, 1] > 0.7


def test_without_a_memory_what_is_popular_is_what_the_crowd_wants(morning_of):
    calm = morning_of(MEMORYLESS)
    crowd = calm.tastes.prior @ calm.laws.wanted_KN[:-1]
    assert calm.shelves.views == pytest.approx(crowd)
    assert calm.day.popular.tolist() == np.argsort(-crowd)[:3].tolist()


def test_orders_deplete_and_returns_fill_up():
    there = close(shelves([20, 18, 15]), 0, sold=np.array([3, 0, 2]), came_back=np.array([0, 1, 2]))
    assert there.pieces.tolist() == [17, 19, 15]
    assert there.due.tolist() == [-1, -1, -1]


def test_a_shelf_is_ordered_for_when_a_quarter_or_less_is_left():
    """An order is due, or has arrived already where it took one day."""
    there = close(shelves([7, 7] * 50, full=20), 3, sold=np.array([1, 2] * 50))
    is_ordered = (there.due > 4) | (there.pieces == 20)
    assert is_ordered.tolist() == [False, True] * 50
    assert (there.due >= 0).any()
    assert (there.pieces == 20).any()


def test_a_delivery_comes_on_the_morning_after_one_to_four_days_and_fills_the_shelf(fits):
    there = shelves([2] * 4_000, full=20)
    arrived = np.zeros(4, int)
    for day in range(4):
        before = there.pieces.copy()
        close(there, day)
        assert set(np.unique(there.pieces).tolist()) <= {2, 20}
        arrived[day] = ((before == 2) & (there.pieces == 20)).sum()
    assert arrived.sum() == 4_000
    assert fits([(arrived, np.full(4, 0.25))])
    assert (there.due == -1).all()


def test_nothing_is_ordered_twice():
    there = close(shelves([1], due=9), 5)
    assert there.due.tolist() == [9]
    assert close(there, 7).pieces.tolist() == [1]
    assert close(there, 8).pieces.tolist() == [20]


def test_a_delivery_takes_nothing_away_from_a_shelf_that_returns_have_filled():
    assert close(shelves([25], due=4), 3, came_back=np.array([2])).pieces.tolist() == [27]


def test_what_sells_well_is_ordered_in_plenty():
    """A full shelf holds eight times what was sold on the best day so far."""
    there = close(shelves([20, 20], full=20), 0, sold=np.array([10, 1]))
    assert there.full.tolist() == [80, 20]
    assert close(there, 1, sold=np.array([2, 2])).full.tolist() == [80, 20]


def test_older_views_count_less():
    there = close(shelves([9, 9], views=np.array([10.0, 0.0])), 0, viewed=np.array([1, 5]))
    assert there.views.tolist() == [10, 5]
    assert close(there, 1).views == pytest.approx([9, 4.5])


def test_in_a_world_without_memory_a_day_books_nothing():
    there = shelves([9, 1], views=np.array([1.0, 2.0]))
    close(there, 0, sold=3, came_back=1, viewed=7, world=MEMORYLESS)
    assert (there.pieces.tolist(), there.views.tolist(), there.due.tolist()) == ([9, 1], [1, 2], [-1, -1])


def test_without_stock_views_are_remembered_and_pieces_do_not_matter():
    world = replace(WORLD, has_stock=False)
    there = close(shelves([9, 1]), 0, sold=3, viewed=7, world=world)
    assert (there.pieces.tolist(), there.views.tolist()) == ([9, 1], [7, 7])


def test_what_is_sold_out_is_not_offered(all_sold):
    day = open_day(WORLD, all_sold, shelves([1, 0, 5, 0, 1, 1, 1, 1, 1, 0]), 2)
    assert day.offered.tolist() == [0, 2, 4, 5, 6, 7, 8]
    assert day.in_stock.tolist() == [True, False, True, False, True, True, True, True, True, False]
    assert day.number == 2


def test_what_is_not_sold_this_week_is_not_offered_though_it_is_in_stock(all_sold):
    laws = replace(all_sold, is_sold=np.arange(10) % 2 == 0)
    day = open_day(WORLD, laws, shelves([1, 1, 0, 1, 1, 1, 1, 1, 1, 1]), 0)
    assert day.offered.tolist() == [0, 4, 6, 8]
    assert day.in_stock.sum() == 9


def test_without_stock_everything_that_is_sold_is_offered(all_sold):
    day = open_day(replace(WORLD, has_stock=False), all_sold, shelves([0] * 10), 0)
    assert day.offered.tolist() == list(range(10))
    assert day.in_stock.all()


def test_a_shop_that_has_sold_out_shows_what_it_will_have_again(all_sold):
    laws = replace(all_sold, is_sold=np.arange(10) > 5)
    day = open_day(WORLD, laws, shelves([0] * 10), 0)
    assert day.offered.tolist() == [6, 7, 8, 9]
    assert not day.in_stock.any()


def test_what_was_viewed_most_is_popular_and_ties_go_to_the_lower_number(all_sold):
    views = np.array([1.0, 5, 3, 3, 0, 9, 3, 0, 0, 0])
    day = open_day(WORLD, all_sold, shelves([1, 1, 1, 1, 1, 0, 1, 1, 1, 1], views=views), 0)
    assert day.popular.tolist() == [1, 2, 3]
    nothing_seen = open_day(WORLD, all_sold, shelves([1] * 10), 0)
    assert nothing_seen.popular.tolist() == [0, 1, 2]


@given(
    views=st.lists(st.integers(0, 4), min_size=10, max_size=10),
    pieces=st.lists(st.integers(0, 1), min_size=10, max_size=10),
    places=st.integers(1, 20),
)
def test_popular_is_the_head_of_the_offered_items_in_order_of_their_views(all_sold, views, pieces, places):
    world = replace(WORLD, places=places)
    day = open_day(world, all_sold, shelves(pieces, views=np.array(views, float)), 0)
    in_order = sorted(day.offered.tolist(), key=lambda item: (-views[item], item))
    assert day.popular.tolist() == in_order[:places]


def test_the_till_sells_to_who_comes_first_a_line_whole_or_not_at_all_and_remembers():
    till = Till(shelves([3, 0, 5]))
    first = till.settle(np.array([0, 0, 0, 1, 2]), np.array([2, 2, 1, 1, 5]))
    assert first.tolist() == [True, False, True, False, True]
    assert till.settle(np.array([0, 2]), np.array([1, 1])).tolist() == [False, False]
    assert till.settle(np.zeros(0, int), np.zeros(0, int)).tolist() == []


@given(
    pieces=st.lists(st.integers(0, 6), min_size=3, max_size=3),
    lines=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), max_size=20),
    cut=st.integers(0, 20),
)
def test_in_how_many_parts_lines_come_to_the_till_does_not_matter(pieces, lines, cut):
    item, quantity = (np.array([line[place] for line in lines], int) for place in (0, 1))
    whole = Till(shelves(pieces)).settle(item, quantity)
    till = Till(shelves(pieces))
    parts = [till.settle(item[part], quantity[part]) for part in (slice(cut), slice(cut, None))]
    assert whole.tolist() == np.concatenate(parts).tolist()
    left = list(pieces)
    for sold, (wanted, count) in zip(whole.tolist(), lines, strict=True):
        assert sold == (count <= left[wanted])
        left[wanted] -= count * sold


def test_another_block_comes_to_the_till_first_each_day():
    assert [order_at_till(3, day) for day in range(4)] == [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), days=st.integers(1, 25))
def test_shelves_are_never_below_nothing_and_every_order_arrives_in_time(seed, days):
    """Up to everything that is there is sold, day after day."""
    rng = np.random.default_rng(seed)
    world, there = replace(WORLD, seed=seed), shelves(rng.integers(0, 20, 30))
    waiting = np.zeros(30, int)
    for day in range(days):
        sold, came_back = rng.integers(0, there.pieces + 1), rng.integers(0, 2, 30)
        before = there.pieces.copy()
        close(there, day, sold=sold, came_back=came_back, world=world)
        booked = before - sold + came_back
        arrived = there.pieces != booked
        assert (there.pieces >= 0).all()
        assert (there.pieces[arrived] == there.full[arrived]).all()
        assert ((there.due == -1) | (there.due > day + 1)).all()
        waiting = np.where(there.due > 0, waiting + 1, 0)
        assert waiting.max() <= 3  # evenings: what is due in four days arrives before the fourth one


def test_a_shop_sells_out_and_is_restocked_and_every_piece_is_accounted_for():
    def scarce(there):
        there.pieces[:] = 1
        there.full[:] = 1

    world = replace(WORLD, visitors=1_000, block=400, p_cart=0.4)
    days = list(live(world, Popular(), first=scarce))
    sold, came_back, mornings = np.zeros((3, world.days, 10), int)
    for day in days:
        number = day.day.number
        sold[number] += day.lived.sold(10)
        came_back[number] += day.lived.came_back(10)
        mornings[number] = day.pieces
    booked = mornings[:-1] - sold[:-1] + came_back[:-1]
    assert (booked >= 0).all()
    assert (mornings[1:] >= booked).all()  # what is more was delivered
    assert ((mornings[:-1] == 0) & (mornings[1:] > 0)).any()
    assert (mornings[1:] > booked).any(axis=0).sum() >= 5
    assert came_back.sum() > 0


def test_when_an_item_is_delivered_does_not_depend_on_which_others_are_ordered():
    one, other = shelves([0, 20, 0, 20, 0] * 20), shelves([0] * 100)
    for there in (one, other):
        close(there, 3)
    ordered = np.arange(100) % 5 % 2 == 0
    assert (one.due[ordered] == other.due[ordered]).all()  # -1 where it has come already
    assert (one.pieces[ordered] == other.pieces[ordered]).all()
    assert set(other.due.tolist()) == {-1, 5, 6, 7}
