from typing import get_type_hints

from endcap.stores.adapters.sealed_ids import SealedIds
from endcap.stores.raw_ids import RawIds


def test_the_sealed_file_has_all_that_the_port_asks_for(tmp_path):
    store: RawIds = SealedIds(tmp_path / "raw_ids.db", bytes(32))
    asked = [name for name in vars(RawIds) if not name.startswith("_")]
    assert all(get_type_hints(getattr(store, name)) == get_type_hints(getattr(RawIds, name)) for name in asked)
