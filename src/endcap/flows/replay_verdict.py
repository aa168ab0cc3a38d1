"""What a replay came to: each part beside what the run's manifest says of it, and why one may differ."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from endcap.core.errors import Code, StoreError
from endcap.core.tables import TABLES
from endcap.core.version import __version__
from endcap.flows.fingerprint import code_digest
from endcap.flows.flow import Flow, Step
from endcap.flows.reasons import is_upstream
from endcap.flows.replay_inputs import digest_past
from endcap.flows.replay_plan import ReplayPlan
from endcap.flows.run_manifest import versions_now

__all__ = ["Difference", "Verdict", "other_versions", "verdict"]

_EMPTY = "empty"
_SHOWN = 4


@dataclass(frozen=True)
class Difference:
    """A part that is not what it was.

    Args:
        step: The step that made it.
        part: `table/partition`, or `model`, `index`, `evaluation`, `bundle` with its name.
        then: Digest of its content by the run's manifest.
        now: Digest of what was made again; "" where nothing was.
        why: The likely reason.
    """

    step: str
    part: str
    then: str
    now: str
    why: str


@dataclass(frozen=True)
class Verdict:
    """What was compared.

    Args:
        num_compared: Parts.
        differences: Those that differ, in order of the steps.
        not_compared: What of the run cannot be compared any more, one line each.
    """

    num_compared: int
    differences: tuple[Difference, ...] = ()
    not_compared: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether everything was compared and nothing differs."""
        return not self.differences and not self.not_compared

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {"equal": self.is_equal, **asdict(self)}

    def lines(self) -> list[str]:
        """Return a line for each kind of part that differs and each reason, at most a few parts named in each."""
        told = []
        for (_, kind, why), group in groupby(self.differences, lambda each: (each.step, _kind(each.part), each.why)):
            names = [each.part.removeprefix(f"{kind}/").removeprefix(kind).strip() for each in group]
            more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
            told.append(f"differs: {kind} {', '.join(filter(None, names[:_SHOWN]))}{more}".rstrip() + f": {why}")
        return [*told, *(f"not compared: {each}" for each in self.not_compared)]


def _kind(part: str) -> str:
    return part.split("/", 1)[0] if "/" in part else part.split(" ", 1)[0]


def other_versions(plan: ReplayPlan) -> list[str]:
    """Return what computes with another version than then, one phrase each."""
    now, manifest = versions_now(), plan.manifest
    told = [f"Endcap {manifest.code_version} then, {__version__} now"] if manifest.code_version != __version__ else []
    return told + [
        f"{name} {manifest.versions[name]} then, {found} now"
        for name, found in now.items()
        if manifest.versions.get(name, found) != found
    ]


def verdict(flow: Flow, replay: Flow, plan: ReplayPlan) -> Verdict:
    """Compare what a replay has made with what the run's manifest says.

    Args:
        flow: The shop's flow.
        replay: The replay's, at its end.
        plan: What was made again.
    """
    compared = _Compared(flow, replay, plan)
    found = [pair for step in plan.steps for pair in compared.of(step)]
    different = tuple(
        Difference(step.name, part, then, now, compared.why(step, then, now))
        for step, part, then, now in found
        if then != now
    )
    return Verdict(len(found), different, tuple(compared.not_compared))


class _Compared:
    """The parts of a run beside those of its replay."""

    def __init__(self, flow: Flow, replay: Flow, plan: ReplayPlan) -> None:
        self._flow, self._replay, self._plan = flow, replay, plan
        self._attempts: dict[str, list[dict[str, Any]]] = {}
        for attempt in plan.manifest.attempts:
            if attempt["outcome"] == "done":
                self._attempts.setdefault(attempt["step"], []).append(attempt)
        self.not_compared: list[str] = []

    def of(self, step: Step) -> Iterator[tuple[Step, str, str, str]]:
        """Return the step, the part, its digest then and its digest now."""
        for table in step.writes:
            digests, parts = self._digests(step, table.name), self._replay.ledger.parts(table.name)
            for partition in self._plan.partitions[step.name]:
                if partition in digests:
                    held = parts.get(partition)
                    # One that the run emptied is not even planned where it never was.
                    is_made = partition in self._done[step.name] or digests[partition] == _EMPTY
                    now = (held.digest if held and held.rows else _EMPTY) if is_made else ""
                    yield step, f"{table.name}/{partition}".rstrip("/"), digests[partition], now
        before, after = self._plan.manifest.outputs.get(step.name, {}), self._replay.ledger.outputs(step.name)
        for partition in self._plan.partitions[step.name]:
            for field, kind in (("version", _KINDS.get(step.name, step.name)), ("digest", step.name)):
                if field in before.get(partition, {}):
                    now = str(after.get(partition, {}).get(field, ""))
                    yield step, f"{kind} {partition}".strip(), before[partition][field], now

    def why(self, step: Step, _then: str, now: str) -> str:
        """Return the likely reason why parts of a step differ."""
        manifest = self._plan.manifest
        if manifest.erasure != "complete":
            return f"{manifest.erasure}: rows of people were forgotten since"
        if not now:
            return "what it was made from is not there now"
        if changed := self._changed_inputs(step):
            more = f" and {len(changed) - _SHOWN:,} more" if len(changed) > _SHOWN else ""
            return f"it is made from what differs: {', '.join(changed[:_SHOWN])}{more}"
        is_same = {each["code_digest"] for each in self._attempts.get(step.name, [])} <= {code_digest(step.code)}
        told = other_versions(self._plan) + ([] if is_same else ["the code of this step has changed"])
        return "; ".join(told) or "nothing that is noted differs: another processor, or a table written by hand"

    @cached_property
    def _done(self) -> dict[str, dict[str, str]]:
        return {step.name: self._replay.ledger.fingerprints(step.name) for step in self._plan.steps}

    def _digests(self, step: Step, table: str) -> dict[str, str]:
        """Return partition -> digest of what the run made of a table, in the words of the DuckDB that is here now."""
        told: dict[str, str] = {}
        for attempt in self._attempts.get(step.name, []):
            told |= attempt["outputs"].get(table, {}).get("digests", {})
        if not told or self._plan.manifest.versions.get("duckdb") == versions_now()["duckdb"]:
            return told
        version = next((each.version for each in self._plan.manifest.tables if each.table == table), -1)
        try:
            found = digest_past(self._flow.tables.at({table: version}), self._replay.engine, TABLES[table], list(told))
        except StoreError as error:
            if error.code is not Code.VERSION_GONE:
                raise
            self.not_compared.append(f"{table}: {error.what}, and another DuckDB digests otherwise")
            return {}
        return {partition: found[partition][0] if partition in found else _EMPTY for partition in told}

    def _changed_inputs(self, step: Step) -> list[str]:
        """Return the tables, models and settings that the step was given otherwise than then, ascending."""
        then = _inputs(self._attempts.get(step.name, []))
        run = self._plan.manifest.run_id
        now = _inputs(each for each in self._replay.ledger.attempts(limit=1_000_000, run_id=run)
                      if each["step"] == step.name and each["outcome"] == "done")  # fmt: skip
        return sorted(name for name in {*then, *now} if then.get(name, _EMPTY) != now.get(name, _EMPTY))


_KINDS = {"train": "model", "evaluate": "evaluation"}


def _inputs(attempts: Any) -> Mapping[str, str]:
    """Return what attempts were given, by name: tables by partition, models, indexes and settings."""
    return {
        name: digest
        for each in attempts
        for name, digest in each["inputs"].items()
        if is_upstream(name) or ":" in name or name == "config"
    }
