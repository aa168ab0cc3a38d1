import pytest

from endcap.models.popular import Popular
from endcap.models.searched import Among, searched_of
from endcap.models.sequence import SequenceModel
from endcap.models.two_tower import TwoTower


def test_a_recipe_that_does_not_tell_has_nothing_to_search():
    assert searched_of(Popular()) == {}


@pytest.mark.parametrize("recipe_type", [TwoTower, SequenceModel])
def test_what_is_searched_are_settings_and_their_ends_are_allowed(recipe_type):
    for name, range_ in searched_of(recipe_type()).items():
        assert name in recipe_type.model_fields
        for value in range_.values if isinstance(range_, Among) else (range_.low, range_.high):
            recipe_type.model_validate({name: value})
