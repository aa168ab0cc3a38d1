import pytest
from pydantic import ValidationError

from endcap.features.config import FeaturesConfig
from endcap.serving.config import ServingConfig


def test_a_small_shop_needs_no_settings():
    config = ServingConfig()
    assert config.placements.home.sources[-1] == "popular"
    assert config.history_events == FeaturesConfig().sequence_events
    assert config.history_length == FeaturesConfig().max_sequence


@pytest.mark.parametrize(
    "settings",
    [
        {"port": 70_000},
        {"workers": 0},
        {"history_events": ["view_itm"]},
        {"placements": {"basket": {}}},
        {"placements": {"home": {"sources": []}}},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        ServingConfig.model_validate(settings)


def test_every_setting_says_what_it_is():
    def fields(schema):
        return [each for part in [schema, *schema.get("$defs", {}).values()] for each in part["properties"].values()]

    assert all(each.get("description") or "$ref" in each for each in fields(ServingConfig.model_json_schema()))
