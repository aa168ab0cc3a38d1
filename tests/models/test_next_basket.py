import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.sequences import Catalogue, Sequences
from endcap.models import next_basket as room
from endcap.models.next_basket import basket_ranks, next_basket
from endcap.models.popular import Popular
from endcap.models.recent import Recent
from endcap.testing.worlds import no_sequences


def baskets():
    """User 7 buys 0 and 1 (minute 0), 1 and 2 (minute 4); user 3 buys 2 (minute 2), 2, 0 and 2 (minute 5), 1 (6)."""
    return Sequences(
        starts=np.array([0, 2, 3, 5, 8, 9]),
        items=np.array([0, 1, 2, 1, 2, 2, 0, 2, 1], np.int32),
        at_us=np.array([0, 0, 2, 4, 4, 5, 5, 5, 6]),
        users=np.array([7, 3, 7, 3, 3]),
    )


def told(cases):
    queries = cases.queries()
    histories = [queries.items[a:b].tolist() for a, b in zip(queries.starts, queries.starts[1:], strict=False)]
    targets = [cases.targets[a:b].tolist() for a, b in zip(cases.starts, cases.starts[1:], strict=False)]
    return list(zip(cases.users.tolist(), histories, targets, strict=True))


def test_each_basket_after_the_split_is_asked_with_all_earlier_ones_and_its_different_items_are_right():
    split = next_basket(baskets(), split_us=4)
    assert told(split.cases) == [(7, [0, 1], [1, 2]), (3, [2], [0, 2]), (3, [2, 2, 0, 2], [1])]


def test_a_users_baskets_before_the_split_are_learned_as_one_sequence_and_users_stand_as_they_came():
    train = next_basket(baskets(), split_us=5).train
    assert (train.starts.tolist(), train.items.tolist()) == ([0, 4, 5], [0, 1, 1, 2, 2])
    assert train.users.tolist() == [7, 3]


def test_a_new_users_first_basket_has_no_history():
    assert told(next_basket(baskets(), split_us=1).cases)[1] == (3, [], [2])


def test_it_does_not_matter_whether_a_sequence_is_an_order_or_a_users_whole_history():
    joined = Sequences(
        starts=np.array([0, 4, 9]),
        items=np.array([0, 1, 1, 2, 2, 2, 0, 2, 1], np.int32),
        at_us=np.array([0, 0, 4, 4, 2, 5, 5, 5, 6]),
        users=np.array([7, 3]),
    )
    for split_us in (0, 4, 5, 9):
        one, other = next_basket(baskets(), split_us=split_us), next_basket(joined, split_us=split_us)
        assert told(one.cases) == told(other.cases)
        assert one.train.items.tolist() == other.train.items.tolist()


def test_no_sequences_ask_nothing():
    split = next_basket(no_sequences(), split_us=0)
    assert len(split.train) == len(split.cases) == len(split.cases.targets) == len(split.cases.queries()) == 0
    assert split.cases.starts.tolist() == [0]


def test_what_was_done_and_when_comes_with_the_history():
    whole = baskets()
    asked = next_basket(
        Sequences(whole.starts, whole.items, whole.at_us, whole.users, events=np.full(9, 3, np.int8)), split_us=4
    ).cases.queries(1, 3)
    assert (asked.at_us.tolist(), asked.events.tolist()) == ([2, 2, 5, 5, 5], [3, 3, 3, 3, 3])
    assert next_basket(whole, split_us=4).cases.queries().events is None


def test_every_second_question_keeps_its_history_and_its_basket():
    cases = next_basket(baskets(), split_us=4).cases
    assert told(cases.every(2)) == [told(cases)[0], told(cases)[2]]
    assert told(cases.every(1)) == told(cases)


def test_what_was_seen_is_the_whole_history_and_right_items_of_it_are_repeats():
    cases = next_basket(baskets(), split_us=4).cases
    case, item = cases.seen(1, 3)
    assert list(zip(case.tolist(), item.tolist(), strict=True)) == [(0, 2), (1, 2), (1, 2), (1, 0), (1, 2)]
    assert cases.case_of().tolist() == [0, 0, 1, 1, 2]
    assert cases.are_repeats().tolist() == [True, False, False, True, False]


def test_repeats_are_found_however_many_cases_are_looked_at_together(monkeypatch):
    cases = next_basket(baskets(), split_us=2).cases
    every = [set(history) for _, history, _ in told(cases)]
    expected = [item in every[case] for case, item in zip(cases.case_of(), cases.targets, strict=True)]
    for many in (1, 2, 3):
        monkeypatch.setattr(room, "_AT_ONCE", many)
        assert cases.are_repeats().tolist() == expected


def test_every_right_item_gets_its_rank_and_a_repeat_is_a_hit():
    cases, catalogue = next_basket(baskets(), split_us=4).cases, Catalogue(("a", "b", "c"))
    # recent: [1, 0, then 2] for user 7; [2, then the others] and [2, 0, then 1] for user 3.
    scorer = Recent().fit(next_basket(baskets(), split_us=4).train, catalogue, seed=1)
    assert basket_ranks(scorer, cases).tolist() == [0, 2, 2, 0, 2]
    alike = Popular().fit(next_basket(baskets(), split_us=0).train, catalogue, seed=1)
    assert basket_ranks(alike, cases).tolist() == [2, 2, 2, 2, 2]  # ties go against the right item


@pytest.mark.parametrize("split_us", [-1, 3, 99])
def test_asking_in_parts_gives_the_same_histories(split_us):
    cases = next_basket(baskets(), split_us=split_us).cases
    parts = [item for start in range(len(cases)) for item in cases.queries(start, start + 1).items.tolist()]
    assert parts == cases.queries().items.tolist()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(0, 3), min_size=1, max_size=4)), max_size=7),
    st.integers(0, 8),
)
def test_nothing_of_a_basket_or_after_it_is_in_its_history_or_in_training(made, split_at):
    flat = [item for _, items in made for item in items]
    lengths = [len(items) for _, items in made]
    whole = Sequences(
        np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64),
        np.array(flat, np.int32),
        np.repeat(np.arange(len(made)), lengths),
        np.array([user for user, _ in made], np.int64),
    )
    split = next_basket(whole, split_us=split_at)
    expected = [
        (user, [item for other, items in made[:at] if other == user for item in items], sorted(set(items)))
        for at, (user, items) in enumerate(made)
        if at >= split_at
    ]
    key = str
    assert sorted(told(split.cases), key=key) == sorted(expected, key=key)
    assert (split.train.at_us < split_at).all()
    assert len(split.train.items) == sum(lengths[:split_at])
