import dataclasses

import pytest

from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.tables import Fence, TableStore


def test_the_delta_adapter_has_every_method_of_the_port():
    wanted = {name for name in vars(TableStore) if not name.startswith("_")}
    assert wanted <= set(dir(DeltaTables))


def test_a_fence_cannot_be_changed_by_who_holds_it():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Fence("step", 1).token = 2
