import numpy as np
import pytest

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Sequences
from endcap.index.config import IndexConfig
from endcap.index.flat import FlatIndex
from endcap.index.recall import recall_at, recall_report


class LastItem:
    """The query's vector is that of its last item."""

    def __init__(self, vectors):
        self.item_vectors_ND = vectors
        self.asked = []

    def query_vectors_BD(self, queries):
        self.asked.append(queries)
        return self.item_vectors_ND[queries.last(1)[0][:, 0]]


@pytest.fixture
def model():
    return LastItem(np.random.default_rng(3).standard_normal((200, 8)).astype(np.float32))


def sessions(*items):
    flat = np.array([item for session in items for item in session], np.int32)
    starts = np.concatenate([[0], np.cumsum([len(session) for session in items])]).astype(np.int64)
    return Sequences(starts=starts, items=flat, at_us=np.arange(len(flat)), users=np.arange(len(items)))


def test_an_exact_index_finds_everything(model):
    report = recall_report(
        FlatIndex.build(model.item_vectors_ND), model, sessions([1, 2, 3], [4], [5, 6]), IndexConfig(), seed=1
    )
    assert report == {
        "num_items": 200, "width": 8, "num_queries": 2, "recall@10": 1.0, "recall@100": 1.0, "recall_min": 1.0
    }  # fmt: skip
    assert model.asked[0].items.tolist() == [1, 2, 5]  # sessions without their last item


def test_queries_are_chosen_by_the_seed(model):
    many = sessions(*[[each, each] for each in range(50)])
    config = IndexConfig(recall_queries=5)
    index = FlatIndex.build(model.item_vectors_ND)
    for seed in (1, 1, 2):
        recall_report(index, model, many, config, seed=seed)
    first, again, other = (asked.items.tolist() for asked in model.asked)
    assert first == again != other
    assert len(first) == 5


def test_without_sessions_the_items_themselves_ask(model):
    report = recall_report(FlatIndex.build(model.item_vectors_ND), model, sessions([7]), IndexConfig(), seed=1)
    assert report["num_queries"] == 200


def test_an_index_of_other_vectors_is_refused(model):
    index = FlatIndex.build(-model.item_vectors_ND)
    with pytest.raises(ModelError) as caught:
        recall_report(index, model, sessions([1, 2]), IndexConfig(), seed=1)
    assert caught.value.code is Code.INDEX_REFUSED


def test_recall_is_the_share_of_the_best_that_were_found():
    vectors_ND = np.eye(4, dtype=np.float32)
    swapped = FlatIndex.build(vectors_ND[[1, 0, 2, 3]])
    queries_BD = np.array([[9, 0, 3, 1], [0, 0, 2, 1]], np.float32)
    assert recall_at(swapped, vectors_ND, queries_BD, 1) == 0.5
    assert recall_at(swapped, vectors_ND, queries_BD, 2) == 0.75
    assert recall_at(swapped, vectors_ND, queries_BD, 9) == 1.0


def test_among_equals_the_choice_is_free():
    vectors_ND = np.ones((30, 3), np.float32)
    assert recall_at(FlatIndex.build(vectors_ND), vectors_ND, np.ones((2, 3), np.float32), 10) == 1.0
