"""The run manifest: what a run was given, did and left behind, as one JSON file that outlives the ledger."""

import platform
from importlib.metadata import version

import msgspec

from endcap.core.manifest import RunManifest
from endcap.core.version import __version__
from endcap.flows.flow import Flow
from endcap.flows.shop import write_atomically

__all__ = ["write_run_manifest"]

_COMPUTING = ("deltalake", "duckdb", "faiss-cpu", "ibis-framework", "numpy", "pyarrow", "torch")
_MOST_ATTEMPTS = 1000


def write_run_manifest(flow: Flow, *, outcome: str) -> None:
    """Write `runs/<run id>.json`; a run that had nothing to do leaves none.

    A run that is killed leaves its rows in the ledger alone.

    Args:
        flow: The run, at its end.
        outcome: "done" or "failed".
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
        versions={"python": platform.python_version(), **{name: version(name) for name in _COMPUTING}},
        config_digest=config.digest(),
        settings=config.plain(),
        attempts=attempts[::-1],
    )
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    write_atomically(flow.shop.runs / f"{flow.run_id}.json", text + b"\n")
