import pytest
from pydantic import ValidationError

from endcap.models.training.settings import TrainingSettings


def test_settings_are_frozen_and_a_typo_is_refused():
    with pytest.raises(ValidationError):
        TrainingSettings(patiense=3)
    with pytest.raises(ValidationError):
        TrainingSettings().patience = 3


@pytest.mark.parametrize("wrong", [{"parts": 0}, {"validation_share": 1.0}, {"checkpoint_steps": 0}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        TrainingSettings(**wrong)
