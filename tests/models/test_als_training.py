import sys
from dataclasses import replace

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.models.als import Als
from endcap.models.als_training import confidences
from endcap.testing.worlds import planted_catalogue, planted_sequences


def visits():
    """User 5: item 1 twice (viewed, bought), then in another session item 0 (viewed); user 2: item 1, of no kind."""
    return Sequences(
        starts=np.array([0, 2, 3, 4]),
        items=np.array([1, 1, 1, 0], np.int32),
        at_us=np.arange(4),
        users=np.array([5, 2, 5]),
        events=np.array([1, 3, 0, 1], np.int8),
    )


def test_a_users_sessions_are_one_row_and_events_of_an_item_add_up():
    found = confidences(Als(alpha=2), visits(), 3)
    assert found.dtype == np.float32
    assert found.toarray().tolist() == [[0, 1 + 2 * 1, 0], [1 + 2 * 1, 1 + 2 * (1 + 3), 0]]


def test_where_kinds_are_not_told_the_elements_weights_count():
    told = replace(visits(), events=None, weights=np.array([1, 0.5, 2, 4], np.float32))
    assert confidences(Als(alpha=1), told, 2).toarray().tolist() == [[0, 3], [5, 2.5]]
    assert confidences(Als(alpha=1), replace(told, weights=None), 2).toarray().tolist() == [[0, 2], [2, 3]]


def test_a_learned_users_history_comes_to_what_the_library_says_of_the_user():
    recipe, sequences = Als(factors=4), planted_sequences()
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=4, regularization=recipe.regularization, iterations=15, num_threads=1, random_state=17
        )
        rows = confidences(recipe, sequences, 12)
        model.fit(rows, show_progress=False)
        expected = model.recalculate_user(0, rows[0]) @ model.item_factors.T
    scorer = recipe.fit(sequences, planted_catalogue(), seed=17)
    first = np.concatenate([sequences.items[:5], sequences.items[5:10]]).tolist()  # two sessions are one user's
    np.testing.assert_allclose(scorer.score(Queries.of([first]))[0], expected, rtol=1e-3, atol=1e-4)


def test_numbers_out_of_their_range_are_told():
    huge = replace(planted_sequences(), weights=np.full(2000, 1e22, np.float32))
    with pytest.raises(ModelError, match="ran out of the range of numbers") as caught:
        Als(alpha=1e6).fit(huge, planted_catalogue(), seed=1)
    assert caught.value.code == Code.MODEL_NOT_FITTED


def test_without_the_library_the_error_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    with pytest.raises(ModelError, match=r"endcap\[als\]") as caught:
        Als().fit(planted_sequences(), planted_catalogue(), seed=1)
    assert caught.value.code == Code.MODEL_NOT_FITTED


def test_a_shop_nobody_has_visited_needs_no_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    nothing = Sequences(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert Als().fit(nothing, Catalogue(("a",)), seed=1).score(Queries.of([[0], []])).tolist() == [[0], [0]]
