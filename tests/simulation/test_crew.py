import os
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.errors import Code, EndcapError, UsageError
from endcap.simulation.catalogue import make_catalogue
from endcap.simulation.crew import Crew, Evening, Places, crews, together
from endcap.simulation.policies import Popular
from endcap.simulation.server_policy import ServerPolicy
from endcap.simulation.settings import make_world
from endcap.simulation.stock import Till, first_shelves
from endcap.simulation.tastes import make_laws, make_tastes

WORLD = make_world("small", days=3, visitors=150, items=20, block=50, p_cart=0.4)

GREEDY = make_world(
    "small",
    days=3,
    visitors=150,
    items=20,
    block=50,
    p_cart=0.9,
    p_checkout=1.0,
    p_pay=1.0,
    p_repeat=0.0,
    later_visits=0.0,
)


@pytest.fixture
def shelves():
    goods = make_catalogue(WORLD)
    tastes = make_tastes(WORLD, goods)
    return first_shelves(WORLD, tastes, make_laws(WORLD, goods, tastes, 0))


@pytest.fixture
def places(tmp_path):
    for name in ("events", "pages", "drift", "visitors"):
        (tmp_path / name).mkdir()
    return Places(tmp_path / "events", tmp_path, tmp_path, "ga4")


def test_blocks_are_put_together_in_their_order():
    one = Evening(np.array([1]), np.array([0]), np.array([5]), {"sessions": 2, "expected_clicks": 0.1})
    other = Evening(np.array([2]), np.array([1]), np.array([7]), {"sessions": 3, "expected_clicks": 0.2})
    both = together({1: other, 0: one})
    assert (both.sold.tolist(), both.came_back.tolist(), both.viewed.tolist()) == ([3], [1], [12])
    assert both.counts == {"sessions": 5, "expected_clicks": 0.1 + 0.2}


def test_a_day_is_written_block_by_block(shelves, places):
    crew = Crew(WORLD, Popular(), range(3))
    crew.write_visitors(places)
    evenings = crew.day(0, shelves, places, Till(shelves).ask)
    assert sorted(evenings) == [0, 1, 2]
    for folder, stem in (("events", "events"), ("pages", "pages"), ("drift", "drift")):
        names = sorted(path.name for path in (places.truth / folder).iterdir())
        assert names == [f"{stem}_20260101_{block:04d}.parquet" for block in range(3)]
    rows = sum(pq.read_table(path).num_rows for path in places.events.iterdir())
    counted = together(evenings).counts
    after_midnight = sum(table.num_rows for table in crew.after_midnight.values())
    named = (
        "view_item_list",
        "select_item",
        "view_item",
        "add_to_cart",
        "remove_from_cart",
        "begin_checkout",
        "purchase",
    )
    assert sum(counted[name] for name in named) == rows + after_midnight
    visitors = pa.concat_tables(pq.read_table(path) for path in sorted((places.truth / "visitors").iterdir()))
    assert visitors["visitor"].to_pylist() == list(range(150))


def test_without_places_nothing_is_written_and_the_evening_is_the_same(shelves, places):
    written = together(Crew(WORLD, Popular(), range(3)).day(0, shelves, places, Till(shelves).ask))
    unwritten = together(Crew(WORLD, Popular(), range(3)).day(0, shelves, None, Till(shelves).ask))
    assert written.counts == unwritten.counts
    np.testing.assert_array_equal(written.sold, unwritten.sold)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_crews_in_processes_of_their_own_come_to_the_same(shelves, workers):
    with crews(WORLD, Popular(), workers=workers) as hands:
        evening = hands.day(0, shelves, None)
    expected = together(Crew(WORLD, Popular(), range(3)).day(0, shelves, None, Till(shelves).ask))
    assert evening.counts == expected.counts
    np.testing.assert_array_equal(evening.viewed, expected.viewed)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_last_piece_goes_to_the_block_whose_turn_it_is_whoever_computes_it(workers):
    """One piece of everything and many who want it; on day 1 block 1 comes first."""
    goods = make_catalogue(GREEDY)
    tastes = make_tastes(GREEDY, goods)
    there = first_shelves(GREEDY, tastes, make_laws(GREEDY, goods, tastes, 0))
    there.pieces[:] = 1
    with crews(GREEDY, Popular(), workers=workers) as hands:
        evenings = [hands.day(number, there, None) for number in (0, 1)]
    alone = Crew(GREEDY, Popular(), range(3))
    blocks = [alone.day(number, there, None, Till(there).ask) for number in (0, 1)]
    for evening, by_block in zip(evenings, blocks, strict=True):
        assert evening.counts == together(by_block).counts
        assert evening.counts["refused_lines"] > 0
        np.testing.assert_array_equal(evening.sold, together(by_block).sold)
        assert evening.sold.max() == 1
    first = Crew(GREEDY, Popular(), [1])
    first.day(0, there, None, Till(there).ask)
    np.testing.assert_array_equal(first.day(1, there, None, Till(there).ask)[1].sold, blocks[1][1].sold)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_crew_raises_is_raised_here(shelves, workers):
    nobody = ServerPolicy("http://127.0.0.1:9", make_catalogue(WORLD).item_ids)
    with crews(WORLD, nobody, workers=workers) as hands, pytest.raises(UsageError) as caught:
        hands.day(0, shelves, None)
    assert "127.0.0.1:9" in str(caught.value)


@pytest.mark.parametrize(("which", "told"), [(0, "two|words"), (1, "a lock")])
def test_an_error_that_cannot_cross_to_another_process_is_told_all_the_same(shelves, which, told):
    with crews(WORLD, Failing(which), workers=2) as hands, pytest.raises(RuntimeError, match=told):
        hands.day(0, shelves, None)


class TwoWordsError(Exception):
    """Made of two words, remembered as one: it cannot be made again from that."""

    def __init__(self, one, other):
        super().__init__(f"{one}|{other}")


class Failing(Popular):
    """A policy that raises what cannot be sent as it is."""

    def __init__(self, which):
        super().__init__()
        object.__setattr__(self, "which", which)  # it is frozen

    def choose(self, asked, _rng):
        if self.which == 0 and asked:
            raise TwoWordsError("two", "words")
        error = ValueError("a lock")
        error.lock = threading.Lock()
        raise error


def test_a_crew_whose_process_is_gone_is_told_and_not_waited_for(shelves):
    with crews(WORLD, Deadly(), workers=2) as hands, pytest.raises(EndcapError, match="a worker process") as caught:
        hands.day(0, shelves, None)
    assert caught.value.code == Code.INTERNAL


class Deadly(Popular):
    """A policy that stops the process which takes it up."""

    def __reduce__(self):
        return os._exit, (3,)
