import pytest
import structlog

from endcap.core.errors import BundleError, Code
from endcap.serving.current import CurrentBundle
from endcap.serving.meters import Meters


class Ticking:
    def __init__(self):
        self.at_us = 1_789_900_000_000_000

    def __call__(self):
        return self.at_us


@pytest.fixture
def clock():
    return Ticking()


@pytest.fixture
def current(shop, clock):
    return CurrentBundle(shop.bundles, shop.load_scorer, clock=clock, meters=Meters())


def test_without_a_bundle_it_says_so(current):
    assert current.look() is False
    with pytest.raises(BundleError) as caught:
        current.get()
    assert caught.value.code is Code.BUNDLE_MISSING


def test_a_new_bundle_is_taken_up_once(shop, current):
    first = shop.bundle()
    assert current.look() is True
    held = current.get()
    assert current.look() is False
    second = shop.bundle(sessions=["HG"])
    assert current.look() is True
    assert (held.version, current.get().version) == (first, second)


@pytest.mark.parametrize("named", ["2020-01-01-000000000000", "../elsewhere", "", "\x00"])
def test_a_bundle_that_cannot_be_used_leaves_the_old_one_in_force(shop, current, named):
    first = shop.bundle()
    current.look()
    shop.put_in_force(named)
    with structlog.testing.capture_logs() as logs:
        assert current.look() is False
    assert current.get().version == first
    assert [(each["event"], each["in_force"]) for each in logs] == [("bundle.refused", first)]
    assert 'endcap_bundle_swaps_total{outcome="refused"} 1.0' in current._meters.text().decode()  # noqa: SLF001


def test_a_refused_bundle_is_tried_again_after_a_minute(shop, clock, current):
    bundle_id = shop.write()
    away = shop.root / "away"
    (shop.bundles / bundle_id).rename(away)
    shop.put_in_force(bundle_id)
    assert current.look() is False
    away.rename(shop.bundles / bundle_id)
    assert current.look() is False
    clock.at_us += 60_000_000
    assert current.look() is True


def test_a_folder_under_another_bundles_name_is_refused(shop, current):
    bundle_id = shop.write()
    (shop.bundles / bundle_id).rename(shop.bundles / "other")
    shop.put_in_force("other")
    assert current.look() is False
    with pytest.raises(BundleError, match="calls itself"):
        current.get()


def test_ages_count_from_the_last_day_and_from_the_making(shop, current):
    shop.bundle(through="2026-09-19")
    current.look()
    current.tell_ages()
    text = current._meters.text().decode()  # noqa: SLF001 - what is told is the point
    assert 'endcap_feature_freshness_seconds{view="histories"} 37600.0' in text


def test_a_bundle_made_during_its_last_day_knows_that_day_up_to_its_making(shop, current, clock):
    shop.bundle(through="2026-09-20", created_at_us=clock.at_us - 60_000_000)
    current.look()
    current.tell_ages()
    assert 'endcap_feature_freshness_seconds{view="histories"} 60.0' in current._meters.text().decode()  # noqa: SLF001


def test_what_cannot_be_read_is_refused_and_tried_again(shop, clock, current):
    first = shop.bundle()
    manifest = shop.bundles / first / "manifest.json"
    aside = manifest.rename(shop.root / "aside")
    manifest.mkdir()  # reading it fails, as reading another user's file would
    assert current.look() is False
    with pytest.raises(BundleError, match="it cannot be read"):
        current.get()
    manifest.rmdir()
    aside.rename(manifest)
    clock.at_us += 60_000_000
    assert current.look() is True
    (shop.bundles / "current").unlink()
    (shop.bundles / "current").mkdir()
    assert current.look() is False
    assert current.get().version == first
