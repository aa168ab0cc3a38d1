from endcap.core.errors import Code, StoreError
from endcap.serving.far_bundles import FarBundles
from endcap.serving.meters import Meters


class Place:
    """A place of bundles that is there or away."""

    def __init__(self):
        self.is_away, self.pulls = False, 0

    def pull(self):
        self.pulls += 1
        if self.is_away:
            raise StoreError("away", fix="wait", code=Code.STORAGE_UNREACHABLE)


def test_it_looks_at_most_once_in_ten_seconds_and_tells_since_when_the_bucket_is_away():
    now, place, meters = [0], Place(), Meters()
    far = FarBundles(place, clock=lambda: now[0], meters=meters)
    for seconds in (0, 5, 9.9, 10, 20):
        now[0] = int(seconds * 1e6)
        far.pull()
    assert (place.pulls, far.away_s()) == (3, 0.0)
    place.is_away = True
    for seconds in (30, 40, 50):
        now[0] = int(seconds * 1e6)
        far.pull()
    assert far.away_s() == 20.0
    assert b"endcap_bundles_away_seconds 20.0" in meters.text()
    place.is_away, now[0] = False, 60_000_000
    far.pull()
    assert far.away_s() == 0.0
    assert b"endcap_bundles_away_seconds 0.0" in meters.text()


def test_without_a_bucket_there_is_nothing_to_look_at():
    far = FarBundles(None, clock=lambda: 0, meters=Meters())
    far.pull()
    assert far.away_s() == 0.0
