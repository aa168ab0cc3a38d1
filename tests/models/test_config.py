import subprocess
import sys

import pytest
from pydantic import ValidationError

from endcap.core.clock import days_between
from endcap.core.errors import ModelError
from endcap.models.config import EvaluationSettings, ModelsConfig
from endcap.models.item_markov import ItemMarkov
from endcap.models.popular import Popular


def test_a_small_shop_needs_no_settings():
    recipes = ModelsConfig().recipes()
    assert list(recipes) == ["popular", "item_markov", "two_tower"]
    assert [recipe.kind for recipe in recipes.values()] == list(recipes)


def test_settings_of_a_model_stand_in_its_own_table():
    settings = {"train": ["item_markov", "popular"], "popular": {"window_days": 7}, "item_markov": {"decay": 0.4}}
    recipes = ModelsConfig.model_validate(settings).recipes()
    assert recipes == {"item_markov": ItemMarkov(decay=0.4), "popular": Popular(window_days=7)}


@pytest.mark.parametrize(
    "settings",
    [
        {"default": "two_towers"},
        {"train": ["popular"], "default": "item_markov"},
        {"train": ["popular", "popular"], "default": "popular"},
        {"popular": {"window_day": 7}},
        {"evaluation": {"split_day": "2016-13-01"}},
        {"evaluation": {"split_day": "soon"}},
        {"evaluation": {"ks": [0, 5]}},
        {"evaluation": {"ks": [5, 5]}},
        {"evaluation": {"protocol": "leave_one_out"}},
    ],
)
def test_settings_that_do_not_fit_are_refused(settings):
    with pytest.raises(ValidationError):
        ModelsConfig.model_validate(settings)


def test_a_model_that_is_not_installed_is_named_when_recipes_are_made():
    config = ModelsConfig(train=("popular", "popular_7"), default="popular")
    with pytest.raises(ModelError, match="did you mean 'popular'"):
        config.recipes()


def test_lengths_are_ascending_whatever_the_order_in_the_file():
    assert EvaluationSettings(ks=(20, 5)).ks == (5, 20)


@pytest.mark.parametrize(
    ("through", "expected"), [("2016-08-28", "2016-08-22"), ("2016-08-08", "2016-08-07"), ("2016-08-01", "2016-08-01")]
)
def test_the_test_is_a_week_or_a_quarter_of_a_young_shops_days(through, expected):
    assert EvaluationSettings().first_test_day(dict.fromkeys(days_between("2016-08-01", through), 9)) == expected


def test_a_lone_visit_long_after_an_old_export_is_not_the_whole_test():
    days = dict.fromkeys(days_between("2016-08-01", "2016-09-28"), 100) | {"2026-11-24": 1}
    assert EvaluationSettings().first_test_day(days) == "2016-09-23"


def test_a_day_that_has_just_begun_is_not_the_whole_test():
    days = dict.fromkeys(days_between("2026-01-01", "2026-01-04"), 50)
    assert EvaluationSettings().first_test_day(days) == "2026-01-04"
    assert EvaluationSettings().first_test_day(days | {"2026-01-05": 2}) == "2026-01-04"
    assert EvaluationSettings().first_test_day({"2026-01-04": 50, "2026-01-05": 1}) == "2026-01-05"


def test_a_day_that_is_given_stands():
    settings = EvaluationSettings(split_day="2016-09-15")
    assert settings.first_test_day(dict.fromkeys(days_between("2016-08-01", "2016-09-28"), 9)) == "2016-09-15"


def test_reading_settings_imports_nothing_heavy():
    heavy = "torch", "pandas", "duckdb", "ibis", "deltalake", "pyarrow"
    script = f"import sys, endcap.models.config\nprint([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
