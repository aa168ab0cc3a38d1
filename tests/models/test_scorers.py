import subprocess
import sys

import numpy as np
import pytest

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Queries
from endcap.models.item_markov import ItemMarkov, ItemMarkovScorer
from endcap.models.popular import Popular, PopularScorer
from endcap.models.scorers import check_kind, load_scorer
from endcap.models.storage import save_arrays
from endcap.testing.worlds import planted_catalogue, planted_sequences


@pytest.mark.parametrize(("recipe", "result"), [(Popular(), PopularScorer), (ItemMarkov(), ItemMarkovScorer)])
def test_a_scorer_is_found_by_its_kind(recipe, result, tmp_path):
    fitted = recipe.fit(planted_sequences(), planted_catalogue(), seed=1)
    fitted.save(tmp_path)
    loaded = load_scorer(tmp_path)
    assert isinstance(loaded, result)
    assert np.array_equal(loaded.score(Queries.of([[3]])), fitted.score(Queries.of([[3]])))


def test_a_kind_that_nobody_knows_names_the_near_ones(tmp_path):
    save_arrays(tmp_path, kind="popuar", settings={}, arrays={})
    with pytest.raises(ModelError, match="did you mean 'popular'") as caught:
        load_scorer(tmp_path)
    assert caught.value.code == Code.MODEL_UNKNOWN


def test_a_kind_can_be_checked_before_there_is_a_model():
    check_kind("two_tower")
    with pytest.raises(ModelError, match="did you mean 'two_tower'") as caught:
        check_kind("two_towers")
    assert caught.value.where == ""


def test_loading_never_imports_torch(tmp_path):
    Popular().fit(planted_sequences(), planted_catalogue(), seed=1).save(tmp_path)
    heavy = "torch", "pandas", "duckdb", "ibis", "deltalake", "pyarrow"
    script = (
        "import sys, pathlib\nfrom endcap.models.scorers import load_scorer\n"
        f"load_scorer(pathlib.Path({str(tmp_path)!r}))\nprint([name for name in {heavy} if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
