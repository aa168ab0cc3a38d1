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
def test_many_cases_are_thinned_evenly_with_their_histories_and_targets(monkeypatch, ask):
    whole = trial_of(planted_sequences(), 12, ask=ask, held_out=0.2)
    monkeypatch.setattr(blend_trial, "_MOST_CASES", 60)
    few = trial_of(planted_sequences(), 12, ask=ask, held_out=0.2)
    kept = np.linspace(0, len(whole.queries) - 1, 60).astype(np.int64)
    assert len(few.queries) == 60
    for row, case in enumerate(kept):
        one, other = few.queries, whole.queries
        history = other.items[other.starts[case] : other.starts[case + 1]]
        assert one.items[one.starts[row] : one.starts[row + 1]].tolist() == history.tolist()
        assert few.targets[few.starts[row]] == whole.targets[whole.starts[case]]
