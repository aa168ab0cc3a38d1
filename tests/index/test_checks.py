import numpy as np
import pytest

from endcap.core.errors import Code, ModelError
from endcap.index.checks import check_recall, check_vectors
from endcap.index.config import IndexConfig


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (4,)])
def test_vectors_must_be_there(shape):
    with pytest.raises(ModelError, match="shape") as caught:
        check_vectors(np.zeros(shape, np.float32))
    assert caught.value.code is Code.INDEX_REFUSED


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_must_be_finite_and_the_bad_are_counted(bad):
    vectors_ND = np.ones((5, 2), np.float32)
    check_vectors(vectors_ND)
    vectors_ND[[1, 3], 0] = bad
    with pytest.raises(ModelError, match="2 of 5 item vectors"):
        check_vectors(vectors_ND)


def test_a_recall_below_the_bar_is_refused_with_its_number():
    check_recall({"recall@10": 0.995}, IndexConfig())
    with pytest.raises(ModelError, match=r"recall@10 0\.9800; the bar is 0\.99"):
        check_recall({"recall@10": 0.98, "recall@100": 1.0}, IndexConfig())
