"""Bundles that lie in a bucket: a server looks there now and then, and serves what it has while the bucket is away."""

import structlog

from endcap.core.clock import Clock
from endcap.core.errors import BundleError, StoreError
from endcap.serving.meters import Meters
from endcap.stores.bundles import BundlePlace

__all__ = ["FarBundles"]

_log = structlog.get_logger()

_BETWEEN_LOOKS_US = 10_000_000


class FarBundles:
    """Has the folder of bundles follow a bucket.

    Args:
        place: The bucket; None where the folder is all there is.
        clock: Paces the looks, and tells how long the bucket has been away.
        meters: Where that is told.
    """

    def __init__(self, place: BundlePlace | None, *, clock: Clock, meters: Meters) -> None:
        self._place = place
        self._clock = clock
        self._meters = meters
        self._looked_us: int | None = None
        self._away_since_us: int | None = None

    def pull(self) -> None:
        """Bring a new bundle to the folder if there is one; at most once in 10 s. Never raises what a bucket may do.

        The folder's `current` then names it, and `CurrentBundle` takes it up as any other.
        """
        now_us = self._clock()
        if self._place is None or (self._looked_us is not None and 0 <= now_us - self._looked_us < _BETWEEN_LOOKS_US):
            return
        self._looked_us = now_us
        try:
            self._place.pull()
        except (StoreError, BundleError, OSError) as error:
            is_new, self._away_since_us = self._away_since_us is None, self._away_since_us or now_us
            if is_new:
                _log.error("bundles.not_pulled", error=str(error).splitlines()[0], where=getattr(error, "where", ""))
        else:
            if self._away_since_us is not None:
                _log.info("bundles.back", away_s=self.away_s())
            self._away_since_us = None
        self._meters.bundles_away.set(self.away_s())

    def away_s(self) -> float:
        """Return for how many seconds no bundle could be looked for in the bucket, 0 while it can."""
        return 0.0 if self._away_since_us is None else max(1e-6, (self._clock() - self._away_since_us) / 1e6)
