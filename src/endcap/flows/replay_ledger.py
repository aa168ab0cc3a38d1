"""The ledger of a replay: its own rows, and beside them what was known of all that it does not make again."""

from dataclasses import dataclass, field
from typing import Any

from endcap.flows.ledger import Ledger, Part

__all__ = ["ReplayLedger"]


@dataclass
class ReplayLedger(Ledger):
    """A ledger whose partitions and outputs begin with those of a past run.

    Args:
        past_parts: Table -> partition -> what it held, of the partitions that are not made again.
        past_outputs: Step -> partition -> what it had left behind, likewise.
    """

    past_parts: dict[str, dict[str, Part]] = field(default_factory=dict)
    past_outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def parts(self, table: str) -> dict[str, Part]:
        """Return what each partition of a table held or holds, ascending."""
        return dict(sorted({**self.past_parts.get(table, {}), **super().parts(table)}.items()))

    def outputs(self, step: str) -> dict[str, Any]:
        """Return what each partition of a step had left behind, or has."""
        return {**self.past_outputs.get(step, {}), **super().outputs(step)}
