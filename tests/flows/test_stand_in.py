import pytest

from endcap.core.errors import BundleError, Code
from endcap.flows.shop import find_shop
from endcap.flows.stand_in import stand_in


def test_a_stand_in_has_the_shops_settings_and_bundle_and_neither_key_nor_visitors(tiny_shop):
    shop = find_shop(tiny_shop)
    with stand_in(shop, shop.bundle_in_force()) as root:
        other = find_shop(root)
        assert other.config == shop.config
        assert not (root / "keys").exists()
        assert other.bundle_in_force() == shop.bundle_in_force()
        assert (other.bundles / other.bundle_in_force() / "manifest.json").is_file()
        assert not other.kv.exists()
        assert not other.landing.exists()
    assert not root.exists()
    assert shop.bundle_in_force()


def test_a_shop_without_a_bundle_has_no_stand_in(fresh_shop):
    with pytest.raises(BundleError) as caught, stand_in(find_shop(fresh_shop), ""):
        pass
    assert caught.value.code is Code.BUNDLE_MISSING
