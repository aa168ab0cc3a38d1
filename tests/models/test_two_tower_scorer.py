from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.errors import ModelError
from endcap.core.sequences import Catalogue, Queries
from endcap.models.protocol import TakesItems, VectorScorer
from endcap.models.storage import load_arrays, save_arrays
from endcap.models.two_tower_scorer import TwoTowerScorer

NUM_ITEMS, DIM, HIDDEN, PLACES = 7, 5, 6, 3


def made(seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(NUM_ITEMS, DIM), (PLACES,), (HIDDEN, 2 * DIM), (HIDDEN,), (DIM, HIDDEN), (DIM,)]
    return TwoTowerScorer(*[rng.normal(size=shape).astype(np.float32) for shape in shapes], settings={"dim": DIM})


SCORER = made()


def test_a_score_is_the_inner_product_of_the_vectors():
    queries = Queries.of([[1, 2], [], [6]])
    assert isinstance(SCORER, VectorScorer)
    assert SCORER.score(queries).dtype == np.float32
    expected = SCORER.query_vectors_BD(queries) @ SCORER.item_vectors_ND.T
    np.testing.assert_allclose(SCORER.score(queries), expected, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, NUM_ITEMS - 1), max_size=6), min_size=1, max_size=9))
def test_a_row_is_the_same_to_the_bit_alone_and_among_others(histories):
    together = SCORER.score(Queries.of(histories))
    alone = [SCORER.score(Queries.of([history]))[0] for history in histories]
    assert np.array_equal(together, np.stack(alone))


def test_a_repeated_event_of_one_item_counts_once():
    once, twice = SCORER.score(Queries.of([[1, 2, 3], [1, 1, 2, 3, 3, 3]]))
    assert np.array_equal(once, twice)


def test_neighbouring_histories_with_the_same_item_are_not_run_together():
    scores = SCORER.score(Queries.of([[], [4], [4], [], [4, 4], []]))
    assert np.array_equal(scores[1], scores[2])
    assert np.array_equal(scores[1], scores[4])
    assert np.array_equal(scores[0], scores[5])
    assert not np.array_equal(scores[0], scores[1])


def test_what_lies_further_back_than_the_places_is_not_read():
    near, far = SCORER.score(Queries.of([[1, 2, 3], [5, 6, 1, 2, 3]]))
    assert np.array_equal(near, far)


def test_no_queries_have_no_scores():
    assert SCORER.score(Queries.of([])).shape == (0, NUM_ITEMS)


def test_what_was_saved_scores_the_same_and_saves_to_the_same_bytes(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    SCORER.save(one)
    loaded = TwoTowerScorer.load(one)
    queries = Queries.of([[1, 2], []])
    assert np.array_equal(loaded.score(queries), SCORER.score(queries))
    assert loaded.settings == SCORER.settings
    loaded.save(two)
    for name in ("scorer.json", "arrays.safetensors"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert sorted(path.name for path in one.iterdir()) == ["arrays.safetensors", "scorer.json"]


def with_content():
    contents_CD = np.arange(2 * DIM, dtype=np.float32).reshape(2, DIM)
    return replace(SCORER, contents_CD=contents_CD, content_names=("category:Mugs", "brand:acme"))


def test_a_new_item_has_the_vector_of_its_content_and_a_known_one_keeps_its_own():
    later = Catalogue(tuple("abcd"), categories=("Mugs", "Mugs", "Pens", "Mugs"), brands=("Acme", "", "", ""))
    found = with_content().with_items(later, np.array([-1, 5, -1, -1], np.int32))
    sums = with_content().contents_CD
    np.testing.assert_allclose(found.item_vectors_ND[0], (sums[0] + sums[1]) / np.sqrt(2), rtol=1e-6)
    assert np.array_equal(found.item_vectors_ND[1], SCORER.item_vectors_ND[5])
    assert (found.item_vectors_ND[2].tolist(), found.item_vectors_ND[3].tolist()) == ([0] * DIM, sums[0].tolist())
    assert found.score(Queries.of([[1]])).shape == (1, 4)
    assert isinstance(found, TakesItems)


def test_content_is_saved_with_the_model_and_is_no_setting(tmp_path):
    with_content().save(tmp_path)
    loaded = TwoTowerScorer.load(tmp_path)
    assert loaded.content_names == ("category:Mugs", "brand:acme")
    assert np.array_equal(loaded.contents_CD, with_content().contents_CD)
    assert loaded.settings == {"dim": DIM}


def test_a_model_of_an_earlier_version_has_no_content_and_new_items_have_no_vector(tmp_path):
    SCORER.save(tmp_path)
    settings, arrays = load_arrays(tmp_path, kind="two_tower")
    del settings["content_names"], arrays["contents_CD"]
    save_arrays(tmp_path, kind="two_tower", settings=settings, arrays=arrays)
    loaded = TwoTowerScorer.load(tmp_path)
    assert np.array_equal(loaded.score(Queries.of([[1]])), SCORER.score(Queries.of([[1]])))
    found = loaded.with_items(Catalogue(("a", "b"), categories=("Mugs", "Mugs")), np.array([-1, 0], np.int32))
    assert found.item_vectors_ND[0].tolist() == [0] * DIM


def test_names_without_their_vectors_are_refused(tmp_path):
    replace(with_content(), content_names=("category:Mugs",)).save(tmp_path)
    with pytest.raises(ModelError, match="holds arrays of shapes"):
        TwoTowerScorer.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("scorer.json", None),
        ("scorer.json", b"{"),
        ("scorer.json", b'{"kind": "popular", "shapes": {}, "settings": {}}'),
        ("scorer.json", b'{"kind": "two_tower", "shapes": {}, "settings": {}}'),
        ("scorer.json", b'{"kind": "two_tower"}'),
        ("arrays.safetensors", None),
        ("arrays.safetensors", b"no tensors"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content):
    SCORER.save(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=r"\[bundle-damaged\]") as caught:
        TwoTowerScorer.load(tmp_path)
    assert str(tmp_path) in caught.value.where


def test_a_truncated_or_not_finite_array_is_refused(tmp_path):
    SCORER.save(tmp_path)
    whole = (tmp_path / "arrays.safetensors").read_bytes()
    (tmp_path / "arrays.safetensors").write_bytes(whole[:-4])
    with pytest.raises(ModelError):
        TwoTowerScorer.load(tmp_path)
    (tmp_path / "arrays.safetensors").write_bytes(whole[:-4] + np.float32(np.nan).tobytes())
    with pytest.raises(ModelError, match="not finite"):
        TwoTowerScorer.load(tmp_path)
