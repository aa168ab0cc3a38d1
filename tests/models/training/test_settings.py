import pytest
from pydantic import ValidationError

from endcap.models.training.settings import TrainingSettings


def test_settings_are_frozen_and_a_typo_is_refused():
    with pytest.raises(ValidationError):
        TrainingSettings(patiense=3)
    with pytest.raises(ValidationError):
        TrainingSettings().patience = 3


@pytest.mark.parametrize("wrong", [{"parts": 0}, {"ranks": 0}, {"validation_share": 1.0}, {"checkpoint_steps": 0}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        TrainingSettings(**wrong)


@pytest.mark.parametrize(("ranks", "parts", "made"), [(1, 1, 1), (2, 1, 2), (2, 2, 2), (1, 6, 6)])
def test_ranks_count_by_the_parts_that_they_make_of_a_step_and_by_nothing_else(ranks, parts, made):
    settings = TrainingSettings(ranks=ranks, parts=parts)
    assert settings.num_parts == made
    assert settings.counted() == TrainingSettings(parts=made).counted()
    assert "ranks" not in settings.counted()


@pytest.mark.parametrize(("ranks", "parts", "made"), [(2, 3, 6), (3, 6, 6), (3, 1, 3)])
def test_where_the_order_of_a_sum_can_tell_ranks_count_too(ranks, parts, made):
    settings = TrainingSettings(ranks=ranks, parts=parts)
    assert settings.num_parts == made
    assert settings.counted() == {**TrainingSettings(parts=made).counted(), "ranks": ranks}
