from importlib.metadata import EntryPoint

import pytest

from endcap.core.errors import Code, ModelError
from endcap.models import registry, scorers
from endcap.models.item_markov import ItemMarkov
from endcap.models.popular import Popular, PopularScorer
from endcap.models.registry import algorithm, algorithm_names
from endcap.models.storage import save_arrays


@pytest.fixture
def another_package(monkeypatch):
    """A package that brings an algorithm `last_week` and its scorer."""

    def points(group):
        value = {
            "endcap.algorithms": "endcap.models.popular:Popular",
            "endcap.scorers": "endcap.models.popular:PopularScorer",
        }
        return [EntryPoint("last_week", value[group], group)]

    monkeypatch.setattr(registry, "entry_points", points)
    monkeypatch.setattr(scorers, "entry_points", points)


def test_ours_are_found_by_name_with_their_settings():
    assert algorithm("popular", {"window_days": 7}) == Popular(window_days=7)
    assert algorithm("item_markov") == ItemMarkov()
    assert {"popular", "item_markov", "two_tower"} <= set(algorithm_names())


@pytest.mark.usefixtures("another_package")
def test_an_algorithm_of_another_package_is_found_by_its_entry_point():
    assert "last_week" in algorithm_names()
    assert algorithm("last_week", {"window_days": 7}) == Popular(window_days=7)


@pytest.mark.usefixtures("another_package")
def test_a_scorer_of_another_package_is_found_by_its_entry_point(tmp_path):
    save_arrays(tmp_path, kind="last_week", settings={}, arrays={})
    with pytest.raises(ModelError, match="'last_week', not 'popular'"):  # it came as far as that scorer's own loading
        scorers.load_scorer(tmp_path)
    assert PopularScorer.kind == "popular"


def test_an_unknown_name_lists_the_near_ones():
    with pytest.raises(ModelError, match="did you mean 'item_markov'") as caught:
        algorithm("item_markow")
    assert caught.value.code == Code.MODEL_UNKNOWN


def test_settings_that_cannot_be_used_are_a_model_error():
    with pytest.raises(ModelError, match="window_days") as caught:
        algorithm("popular", {"window_days": 0})
    assert caught.value.code == Code.CONFIG_INVALID
