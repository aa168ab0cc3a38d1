from endcap.stores.adapters.lmdb import LmdbKeyValues
from endcap.stores.kv import KeyValues


def test_the_adapter_fits_the_port(tmp_path):
    kv: KeyValues = LmdbKeyValues(tmp_path / "kv", size_mb=8)
    assert all(hasattr(kv, name) for name in ("get", "put", "change", "close"))
    kv.close()
