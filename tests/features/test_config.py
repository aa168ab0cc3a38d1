import pytest
from pydantic import ValidationError

from endcap.features.config import FeaturesConfig

PINNED = {"model": "two_tower", "version": "0123456789abcdef"}


def test_the_defaults_make_sequences_of_views_carts_and_purchases():
    config = FeaturesConfig()
    assert config.sequence_events == ("view_item", "add_to_cart", "purchase")
    assert config.max_sequence == 50
    assert [each.model_dump() for each in config.negatives] == [{"kind": "popularity", "num": 4, "power": 0.75}]
    assert config.num_by_kind == {"popularity": 4}


def test_an_unknown_event_is_told_with_the_near_ones():
    with pytest.raises(ValidationError, match="'purchas' is no event; did you mean 'purchase'"):
        FeaturesConfig(sequence_events=("purchas",))


def test_an_event_named_twice_is_refused():
    with pytest.raises(ValidationError, match="named twice"):
        FeaturesConfig(sequence_events=("purchase", "purchase"))


def test_a_sampler_named_twice_is_refused():
    with pytest.raises(ValidationError, match="'uniform' stands twice"):
        FeaturesConfig(negatives=[{"kind": "uniform"}, {"kind": "hard", **PINNED}, {"kind": "uniform", "num": 2}])
