"""The manifests of past runs: found by the run's id, or by the id of a bundle that it made."""

from endcap.core.errors import BundleError, Code, LedgerError, near
from endcap.core.manifest import RunManifest, parse_run_manifest, read_manifest
from endcap.flows.flow import Flow

__all__ = ["find_run"]


def find_run(flow: Flow, name: str) -> RunManifest:
    """Return the manifest of a run.

    Args:
        flow: The shop's flow.
        name: Id of the run, or of a bundle: then the run that made it.

    Raises:
        LedgerError: There is none (RUN_UNKNOWN), or it is damaged (RUN_DAMAGED).
    """
    paths = {path.stem: path for path in sorted(flow.shop.runs.glob("*.json"))}
    wanted = name if name in paths else _maker_of(flow, name)
    if wanted in paths:
        return parse_run_manifest(paths[wanted].read_bytes(), where=str(paths[wanted]))
    if flow.ledger.attempts(limit=1, run_id=wanted or name):
        raise LedgerError(
            f"the run {wanted or name} left no manifest: it goes on just now, was killed, or its manifest was removed",
            where=str(flow.shop.runs),
            fix="replay the run after it: what a killed run leaves undone, the next one does",
            code=Code.RUN_UNKNOWN,
        )
    bundles = [path.parent.name for path in flow.shop.bundles.glob("*/manifest.json")]
    raise LedgerError(
        f"there is no run or bundle '{name}'; "
        + (near(name, [*paths, *bundles]) if paths or bundles else "no run has left a manifest yet"),
        where=str(flow.shop.runs),
        fix="name a file of that folder without its .json, or a bundle; `endcap show runs SHOP` lists the latest",
        code=Code.RUN_UNKNOWN,
    )


def _maker_of(flow: Flow, bundle_id: str) -> str:
    """Return the id of the run that made a bundle, also of one that was tidied away; "" for none."""
    folders = {path.parent.name: path.parent for path in flow.shop.bundles.glob("*/manifest.json")}
    if bundle_id in folders:
        try:
            return read_manifest(folders[bundle_id]).run_id
        except BundleError:
            return ""
    for path in sorted(flow.shop.runs.glob("*.json")):
        run = parse_run_manifest(path.read_bytes(), where=str(path))
        if run.outputs.get("bundle", {}).get("", {}).get("bundle_id") == bundle_id:
            return run.run_id  # the first of those that knew it
    return ""
