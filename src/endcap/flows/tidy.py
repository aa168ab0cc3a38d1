"""Tidying up after a refresh: bundles nobody will go back to, what only they were made of, and what dead runs left."""

import shutil
from contextlib import suppress
from pathlib import Path

from endcap.core.errors import BundleError
from endcap.core.manifest import BundleManifest, read_manifest
from endcap.flows.flow import Flow

__all__ = ["tidy"]

_DEAD_AFTER_US = 24 * 3_600_000_000
"""What was not touched for a day belongs to no run that still goes on."""


def tidy(flow: Flow) -> None:
    """Remove bundles beyond the last `shop.keep_bundles`, models and indexes that were replaced, and old scratch.

    Kept are the bundle in force, whatever its age, what the ledger knows as a step's output, the model that the
    settings pin for hard negatives, and all that was touched within a day: another run may be about to use it. A bundle
    holds all that it serves, so old models can go.
    """
    kept = _kept_bundles(flow)
    names = {manifest.bundle_id for manifest in kept}
    unused = [path for path in _folders(flow.shop.bundles) if path.name not in names]
    samplers = flow.shop.config.features.negatives
    pinned = {(each.model, each.version) for each in samplers if each.kind == "hard"}
    for step, place in (("train", flow.shop.models), ("index", flow.shop.index)):
        used = {(name, output["version"]) for name, output in flow.ledger.outputs(step).items()} | pinned
        versions = [version for model in _folders(place) for version in _folders(model)]
        unused += [version for version in versions if (version.parent.name, version.name) not in used]
    dead_before_us = flow.now_us - _DEAD_AFTER_US
    flow.bundles.tidy(keep=flow.shop.config.shop.keep_bundles, dead_before_us=dead_before_us)
    for folder in [*unused, *_folders(flow.shop.scratch)]:
        with suppress(FileNotFoundError):  # another run tidies, too
            if folder.stat().st_mtime_ns // 1000 < dead_before_us:
                shutil.rmtree(folder, ignore_errors=True)


def _kept_bundles(flow: Flow) -> list[BundleManifest]:
    """Return the manifests of the latest bundles and of the one in force; what has no manifest is no bundle."""
    manifests = []
    for folder in _folders(flow.shop.bundles):
        try:
            manifests.append(read_manifest(folder))
        except BundleError:  # of another version, or damaged: it cannot be gone back to
            continue
    manifests.sort(key=lambda manifest: (manifest.created_at_us, manifest.bundle_id), reverse=True)
    kept = manifests[: flow.shop.config.shop.keep_bundles]
    # The one made last may be held back, and waits to be put in force.
    named = {flow.shop.bundle_in_force(), flow.ledger.outputs("bundle").get("", {}).get("bundle_id", "")}
    return kept + [each for each in manifests if each.bundle_id in named and each not in kept]


def _folders(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir()) if place.is_dir() else []
