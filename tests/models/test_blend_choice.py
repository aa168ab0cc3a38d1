import numpy as np
import pytest

from endcap.core.sequences import Queries
from endcap.models import blend_choice
from endcap.models.blend_choice import Trial, choose_weights, trial_of
from endcap.testing.worlds import no_sequences, planted_sequences


def trial(targets, masked=None):
    """A case for each target, over as many items as are needed, without histories."""
    targets = np.array(targets, np.int32)
    masked = np.full(len(targets), -1, np.int32) if masked is None else np.array(masked, np.int32)
    return Trial(no_sequences(), Queries.of([[]] * len(targets)), np.arange(len(targets) + 1), targets, masked)


def certain_of(items, num_items=4):
    shares = np.full((len(items), num_items), 0.01, np.float32)
    shares[np.arange(len(items)), items] = 0.9
    return shares


def test_a_member_that_is_always_right_gets_all_the_weight_that_matters():
    right, wrong = certain_of([0, 1, 2, 3]), certain_of([1, 2, 3, 0])
    weights = choose_weights(trial([0, 1, 2, 3]), [wrong, right])
    assert weights[1] > 0.5
    assert weights.sum() == pytest.approx(1)


def test_members_that_know_half_each_share_the_weight():
    asked = trial([0, 1, 2, 3])
    first = np.concatenate([certain_of([0, 1]), np.full((2, 4), 0.25, np.float32)])
    second = np.concatenate([np.full((2, 4), 0.25, np.float32), certain_of([2, 3])])
    weights = choose_weights(asked, [first, second])
    assert asked.measure([first, second], weights) == 1.0
    assert (weights > 0).all()


def test_members_that_say_the_same_weigh_the_same_and_one_alone_weighs_all():
    same = certain_of([0, 1, 2, 3])
    assert choose_weights(trial([0, 1, 2, 3]), [same, same]).tolist() == [0.5, 0.5]
    assert choose_weights(trial([0, 1, 2, 3]), [same]).tolist() == [1.0]


def test_what_is_no_candidate_takes_no_place():
    shares = [certain_of([1, 1])]
    assert trial([0, 0], masked=[1, 1]).measure(shares, np.ones(1)) > trial([0, 0]).measure(shares, np.ones(1))


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
    monkeypatch.setattr(blend_choice, "_MOST_CELLS", 12 * 60)
    few = trial_of(planted_sequences(), 12, ask=ask, held_out=0.2)
    kept = np.linspace(0, len(whole.queries) - 1, 60).astype(np.int64)
    assert len(few.queries) == 60
    for row, case in enumerate(kept):
        one, other = few.queries, whole.queries
        history = other.items[other.starts[case] : other.starts[case + 1]]
        assert one.items[one.starts[row] : one.starts[row + 1]].tolist() == history.tolist()
        assert few.targets[few.starts[row]] == whole.targets[whole.starts[case]]
