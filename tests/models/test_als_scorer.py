import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import EVENT_KINDS, Queries
from endcap.models.als_scorer import AlsScorer
from endcap.models.storage import save_arrays

ITEMS = np.array([[1, 0], [0, 1], [1, 1]], np.float32)


def made(alpha=1.0, weights=(1, 1, 2, 3)):
    gram = (ITEMS.T @ ITEMS + np.eye(2)).astype(np.float32)
    return AlsScorer(
        ITEMS, gram, np.array([0.5, 0.25], np.float32), np.array(weights, np.float32), settings={"alpha": alpha}
    )


def test_a_history_of_one_item_solves_the_normal_equations():
    # (Y'Y + 1 + alpha y y') x = (1 + alpha) y with y = (1, 0) and alpha = 1: (4 1; 1 3) x = (2, 0).
    assert made().query_vectors_BD(Queries.of([[0]]))[0] == pytest.approx([6 / 11, -2 / 11])
    assert made().score(Queries.of([[0]]))[0] == pytest.approx([6 / 11, -2 / 11, 4 / 11])


def test_events_of_an_item_add_up_by_their_weights():
    queries = Queries(np.array([0, 1]), np.array([0], np.int32), events=np.array([EVENT_KINDS.index("purchase")]))
    assert made().score(queries)[0] == pytest.approx(made().score(Queries.of([[0, 0, 0]]))[0])


def test_a_new_visitor_has_the_mean_users_vector():
    assert made().score(Queries.of([[]])).tolist() == [[0.5, 0.25, 0.75]]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 2), max_size=6), min_size=1, max_size=5))
def test_the_order_of_a_history_and_who_else_asks_do_not_matter(histories):
    together = made().score(Queries.of(histories))
    alone = np.concatenate([made().score(Queries.of([sorted(history)])) for history in histories])
    assert np.array_equal(together, alone)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gram_DD", np.eye(3, dtype=np.float32)),
        ("newcomer_D", np.array([np.nan, 0], np.float32)),
        ("event_weights", np.ones(2, np.float32)),
        ("more", np.ones(2, np.float32)),
    ],
)
def test_arrays_that_are_not_a_models_are_refused(tmp_path, name, value):
    arrays = {"item_vectors_ND": ITEMS, "gram_DD": np.eye(2, dtype=np.float32), "newcomer_D": np.zeros(2, np.float32)}
    arrays |= {"event_weights": np.ones(4, np.float32), name: value}
    save_arrays(tmp_path, kind="als", settings={"alpha": 1.0}, arrays=arrays)
    with pytest.raises(ModelError) as caught:
        AlsScorer.load(tmp_path)
    assert caught.value.code == Code.BUNDLE_DAMAGED
