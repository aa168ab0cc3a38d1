import threading

import numpy as np
import pytest

from endcap.core.errors import StoreError
from endcap.stores.adapters.lmdb import LmdbKeyValues
from endcap.stores.kv import KeyValues


def test_the_adapter_fits_the_port(tmp_path):
    kv: KeyValues = LmdbKeyValues(tmp_path / "kv", size_mb=8)
    assert all(hasattr(kv, name) for name in ("get", "put", "change", "prune", "close"))
    kv.close()


@pytest.fixture(params=[LmdbKeyValues])
def kv(request, tmp_path):
    """Every adapter there is, empty."""
    opened = request.param(tmp_path / "kv", size_mb=8)
    yield opened
    opened.close()


def keys_of(kv, count):
    return [number for number in range(count) if kv.get(b"%05d" % number) is not None]


@pytest.mark.parametrize("count", [0, 1, 2500])
def test_exactly_what_is_old_is_removed(kv, count):
    kv.change({b"%05d" % number: lambda _old, value=number % 3: b"%d" % value for number in range(count)})
    assert kv.prune(lambda key, value: value == b"1" or key == b"00003") == sum(
        number % 3 == 1 or number == 3 for number in range(count)
    )
    assert keys_of(kv, count) == [number for number in range(count) if number % 3 != 1 and number != 3]
    assert kv.prune(lambda _key, _value: False) == 0


def test_a_value_that_is_written_while_others_are_looked_at_stays(kv):
    kv.put(b"a", b"old")
    asked = []

    def is_old(_key, value):
        asked.append(value)
        if len(asked) == 1:  # it was found old, and is written before it is removed
            kv_writes(kv)
        return value == b"old"

    assert kv.prune(is_old) == 0
    assert (kv.get(b"a"), asked) == (b"new", [b"old", b"new"])


def kv_writes(kv):
    writer = threading.Thread(target=kv.put, args=(b"a", b"new"))
    writer.start()
    writer.join()


def test_one_process_prunes_at_a_time(kv):
    kv.put(b"a", b"1")
    inner = []

    def is_old(_key, _value):
        if not inner:
            inner.append(None)
            inner[0] = kv.prune(lambda _key, _value: True)
        return True

    assert kv.prune(is_old) == 1
    assert inner == [0]


@pytest.mark.parametrize("largest", [100, 3000])
def test_a_full_store_takes_writes_again_when_what_is_old_is_gone(kv, largest):
    draws = np.random.default_rng(1)
    sizes, names = draws.integers(1, largest, 200_000).tolist(), draws.permutation(200_000).tolist()

    def fill():
        for name, size in zip(names, sizes, strict=True):
            kv.put(b"%06d" % name, b"x" * size)

    with pytest.raises(StoreError, match="the key-value store is full: it holds the 8 MB") as caught:
        fill()
    assert "serving.kv_mb" in caught.value.fix
    assert kv.prune(lambda key, _value: key[-1:] in b"02468") > 100
    kv.change({b"new%d" % number: lambda _old: b"x" * largest for number in range(100)})
