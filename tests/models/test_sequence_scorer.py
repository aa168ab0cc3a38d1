import json

import numpy as np
import pytest

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Queries
from endcap.models.sequence import SequenceModel
from endcap.models.sequence_scorer import SequenceScorer, rotations
from endcap.models.storage import load_arrays, save_arrays
from endcap.testing.worlds import planted_catalogue, planted_sequences


@pytest.fixture(scope="module")
def scorer():
    return SequenceModel(dim=8, epochs=2).fit(planted_sequences(), planted_catalogue(), seed=1)


def saved(scorer, folder):
    scorer.save(folder)
    return load_arrays(folder, kind="sequence")[1]


def test_a_rotation_keeps_lengths_and_the_first_place_is_not_turned():
    cosines, sines = rotations(7, 8)
    assert cosines.shape == sines.shape == (7, 4)
    np.testing.assert_allclose(cosines**2 + sines**2, 1, atol=1e-6)
    assert (cosines[0].tolist(), sines[0].tolist()) == ([1.0] * 4, [0.0] * 4)


def test_more_queries_than_are_read_at_a_time_are_answered_alike(scorer):
    histories = [[number % 12, (number * 5) % 12] for number in range(600)]
    together = scorer.score(Queries.of(histories))
    alone = np.concatenate([scorer.score(Queries.of([history])) for history in histories[250:260]])
    np.testing.assert_allclose(together[250:260], alone, rtol=1e-4, atol=1e-5)


def test_kinds_that_are_not_told_are_of_no_kind_and_told_ones_count(scorer):
    starts, items = np.array([0, 2]), np.array([1, 2], np.int32)
    untold, none, bought = (
        scorer.score(Queries(starts, items, events)) for events in (None, np.zeros(2, np.int8), np.full(2, 3, np.int8))
    )
    assert np.array_equal(untold, none)
    assert not np.array_equal(untold, bought)


def test_arrays_of_another_model_are_refused(scorer, tmp_path):
    arrays = {name: values for name, values in saved(scorer, tmp_path).items() if name != "ask"}
    save_arrays(tmp_path, kind="sequence", settings=scorer.settings, arrays=arrays)
    with pytest.raises(ModelError, match="holds the arrays") as caught:
        SequenceScorer.load(tmp_path)
    assert caught.value.code is Code.BUNDLE_DAMAGED


def test_numbers_that_are_not_finite_are_refused(scorer, tmp_path):
    broken = saved(scorer, tmp_path) | {"biases_N": np.full(12, np.nan, np.float32)}
    save_arrays(tmp_path, kind="sequence", settings=scorer.settings, arrays=broken)
    with pytest.raises(ModelError, match="not finite"):
        SequenceScorer.load(tmp_path)
    assert json.loads((tmp_path / "scorer.json").read_text())["kind"] == "sequence"
