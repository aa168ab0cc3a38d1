"""What became of every row of the source: the counts that ingest left in the ledger, added up over all days."""

from typing import Any

from endcap.flows.ledger import Ledger

__all__ = ["intake_rows"]


def intake_rows(ledger: Ledger) -> list[dict[str, Any]]:
    """Return a row for each event name of the source, with events and item rows by what became of them.

    Returns:
        Rows by descending number of events: `event_name`, then each count added up over the days in force; counts that
        are nowhere above zero are left out.
    """
    total: dict[str, dict[str, int]] = {}
    for output in ledger.outputs("ingest").values():
        for event_name, counts in output.get("counts", {}).items():
            sums = total.setdefault(event_name, {})
            for name, count in counts.items():
                sums[name] = sums.get(name, 0) + count
    names = [name for name in dict.fromkeys(each for sums in total.values() for each in sums)
             if any(sums.get(name) for sums in total.values())]  # fmt: skip
    ordered = sorted(total.items(), key=lambda pair: (-pair[1].get("events_read", 0), pair[0]))
    return [{"event_name": event_name, **{name: sums.get(name, 0) for name in names}} for event_name, sums in ordered]
