"""Why a partition is to be done: what of its fingerprint is not as it was when it was last done.

The ledger keeps of each attempt the code and the inputs, and the digests of the settings and of each partition's inputs
(`fingerprint.made_from`); run manifests keep the settings themselves, so that the changed ones can be named.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from endcap.core.tables import TABLES
from endcap.flows.fingerprint import code_digest, made_from
from endcap.flows.flow import Flow, Step
from endcap.flows.foresight import FORESEEN

__all__ = ["Reasons", "is_upstream"]

_SHOWN = 3


@dataclass
class Reasons:
    """Says why partitions of steps are to be done.

    Args:
        flow: The run.
    """

    flow: Flow
    _done: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def of(self, step: Step, partition: str, inputs: Mapping[str, str]) -> list[str]:
        """Return the reasons for a pending partition, at least one."""
        done = self._last(step).get(partition)
        if done is None:
            return ["never done"]
        found = self._settings_and_code(step, done)
        if self.have_changed(step, partition, inputs):
            found.append(_changed_inputs(done["inputs"], inputs))
        if found:
            return found
        lost: frozenset[str] = getattr(self.flow.ledger, "lost_steps", frozenset())
        if step.name in lost or not self.flow.ledger.fingerprints(step.name).get(partition):
            return ["its table is gone" if step.name in lost else "left unfinished, or asked for again"]
        if not step.is_there(self.flow, partition):
            return ["what it made is gone"]
        return ["code changed"]  # of an attempt that does not tell its parts, or another seed

    def have_changed(self, step: Step, partition: str, inputs: Mapping[str, str]) -> bool:
        """Whether a partition is made from other inputs than the last time; so is one that was never done."""
        done = self._last(step).get(partition)
        if done is None:
            return True
        before = done["detail"].get("made_from", {}).get("inputs", {}).get(partition)
        if before is None:  # done by a version that did not keep it
            return any(done["inputs"].get(name) != digest for name, digest in inputs.items())
        now: str = made_from({}, {partition: inputs})["inputs"][partition]
        return bool(before != now)

    def was_done(self, step: Step, partition: str) -> bool:
        """Whether a partition was ever done."""
        return partition in self._last(step)

    def _settings_and_code(self, step: Step, done: Mapping[str, Any]) -> list[str]:
        found = []
        config = self.flow.shop.config
        before = done["detail"].get("made_from", {}).get("settings")
        if before is not None and before != made_from(config.counted(*step.sections), {})["settings"]:
            now = config.plain(*step.sections)
            found.append(_changed_settings(self.flow.shop.runs / f"{done['run_id']}.json", now))
        if done["code_digest"] != code_digest(step.code):
            found.append("code changed")
        return found

    def _last(self, step: Step) -> dict[str, dict[str, Any]]:
        """Return the attempt by which each partition of a step was last done."""
        if step.name not in self._done:
            self._done[step.name] = self.flow.ledger.last_attempts(step.name)
        return self._done[step.name]


def is_upstream(name: str) -> bool:
    """Whether an input is a partition of a table."""
    return name.split("/", 1)[0] in TABLES and "/" in name


def _changed_inputs(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    new = [name for name in now if name not in before]
    other = [name for name, digest in now.items() if before.get(name, digest) != digest]
    if ahead := [name for name in (*other, *new) if now[name].startswith(FORESEEN)]:
        return f"follows if {_names(ahead)} {'changes' if len(ahead) == 1 else 'change'}"
    told = [f"{_names(other)} changed" if other else "", f"{_names(new)} new" if new else ""]
    return ", ".join(filter(None, told)) or "an input changed or is gone"


def _changed_settings(manifest: Path, now: Mapping[str, Any]) -> str:
    """Name the settings that changed, as far as the manifest of the run that was last is there."""
    try:
        before = msgspec.json.decode(manifest.read_bytes())["settings"]
    except (OSError, KeyError, msgspec.MsgspecError):
        return "settings changed"
    old, new = (dict(_flat(each)) for each in ({name: before.get(name) for name in now}, now))
    changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return f"settings changed: {_names(changed)}" if changed else "settings changed"


def _flat(values: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(values, dict):
        return [pair for name, value in values.items() for pair in _flat(value, f"{path}.{name}" if path else name)]
    return [(path, values)]


def _names(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
