"""What a replay makes again: the partitions that a past run has done, and which tables it finds them made from."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from endcap.core.errors import Code, LedgerError
from endcap.core.manifest import RunManifest
from endcap.core.tables import EVENTS, EXAMPLES, ITEMS, SEQUENCES
from endcap.flows.flow import Flow, Pending, Step
from endcap.flows.steps import STEPS

__all__ = ["NOT_REPLAYED", "ReplayPlan", "plan_replay"]

NOT_REPLAYED = {
    "pull": "what it read is at another place",
    "ingest": "its files may be gone: the days are taken as they were ingested",
    "catalogue": "likewise",
    "slates": "likewise",
    "monitor": "it judges a moment and leaves nothing to compare",
    "track": "it tells others what was fitted, and a replay is no new fit",
}
"""Steps that no replay does, and why not."""

_FITTING = {"train", "index", "evaluate", "bundle"}
_FITTED_ON = (EVENTS.name, EXAMPLES.name, ITEMS.name, SEQUENCES.name)
"""Tables that these steps read, and a bundle names, whatever their inputs are."""


@dataclass(frozen=True)
class ReplayPlan:
    """What a replay makes again.

    Args:
        manifest: Of the run.
        partitions: Step -> the partitions that it did, ascending, in order of the steps.
        versions: Table -> the version in which the rest of it is read.
        lent: Models and indexes, as `train` or `index` -> name -> version, that the run found made.
    """

    manifest: RunManifest
    partitions: Mapping[str, list[str]]
    versions: Mapping[str, int]
    lent: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def steps(self) -> list[Step]:
        """The steps, in order."""
        return [step for step in STEPS if step.name in self.partitions]

    @property
    def owned(self) -> dict[str, list[str]]:
        """Table -> its partitions that are made again."""
        return {table.name: self.partitions[step.name] for step in self.steps for table in step.writes}

    @property
    def read(self) -> list[str]:
        """The tables whose rest is read, ascending."""
        whole = {table.name for step in self.steps for table in step.writes if not table.partition}
        done = [each for each in self.manifest.attempts if each["step"] in self.partitions]
        wanted = {name.split("/", 1)[0] for each in done for name in each["inputs"] if "/" in name}
        if _FITTING & {*self.partitions}:
            wanted.update(_FITTED_ON)
        return sorted(name for name in wanted - whole if name in self.versions)

    def __call__(self, _flow: Flow, step: Step, pending: Pending) -> Collection[str]:
        """Return those of the pending partitions that the run has done."""
        return [each for each in pending if each in self.partitions.get(step.name, ())]


def plan_replay(manifest: RunManifest, *, latest: Mapping[str, int]) -> ReplayPlan:
    """Read off a run's manifest what has to be made again, and from what.

    Args:
        manifest: Of the run.
        latest: Table -> its latest version: of a run whose people were forgotten no older one is read.

    Raises:
        LedgerError: The manifest does not tell enough, or the run did nothing that can be made again
            (RUN_NOT_REPLAYABLE).
    """
    engine = manifest.settings.get("engine", {}).get("name", "duckdb")
    if engine != "duckdb":
        raise _not_replayable(
            manifest,
            f"run {manifest.run_id} was computed by {engine}, whose digests compare with no other engine's",
            "replay a run that DuckDB has computed; its rows are the same",
        )
    done: dict[str, set[str]] = {}
    for attempt in manifest.attempts:
        if attempt["outcome"] == "done" and attempt["step"] not in NOT_REPLAYED:
            done.setdefault(attempt["step"], set()).update(_done_of(attempt))
    if not done:
        raise _not_replayable(
            manifest,
            f"the run {manifest.run_id} has done nothing that can be made again"
            + (": it failed before" if manifest.outcome == "failed" else ""),
            "name a run that made sessions, features, models or a bundle; `endcap show runs SHOP` lists them",
        )
    if not manifest.tables:
        raise _not_replayable(
            manifest,
            f"the manifest of the run {manifest.run_id} does not tell which versions of tables the run left: "
            f"it was made by Endcap {manifest.code_version}, before replays",
            "name a run of a later version",
        )
    versions = {each.table: each.version for each in manifest.tables}
    if manifest.erasure != "complete":
        versions = {table: latest[table] for table in versions if latest.get(table, -1) >= 0}
    partitions = {step.name: sorted(done[step.name]) for step in STEPS if done.get(step.name)}
    lent = {step: _lent(manifest, step, partitions) for step in ("train", "index")}
    return ReplayPlan(manifest, partitions, versions, lent)


def _done_of(attempt: Mapping[str, Any]) -> set[str]:
    return set(attempt["partitions"]) - set(attempt["detail"].get("left_out", {}))


def _lent(manifest: RunManifest, step: str, partitions: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the models or indexes that a later step of the run used and the run did not make itself."""
    if not {"index", "evaluate", "bundle"} & {*partitions}:
        return {}
    named = manifest.settings["models"]["train"]
    known = manifest.outputs.get(step, {})
    return {name: known[name]["version"] for name in known if name in named and name not in partitions.get(step, ())}


def _not_replayable(manifest: RunManifest, what: str, fix: str) -> LedgerError:
    return LedgerError(what, where=f"SHOP/runs/{manifest.run_id}.json", fix=fix, code=Code.RUN_NOT_REPLAYABLE)
