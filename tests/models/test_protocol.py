import numpy as np

from endcap.models.blend import Blend
from endcap.models.item_markov import ItemMarkov
from endcap.models.popular import Popular
from endcap.models.protocol import SharedAlgorithm, TrainedAlgorithm, VectorScorer
from endcap.models.sequence import SequenceModel
from endcap.models.two_tower import TwoTower
from endcap.testing.worlds import planted_catalogue, planted_sequences


class _Vectors:
    """The least that an index needs."""

    kind = "vectors"
    item_vectors_ND = np.zeros((2, 3), np.float32)

    def query_vectors_BD(self, queries):
        return np.zeros((len(queries), 3), np.float32)

    def score(self, queries):
        return self.query_vectors_BD(queries) @ self.item_vectors_ND.T

    def save(self, folder):
        """Write nothing."""

    @classmethod
    def load(cls, folder):  # noqa: ARG003 - the protocol's form
        return cls()


def test_a_scorer_with_vectors_is_told_from_one_without():
    assert isinstance(_Vectors(), VectorScorer)
    for recipe in (Popular(), ItemMarkov()):
        assert not isinstance(recipe.fit(planted_sequences(), planted_catalogue(), seed=1), VectorScorer)


def test_recipes_that_ranks_share_are_told_from_those_that_share_nothing_or_have_members_that_do():
    recipes = [SequenceModel(), TwoTower(), Blend(), Popular()]
    assert [isinstance(each, TrainedAlgorithm) for each in recipes] == [True, True, True, False]
    assert [isinstance(each, SharedAlgorithm) for each in recipes] == [True, True, False, False]
