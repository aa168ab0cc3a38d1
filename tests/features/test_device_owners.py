import numpy as np
import pytest

from endcap.core.errors import BundleError, Code
from endcap.features.device_owners import DeviceOwners, write_owners

PHONE, DESK, ANN, BOB = (letter * 32 for letter in "dc1f")


def test_a_device_is_whose_it_was_last_and_any_other_key_is_nobodys(tmp_path):
    write_owners(tmp_path, {PHONE: ANN, DESK: BOB})
    owners = DeviceOwners.open(tmp_path)
    assert len(owners) == 2
    assert [owners.owner_of(key) for key in (PHONE, DESK, ANN, PHONE[:9], PHONE + "0")] == [ANN, BOB, None, None, None]


def test_a_bundle_without_owners_knows_of_none(tmp_path):
    assert DeviceOwners.open(tmp_path / "none").owner_of(PHONE) is None


def test_the_bytes_do_not_depend_on_the_order(tmp_path):
    for name, told in (("a", {PHONE: ANN, DESK: BOB}), ("b", {DESK: BOB, PHONE: ANN})):
        (tmp_path / name).mkdir()
        write_owners(tmp_path / name, told)
    for file in ("devices.npy", "users.npy"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_damaged_files_are_told(tmp_path):
    write_owners(tmp_path, {PHONE: ANN})
    np.save(tmp_path / "users.npy", np.zeros(2, "S32"))
    with pytest.raises(BundleError, match="do not fit") as caught:
        DeviceOwners.open(tmp_path)
    assert caught.value.code is Code.BUNDLE_DAMAGED
