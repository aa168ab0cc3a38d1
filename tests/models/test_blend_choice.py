import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Queries
from endcap.metrics.baskets import basket_ndcg_at, ranks_of_several
from endcap.models import blend_choice
from endcap.models.blend_choice import choose_weights, shortlists_of
from endcap.models.blend_scorer import mixed, shares_of
from endcap.models.blend_trial import Trial
from endcap.testing.worlds import no_sequences


class Table:
    """A scorer that gives the history [b] row b of a table."""

    def __init__(self, scores_BN):
        self.scores_BN = np.array(scores_BN, np.float32)

    def score(self, queries):
        return self.scores_BN[queries.items[queries.starts[:-1]]]


def trial(baskets, masked=None):
    """A case for each basket of right items."""
    masked = np.full(len(baskets), -1, np.int32) if masked is None else np.array(masked, np.int32)
    starts = np.concatenate([[0], np.cumsum([len(each) for each in baskets])]).astype(np.int64)
    queries = Queries.of([[row] for row in range(len(baskets))])
    return Trial(no_sequences(), queries, starts, np.concatenate(baskets).astype(np.int32), masked)


def shortlists(asked, *tables, logits=()):
    tables = [np.asarray(each) for each in tables]
    members = {str(place): Table(each) for place, each in enumerate(tables)}
    return shortlists_of(asked, members, tables[0].shape[1], logits=logits)


def certain_of(items, num_items=4):
    shares = np.full((len(items), num_items), 0.01, np.float32)
    shares[np.arange(len(items)), items] = 0.9
    return shares


def test_a_member_that_is_always_right_gets_all_the_weight_that_matters():
    right, wrong = certain_of([0, 1, 2, 3]), certain_of([1, 2, 3, 0])
    weights = choose_weights(shortlists(trial([[0], [1], [2], [3]]), wrong, right))
    assert weights[1] > 0.5
    assert weights.sum() == pytest.approx(1)


def test_members_that_know_half_each_share_the_weight():
    first = np.concatenate([certain_of([0, 1]), np.full((2, 4), 0.25, np.float32)])
    second = np.concatenate([np.full((2, 4), 0.25, np.float32), certain_of([2, 3])])
    asked = shortlists(trial([[0], [1], [2], [3]]), first, second)
    weights = choose_weights(asked)
    assert asked.measure(weights) == 1.0
    assert (weights > 0).all()


def test_members_that_say_the_same_weigh_the_same_and_one_alone_weighs_all():
    same = certain_of([0, 1, 2, 3])
    assert choose_weights(shortlists(trial([[0], [1], [2], [3]]), same, same)).tolist() == [0.5, 0.5]
    assert choose_weights(shortlists(trial([[0], [1], [2], [3]]), same)).tolist() == [1.0]


def test_a_member_that_scores_no_number_is_named():
    scores = certain_of([1, 2])
    scores[1, 3] = np.nan
    with pytest.raises(ModelError, match=r"^1 scores 1 of 8 items of held-out cases as NaN") as refused:
        shortlists(trial([[1], [2]]), certain_of([1, 2]), scores)
    assert refused.value.code == Code.MODEL_NOT_FITTED


def test_what_is_no_candidate_takes_no_place():
    table = certain_of([1, 1])
    barred = shortlists(trial([[0], [0]], masked=[1, 1]), table)
    assert barred.measure(np.ones(1)) > shortlists(trial([[0], [0]]), table).measure(np.ones(1))


@pytest.mark.parametrize("at_once", [1, 2, 4096])
def test_a_right_item_that_no_member_names_stands_behind_those_they_name(monkeypatch, at_once):
    monkeypatch.setattr(blend_choice, "_SHORTLIST", 2)
    monkeypatch.setattr(blend_choice, "_CELLS", 6 * at_once)
    first, second = [[5, 4, 1, 0, 0, 0]] * 3, [[5, 0, 1, 4, 0, 0]] * 3
    found = shortlists(trial([[2], [0, 4], [3]]), first, second)
    # Items 0, 1 and 3, and of the first two cases the right item that is none of these.
    is_item_BW = np.isfinite(found.shares_MBW[0])
    assert is_item_BW.sum(axis=1).tolist() == [4, 4, 3]
    ndcg = [1 / np.log2(5), (1 + 1 / np.log2(5)) / (1 + 1 / np.log2(3)), 1 / np.log2(4)]
    assert found.measure(np.array([0.5, 0.5])) == pytest.approx(np.mean(ndcg))


def test_scores_that_are_logarithms_become_shares_as_in_the_blend():
    found = shortlists(trial([[2]]), [[1.0, 3.0, 2.0]], [[1.0, 3.0, 2.0]], logits=("1",))
    told = [each[np.isfinite(each)].tolist() for each in found.shares_MBW[:, 0]]
    powers = np.exp([1.0, 3.0, 2.0])
    assert told[0] == pytest.approx([1 / 6, 3 / 6, 2 / 6], abs=1e-5)
    assert told[1] == pytest.approx((powers / powers.sum()).tolist(), abs=1e-6)


@given(st.data())
def test_one_member_is_measured_as_over_the_catalogue_and_a_mixture_never_below_that(data):
    num, items = data.draw(st.integers(1, 4)), data.draw(st.integers(2, 12))
    scores = st.lists(st.lists(st.integers(-2, 5), min_size=items, max_size=items), min_size=num, max_size=num)
    tables = [np.array(data.draw(scores), np.float32) for _ in range(2)]
    right = st.lists(st.integers(1, items - 1), min_size=1, max_size=3, unique=True)
    asked = trial([data.draw(right) for _ in range(num)], masked=data.draw(st.sampled_from([[0] * num, [-1] * num])))
    length = data.draw(st.sampled_from([3, 200]))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blend_choice, "_FIRST", min(length - 1, 20))
        patched.setattr(blend_choice, "_SHORTLIST", length)
        found = shortlists(asked, *tables)
        for weights in (np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.3, 0.7])):
            whole_BN = mixed([shares_of(each, are_logits=False) for each in tables], weights)
            whole_BN[asked.masked >= 0, 0] = -np.inf
            ranks_T = ranks_of_several(whole_BN, asked.starts, asked.targets)
            whole = np.nanmean(basket_ndcg_at(ranks_T, asked.starts, min(length - 1, 20)))
            if length == 200 or 0 in weights:
                assert found.measure(weights) == pytest.approx(whole, abs=1e-9)
            assert found.measure(weights) > whole - 1e-9
