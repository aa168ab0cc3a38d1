"""Looking ahead: a ledger that is read as if pending work had been done already, and that cannot be written.

What a step would do depends on what the steps before it will have made. Here each partition that is due counts as made,
with a digest that nothing else has; the plans of later steps then name all that may follow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from endcap.core.contract import Table
from endcap.flows.flow import Step
from endcap.flows.known_sources import KnownSources
from endcap.flows.ledger import Ledger, Part

__all__ = ["FORESEEN", "ForesightLedger"]

FORESEEN = "will be made"
"""How the digest of what is not made yet begins."""


@dataclass
class ForesightLedger(Ledger):
    """The ledger as it would be after work that is due; nothing is ever written.

    Args:
        lost: Tables whose folders are gone: they hold nothing.
        lost_steps: The steps that write them: they were not done.
    """

    lost: frozenset[str] = frozenset()
    lost_steps: frozenset[str] = frozenset()
    _parts: dict[str, dict[str, Part]] = field(default_factory=dict)
    _outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def foresee(self, step: Step, partitions: Sequence[str]) -> None:
        """Count partitions of a step as made."""
        for table in step.writes:
            known, made = self.parts(table.name), self._parts.setdefault(table.name, {})
            for partition in partitions:
                rows = known[partition].rows if partition in known else 0
                made[partition] = Part(f"{FORESEEN} {step.name} {partition}", rows or 1, -1)
        outputs = self._outputs.setdefault(step.name, {})
        before = super().outputs(step.name)
        for partition in partitions:
            outputs[partition] = {"vectors": False} | dict(before.get(partition, {})) | {"version": FORESEEN}

    def parts(self, table: str) -> dict[str, Part]:
        """Return what each partition of a table holds, or will hold, ascending."""
        known = {} if table in self.lost else super().parts(table)
        # What is being written now, or was when its writer was killed, will be made: its step is due.
        known = {
            name: part if part.digest else Part(f"{FORESEEN} {name}", part.rows or 1, -1)
            for name, part in known.items()
        }
        return dict(sorted({**known, **self._parts.get(table, {})}.items()))

    def fingerprints(self, step: str) -> dict[str, str]:
        """Return the fingerprints under which partitions were done."""
        return {} if step in self.lost_steps else super().fingerprints(step)

    def outputs(self, step: str) -> dict[str, Any]:
        """Return what each partition left behind, or will."""
        return {**super().outputs(step), **self._outputs.get(step, {})}

    @property
    def sources(self) -> KnownSources:
        """What is known of the source's files, to be read alone."""
        return _ReadSources(self.catalog, self.retry)

    def lose(self, table: str, steps: Sequence[str]) -> None:
        """Forget nothing."""

    def forget(self, step: str) -> None:
        """Forget nothing."""


class _ReadSources(KnownSources):
    def keep_files(self, files: Sequence[Any]) -> None:
        """Keep nothing."""

    def keep_schemas(self, schemas: Sequence[Any]) -> None:
        """Keep nothing."""


def is_foreseen(inputs: Mapping[str, str]) -> bool:
    """Whether anything among the inputs is not made yet."""
    return any(digest.startswith(FORESEEN) for digest in inputs.values())


def tables_of(steps: Sequence[Step]) -> dict[str, Table]:
    """Return the tables that some steps write, by name."""
    return {table.name: table for step in steps for table in step.writes}
