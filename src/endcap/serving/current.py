"""The bundle in force: `bundles/current` names it, and a server takes it up while it answers.

Requests hold the bundle they began with. A new one that cannot be used leaves the old one in force.
"""

import re
from pathlib import Path

import structlog

from endcap.core.clock import Clock, day_start_us, next_day
from endcap.core.errors import BundleError, Code
from endcap.serving.bundle import LoadScorer, ServingBundle, open_bundle
from endcap.serving.meters import Meters

__all__ = ["CurrentBundle"]

_log = structlog.get_logger()

_RETRY_US = 60_000_000
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class CurrentBundle:
    """Holds the bundle in force and looks for a new one.

    Args:
        bundles: The folder of bundles, with the file `current` in it.
        load_scorer: Reads a model's folder.
        clock: Paces new attempts at a bundle that was refused, and tells ages.
        meters: Where swaps and ages are told.
    """

    def __init__(self, bundles: Path, load_scorer: LoadScorer, *, clock: Clock, meters: Meters) -> None:
        self._bundles = bundles
        self._load_scorer = load_scorer
        self._clock = clock
        self._meters = meters
        self._bundle: ServingBundle | None = None
        self._seen: tuple[int, int] | None = None
        self._refused_us: int | None = None
        self._refusal = BundleError(
            "there is no bundle", where=str(bundles), fix="run `endcap refresh SHOP`", code=Code.BUNDLE_MISSING
        )

    def get(self) -> ServingBundle:
        """Return the bundle in force.

        Raises:
            BundleError: None could be used yet; the error of the last attempt.
        """
        if self._bundle is None:
            raise self._refusal
        return self._bundle

    def look(self) -> bool:
        """Take up a new bundle if there is one. Cheap when there is none: the file is not even read.

        May run in a thread of its own while others call `get`.

        Returns:
            Whether another bundle is in force now.
        """
        seen = self._stamp()
        is_retry = self._refused_us is not None and self._clock() - self._refused_us >= _RETRY_US
        if seen is None or (seen == self._seen and not is_retry):
            return False
        self._seen = seen
        bundle_id = ""
        try:
            bundle_id = (self._bundles / "current").read_text(encoding="utf-8", errors="replace").strip()
            if self._bundle is not None and self._bundle.version == bundle_id:
                self._refused_us = None
                return False
            self._take(self._open(bundle_id))
        except BundleError as error:
            self._refuse(bundle_id, error)
            return False
        except (OSError, UnicodeDecodeError) as error:
            self._refuse(bundle_id, _unreadable(self._bundles / (bundle_id or "current"), error))
            return False
        return True

    def tell_ages(self) -> None:
        """Bring the meters of ages up to the present instant."""
        if self._bundle is None:
            return
        manifest, now_us = self._bundle.manifest, self._clock()
        # The last day may have gone on after the bundle was made.
        known_until_us = min(day_start_us(next_day(manifest.through)), manifest.created_at_us or now_us)
        self._meters.freshness.labels("histories").set((now_us - known_until_us) / 1e6)
        self._meters.index_age.set((now_us - manifest.created_at_us) / 1e6)

    def _open(self, bundle_id: str) -> ServingBundle:
        if not _ID.fullmatch(bundle_id):
            raise BundleError(
                f"'{bundle_id[:80]}' is no id of a bundle",
                where=str(self._bundles / "current"),
                fix="write the name of a folder beside it into the file, or run `endcap refresh SHOP`",
                code=Code.BUNDLE_DAMAGED,
            )
        bundle = open_bundle(self._bundles / bundle_id, self._load_scorer)
        if bundle.version != bundle_id:
            raise BundleError(
                f"the bundle calls itself '{bundle.version}'",
                where=str(bundle.folder),
                fix="run `endcap refresh --again bundle`",
                code=Code.BUNDLE_DAMAGED,
            )
        return bundle

    def _take(self, bundle: ServingBundle) -> None:
        old, self._bundle, self._refused_us = self._bundle, bundle, None  # one assignment: a reader sees old or new
        self._meters.bundle_swaps.labels("taken").inc()
        for name, recall in bundle.recall.items():
            self._meters.index_recall.labels(name).set(recall)
        _log.info("bundle.taken", bundle=bundle.version, before=old.version if old else None, items=len(bundle.items))

    def _refuse(self, bundle_id: str, error: BundleError) -> None:
        self._refused_us, self._refusal = self._clock(), error
        self._meters.bundle_swaps.labels("refused").inc()
        in_force = self._bundle.version if self._bundle else None
        _log.error(
            "bundle.refused", bundle=bundle_id, in_force=in_force, error=error.what, where=error.where, fix=error.fix
        )

    def _stamp(self) -> tuple[int, int] | None:
        """Return what changes whenever `current` is replaced, None while there is none."""
        try:
            found = (self._bundles / "current").stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino


def _unreadable(place: Path, error: OSError | UnicodeDecodeError) -> BundleError:
    return BundleError(
        f"it cannot be read: {getattr(error, 'strerror', None) or error}",
        where=str(place),
        fix="look at the owner of the folder and of the files in it",
        code=Code.BUNDLE_DAMAGED,
    )
