import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.models.blend_scorer import BlendScorer, mixed, shares_of
from endcap.models.item_markov import ItemMarkov
from endcap.models.popular import PopularScorer
from endcap.models.recent import RecentScorer

scores = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=8)


def made():
    popular = PopularScorer(np.array([3, 1, 0], np.float32))
    recent = RecentScorer(length=5, shares=np.array([0, 0, 0], np.float32))
    weights = np.array([0.75, 0.25], np.float32)
    return BlendScorer({"popular": popular, "recent": recent}, weights, settings={"logits": []})


def test_a_score_is_the_weighted_sum_of_the_members_shares():
    # popular gives 3/4, 1/4 and 0; recent gives all to the one item of the history.
    assert made().score(Queries.of([[2], []])) == pytest.approx(
        np.array([[0.5625, 0.1875, 0.25], [0.5625, 0.1875, 0]]), abs=3e-6
    )


def test_logarithms_become_shares_by_softmax():
    assert shares_of(np.log(np.array([[6, 3, 1]], np.float32)), are_logits=True)[0] == pytest.approx([0.6, 0.3, 0.1])


@given(scores, st.booleans())
def test_shares_keep_the_order_and_are_finite(row, are_logits):
    found = shares_of(np.array([row], np.float32), are_logits=are_logits)[0]
    assert np.isfinite(found).all()
    assert (np.diff(found[np.argsort(row, kind="stable")]) >= 0).all()
    assert found.sum() == pytest.approx(1, abs=1e-4) or max(row) <= 0


def test_a_member_without_weight_says_nothing():
    shares = [np.array([[1, 0]], np.float32), np.array([[0, 1]], np.float32)]
    assert mixed(shares, np.array([1.0, 0.0])).tolist() == [[1, 0]]


def follows(first):
    """A model that saw item `first` go before item 1."""
    sequences = Sequences(np.array([0, 2]), np.array([first, 1], np.int32), np.arange(2), np.array([0]))
    recipe = ItemMarkov(max_gap=1, decay=0.5, penalty=0, rows_sum=0)
    return recipe.fit(sequences, Catalogue(("a", "b", "c")), seed=1)


def test_the_weightiest_member_that_can_say_why_is_believed():
    members = {"popular": made().members["popular"], "zero": follows(0), "two": follows(2)}

    def because(weights, query, item):
        return BlendScorer(members, np.array(weights, np.float32), {"logits": []}).because(query, item)

    assert because([0.5, 0.3, 0.2], [2, 0], 1) == 0
    assert because([0.5, 0.2, 0.3], [2, 0], 1) == 2
    assert because([0.5, 0.2, 0.3], [0], 1) == 0  # the weightier one knows nothing of it
    assert because([0.5, 0.3, 0.2], [1], 0) is None
    assert made().because([2], 1) is None


def test_each_member_lies_in_a_folder_of_its_name(tmp_path):
    made().save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "arrays.safetensors",
        "popular",
        "recent",
        "scorer.json",
    ]
    loaded = BlendScorer.load(tmp_path)
    queries = Queries.of([[2], []])
    assert loaded.score(queries).tobytes() == made().score(queries).tobytes()


def test_a_member_that_is_missing_is_told(tmp_path):
    made().save(tmp_path)
    (tmp_path / "recent" / "scorer.json").unlink()
    with pytest.raises(ModelError) as caught:
        BlendScorer.load(tmp_path)
    assert caught.value.code == Code.BUNDLE_DAMAGED
    assert "recent" in str(caught.value)


def test_weights_that_are_not_the_members_are_refused(tmp_path):
    one = made()
    BlendScorer(one.members, one.weights_M[:1], one.settings).save(tmp_path)
    with pytest.raises(ModelError, match="2 members have the weights"):
        BlendScorer.load(tmp_path)
