from dataclasses import FrozenInstanceError

import pytest

from endcap.models.training.context import Context
from endcap.models.training.place import place_of
from endcap.models.training.ranks import Ranks
from endcap.models.training.settings import TrainingSettings


def test_what_a_fit_is_under_way_with_cannot_change():
    context = Context(place_of(TrainingSettings(device="cpu")), Ranks(), 3)
    with pytest.raises(FrozenInstanceError):
        context.seed = 4
