import pytest
from pydantic import ValidationError

from endcap.index.config import IndexConfig


def test_the_defaults_ask_for_an_exact_index():
    assert IndexConfig().recall_bar == 0.99
    assert IndexConfig().recall_ks == (10, 100)


@pytest.mark.parametrize("settings", [{"recall_bar": 1.1}, {"recall_ks": []}, {"recall_queries": 0}, {"nprobe": 8}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        IndexConfig.model_validate(settings)
