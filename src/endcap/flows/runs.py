"""The manifests of past runs: found by the run's id, or by the id of a bundle that it made."""

from endcap.core.errors import Code, LedgerError, near
from endcap.core.manifest import RunManifest, parse_run_manifest
from endcap.flows.flow import Flow

__all__ = ["find_run", "read_run"]


def read_run(flow: Flow, run_id: str) -> RunManifest | None:
    """Return the manifest of a run of this machine or of one that shares its lake; None where there is none.

    Raises:
        LedgerError: It is damaged (RUN_DAMAGED).
    """
    for place in flow.runs:
        if (text := place.read(run_id)) is not None:
            return parse_run_manifest(text, where=f"{place.where}/{run_id}.json")
    return None


def find_run(flow: Flow, name: str) -> RunManifest:
    """Return the manifest of a run.

    Args:
        flow: The shop's flow.
        name: Id of the run, or of a bundle: then the run that made it.

    Raises:
        LedgerError: There is none (RUN_UNKNOWN), or it is damaged (RUN_DAMAGED).
    """
    if found := read_run(flow, name):
        return found
    bundles = {each.bundle_id: each.run_id for each in flow.bundles.manifests()}
    wanted = bundles.get(name) or _maker_of(flow, name)
    if wanted and (found := read_run(flow, wanted)):
        return found
    where = flow.runs[-1].where
    if flow.ledger.attempts(limit=1, run_id=wanted or name):
        raise LedgerError(
            f"the run {wanted or name} left no manifest: it goes on just now, was killed, or its manifest was removed",
            where=where,
            fix="replay the run after it: what a killed run leaves undone, the next one does",
            code=Code.RUN_UNKNOWN,
        )
    known = [*{run_id for place in flow.runs for run_id in place.names()}, *bundles]
    raise LedgerError(
        f"there is no run or bundle '{name}'; {near(name, known) if known else 'no run has left a manifest yet'}",
        where=where,
        fix="name a file of that folder without its .json, or a bundle; `endcap show runs SHOP` lists the latest",
        code=Code.RUN_UNKNOWN,
    )


def _maker_of(flow: Flow, bundle_id: str) -> str:
    """Return the id of the first run that left a bundle which was tidied away since; "" for none."""
    for place in flow.runs:
        for run_id, text in place.read_all().items():
            run = parse_run_manifest(text, where=f"{place.where}/{run_id}.json")
            if run.outputs.get("bundle", {}).get("", {}).get("bundle_id") == bundle_id:
                return run_id
    return ""
