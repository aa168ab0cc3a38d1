import numpy as np
import pytest

from endcap.core.errors import BundleError, Code
from endcap.features.keyed_arrays import keys_array, mapped, place_of

KEYS = ["0" * 32, "a" * 32, "f" * 32]


def test_a_key_is_found_at_its_place_and_nothing_else_is():
    keys = keys_array(KEYS)
    assert [place_of(keys, key) for key in KEYS] == [0, 1, 2]
    assert [place_of(keys, key) for key in ("b" * 32, "a" * 31, "a" * 33, "g" * 32, "")] == [None] * 5
    assert place_of(keys[:0], KEYS[0]) is None


def test_a_file_that_is_missing_or_cut_off_is_told_with_what_it_is(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(100))
    assert [array.tolist() for array in mapped(tmp_path, ["a.npy"], what="keys")] == [list(range(100))]
    (tmp_path / "b.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:150])
    for name in ("b.npy", "c.npy"):
        with pytest.raises(BundleError, match="the bundle's keys cannot be read") as caught:
            mapped(tmp_path, ["a.npy", name], what="keys")
        assert caught.value.code is Code.BUNDLE_DAMAGED
