import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.errors import BundleError, Code, ModelError
from endcap.index.flat import FlatIndex

VECTORS = np.array([[1, 0], [0, 1], [1, 1], [1, 0]], np.float32)


def test_items_come_best_first_and_equal_ones_by_number():
    items_BK, scores_BK = FlatIndex.build(VECTORS).search(np.array([[2, 0.5], [0, -1]], np.float32), 4)
    assert items_BK.tolist() == [[2, 0, 3, 1], [0, 3, 1, 2]]
    assert scores_BK.tolist() == [[2.5, 2, 2, 0.5], [0, 0, -1, -1]]


def test_what_is_not_wanted_is_left_out_and_the_rest_is_minus_one():
    items_BK, scores_BK = FlatIndex.build(VECTORS).search(np.array([[1, 0]], np.float32), 6, left_out=[0, 2, 0])
    assert items_BK.tolist() == [[3, 1, -1, -1, -1, -1]]
    assert (scores_BK[0, 2:] < -1e38).all()


def test_an_index_is_the_same_bytes_and_answers_the_same_after_loading(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        FlatIndex.build(VECTORS).save(tmp_path / name)
    assert (tmp_path / "a" / "flat.faiss").read_bytes() == (tmp_path / "b" / "flat.faiss").read_bytes()
    loaded = FlatIndex.load(tmp_path / "a")
    assert (len(loaded), loaded.width) == (4, 2)
    query_BD = np.array([[0.3, 0.7]], np.float32)
    found, again = FlatIndex.build(VECTORS).search(query_BD, 3), loaded.search(query_BD, 3)
    assert all(np.array_equal(one, other) for one, other in zip(found, again, strict=True))


@pytest.mark.parametrize("content", [None, b"", b"not an index", b"cut"])
def test_a_damaged_file_is_told(tmp_path, content):
    if content == b"cut":
        FlatIndex.build(VECTORS).save(tmp_path)
        content = (tmp_path / "flat.faiss").read_bytes()[:-3]
    if content is not None:
        (tmp_path / "flat.faiss").write_bytes(content)
    with pytest.raises(BundleError) as caught:
        FlatIndex.load(tmp_path)
    assert caught.value.code is Code.BUNDLE_DAMAGED


def test_vectors_that_cannot_be_searched_are_refused():
    with pytest.raises(ModelError):
        FlatIndex.build(np.full((2, 2), np.nan, np.float32))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 12), st.data())
def test_it_finds_what_a_plain_scan_finds(seed, num_items, k, data):
    faiss.omp_set_num_threads(1)
    vectors_ND = np.random.default_rng(seed).standard_normal((num_items, 5)).astype(np.float32)
    left_out = data.draw(st.lists(st.integers(0, num_items - 1), max_size=5))
    query_BD = np.random.default_rng(seed + 1).standard_normal((1, 5)).astype(np.float32)
    exact_N = (query_BD @ vectors_ND.T)[0]
    exact_N[left_out] = -np.inf
    wanted = [each for each in np.argsort(-exact_N, kind="stable") if each not in left_out][:k]
    found = [each for each in FlatIndex.build(vectors_ND).search(query_BD, k, left_out=left_out)[0][0] if each >= 0]
    assert len(found) == len(wanted)
    assert np.allclose(exact_N[found], exact_N[wanted], atol=1e-5)
