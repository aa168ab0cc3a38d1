"""What a day's partition is made from: the digests of the days of other tables that it needs."""

from collections.abc import Callable, Iterable, Sequence

from endcap.core.clock import days_between
from endcap.core.contract import Table
from endcap.flows.flow import Flow

__all__ = ["DayRange", "Plan", "days_of", "planned", "union_of"]

Plan = dict[str, dict[str, str]]
"""Partition -> name of each input -> digest of its content."""

DayRange = Callable[[str], tuple[str, str]]
"""From a day to the first and the last day of a table that it needs."""


def planned(flow: Flow, days: Iterable[str], *needs: tuple[Table, DayRange]) -> Plan:
    """Plan a partition for each day, from the digests of the days of other tables that it needs."""
    parts = {table.name: flow.ledger.parts(table.name) for table, _ in needs}
    return {
        day: {
            f"{table.name}/{other}": parts[table.name][other].digest
            for table, needed in needs
            for other in days_between(*needed(day))
            if other in parts[table.name]
        }
        for day in days
    }


def days_of(flow: Flow, table: Table, made: Table) -> list[str]:
    """Return the days on which a table has rows, and those on which only what is made of it has: there it must go."""
    parts = flow.ledger.parts(made.name)
    left = {day for day, part in parts.items() if part.rows and day <= (flow.through or day)}
    return sorted({*flow.days(table), *left})


def union_of(pending: Sequence[str], needed: DayRange) -> list[str]:
    """Return all days that some pending days need."""
    return sorted({day for each in pending for day in days_between(*needed(each))})
