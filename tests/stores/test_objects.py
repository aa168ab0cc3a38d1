import dataclasses

import pytest

from endcap.stores.adapters.obstore import CloudObjects
from endcap.stores.objects import Objects, StoredObject


def test_the_adapter_has_every_method_of_the_port():
    wanted = {name for name in vars(Objects) if not name.startswith("_")}
    assert wanted
    assert wanted <= set(dir(CloudObjects))


def test_what_was_listed_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        StoredObject("a", 1, 1, "x").size = 2
