"""The run manifest: what a run was given, did and left behind, as one JSON file that outlives the ledger."""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from endcap.core.errors import StoreError
from endcap.core.manifest import RunManifest, SnapshotRef
from endcap.core.tables import TABLES
from endcap.core.version import __version__
from endcap.flows.flow import Flow
from endcap.flows.snapshot import snapshot

__all__ = ["versions_now", "write_run_manifest"]

_COMPUTING = ("deltalake", "duckdb", "faiss-cpu", "ibis-framework", "numpy", "pyarrow", "torch")
_MOST_ATTEMPTS = 1_000_000
_LEFT_BEHIND = ("items", "train", "index", "evaluate", "bundle")
"""Steps whose outputs later ones read. Of ingest, quality reads what it left for each of its days."""


def write_run_manifest(flow: Flow, *, outcome: str) -> None:
    """Write `runs/<run id>.json`, here and where other machines see it; a run that had nothing to do leaves none.

    A run that is killed leaves its rows in the ledger alone.

    Args:
        flow: The run, at its end.
        outcome: "done" or "failed".

    Raises:
        StoreError: A run that was done cannot tell it where other machines look (STORAGE_...).
    """
    attempts = flow.ledger.attempts(limit=_MOST_ATTEMPTS, run_id=flow.run_id)
    if not attempts:
        return
    config, settings = flow.shop.config, flow.shop.config.shop
    manifest = RunManifest(
        run_id=flow.run_id,
        organisation=settings.organisation,
        project=settings.project,
        region=settings.region,
        actor=str(flow.actor),
        started_at_us=flow.now_us,
        outcome=outcome,
        through=flow.through,
        bundle_id=flow.shop.bundle_in_force(),
        seed=flow.seed,
        code_version=__version__,
        versions=versions_now(),
        config_digest=config.digest(),
        settings=config.plain(),
        attempts=attempts[::-1],
        tables=_tables(flow),
        outputs=_outputs(flow, attempts),
    )
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    for place in flow.runs:
        try:
            place.put(flow.run_id, text + b"\n")
        except StoreError:
            if outcome == "done":
                raise
            # Else the run's own error is told, which is most likely of the same store.


def versions_now() -> dict[str, str]:
    """Return the versions of Python and of the packages that compute."""
    return {"python": platform.python_version(), **{name: version(name) for name in _COMPUTING}}


def _tables(flow: Flow) -> list[SnapshotRef]:
    """Name every table that holds rows, as it is now."""
    told = [snapshot(name, flow.ledger.parts(name)) for name in sorted(TABLES)]
    return [each for each in told if each.rows]


def _outputs(flow: Flow, attempts: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    days = {day for each in attempts if each["step"] == "quality" for day in each["partitions"]}
    ingested = {day: output for day, output in flow.ledger.outputs("ingest").items() if day in days}
    told = {**{step: flow.ledger.outputs(step) for step in _LEFT_BEHIND}, "ingest": ingested}
    return {step: outputs for step, outputs in told.items() if outputs}
