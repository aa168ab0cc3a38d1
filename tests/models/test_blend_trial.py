import numpy as np
import pytest

from endcap.models import blend_trial
from endcap.models.blend_trial import trial_of
from endcap.testing.worlds import no_sequences, planted_sequences


def test_the_latest_part_is_asked_and_the_earlier_part_is_learned():
    sequences = planted_sequences()
    found = trial_of(sequences, 12, ask="session_next", held_out=0.2)
    assert found.train.at_us.max() < np.quantile(sequences.at_us, 0.81)
    assert len(found.train.items) == 1600
    assert len(found.queries) == len(found.targets) == len(found.masked) > 200


def test_baskets_are_asked_for_as_a_whole():
    orders = planted_sequences()
    orders.at_us[:] = orders.at_us // (5 * 60_000_000)  # the five items of a session at one instant
    found = trial_of(orders, 12, ask="next_basket", held_out=0.25)
    assert len(found.queries) == 100
    assert len(found.targets) == sum(len(set(orders.items[at : at + 5].tolist())) for at in range(1500, 2000, 5))
    assert (found.masked == -1).all()


@pytest.mark.parametrize("ask", ["session_next", "next_basket"])
def test_too_little_to_choose_by_is_no_trial(ask):
    assert trial_of(no_sequences(), 5, ask=ask, held_out=0.2) is None
    assert trial_of(planted_sequences(), 12, ask=ask, held_out=0.01) is None


@pytest.mark.parametrize("ask", ["session_next", "next_basket"])
def test_of_many_cases_every_nth_is_asked_with_its_history_and_all_that_is_right(monkeypatch, ask):
    whole = trial_of(planted_sequences(), 12, ask=ask, held_out=0.2)
    monkeypatch.setattr(blend_trial, "_MOST_CASES", 60)
    few = trial_of(planted_sequences(), 12, ask=ask, held_out=0.2)
    kept = np.arange(0, len(whole.queries), -(-len(whole.queries) // 60))
    assert len(whole.queries) > 2 * len(kept) > 60
    assert few.masked.tolist() == whole.masked[kept].tolist()
    for row, case in enumerate(kept):
        for name in ("items", "at_us"):
            one, other = getattr(few.queries, name), getattr(whole.queries, name)
            history = other[whole.queries.starts[case] : whole.queries.starts[case + 1]]
            assert one[few.queries.starts[row] : few.queries.starts[row + 1]].tolist() == history.tolist()
        right = whole.targets[whole.starts[case] : whole.starts[case + 1]]
        assert few.targets[few.starts[row] : few.starts[row + 1]].tolist() == right.tolist()


def test_of_a_large_catalogue_fewer_cases_are_asked_but_never_less_than_a_few_hundred(monkeypatch):
    monkeypatch.setattr(blend_trial, "_MOST_CELLS", 100_000)
    monkeypatch.setattr(blend_trial, "_LEAST_OF_MANY", 70)
    asked = [
        len(trial_of(planted_sequences(), items, ask="session_next", held_out=0.2).queries)
        for items in (12, 1_000, 1_000_000)
    ]
    whole = asked[0]
    assert asked == [whole, -(-whole // -(-whole // 100)), -(-whole // -(-whole // 70))]
    assert whole > 200
