import numpy as np

from endcap.core.sequences import Queries
from endcap.models.blend import Blend
from endcap.models.item_markov import ItemMarkov
from endcap.testing.worlds import no_sequences, planted_catalogue, planted_sequences


def test_members_are_fitted_again_on_everything():
    scorer = Blend(members=("item_markov", "popular")).fit(planted_sequences(), planted_catalogue(), seed=1)
    whole = ItemMarkov().fit(planted_sequences(), planted_catalogue(), seed=1)
    queries = Queries.of([[3], [0, 1]])
    assert scorer.members["item_markov"].score(queries).tobytes() == whole.score(queries).tobytes()


def test_one_member_alone_is_that_model_in_shares():
    scorer = Blend(members=("item_markov",)).fit(planted_sequences(), planted_catalogue(), seed=1)
    whole = ItemMarkov().fit(planted_sequences(), planted_catalogue(), seed=1)
    queries = Queries.of([[3], [0, 1], []])
    assert np.array_equal(np.argsort(-scorer.score(queries)), np.argsort(-whole.score(queries)))


def test_a_member_without_weight_is_not_kept():
    recipe = Blend(members=("popular", "recent"))  # hardly anybody comes back to an item in the planted world
    scorer = recipe.fit(planted_sequences(), planted_catalogue(), seed=1)
    assert (list(scorer.members), scorer.weights_M.tolist()) == (["popular"], [1.0])


def test_with_too_little_to_choose_by_members_weigh_the_same():
    scorer = Blend(members=("item_markov", "popular")).fit(no_sequences(), planted_catalogue(), seed=1)
    assert scorer.weights_M.tolist() == [0.5, 0.5]
