"""Slices of the cases of an evaluation: those of one kind, which a mean over all cases would hide.

- `untied`: the target is not of the same instant as the end of the history. Lines of one order are, and then only the
  order of ids says which comes next: that can be learned, and says nothing of shoppers.
- `cold_items`: the target has at most `COLD_EVENTS` events in training, or none.
- `cold_users`: the history has at most one item.
- `COLUMN=value`: the target's event has this value in a column that the caller names.

Shapes: B cases, E elements, N items.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.models.protocols import Cases

__all__ = ["COLD_EVENTS", "LEAST_CASES", "Segment", "slices_of"]

COLD_EVENTS = 5
"""Events in training up to which an item is cold."""

LEAST_CASES = 50
"""Cases below which a slice is too small to say anything."""


@dataclass(frozen=True)
class Segment:
    """What a column of the data says of each event.

    Args:
        column: Its name.
        names: Its different values.
    """

    column: str
    names: tuple[str, ...]


def slices_of(
    cases: Cases, train_counts_N: NDArray[np.int64], segment: Segment | None = None
) -> dict[str, NDArray[np.bool_]]:
    """Return for each slice which of the B cases are in it; a value of a segment that no case has is left out.

    Args:
        cases: B cases.
        train_counts_N: N numbers of events in training.
        segment: What `cases.segments` numbers.
    """
    known_B = cases.targets >= 0
    events_B = np.where(known_B, train_counts_N[np.maximum(cases.targets, 0)], 0)
    found = {
        "untied": ~cases.tied,
        "cold_items": events_B <= COLD_EVENTS,
        "cold_users": cases.ends - cases.firsts <= 1,
    }
    if segment is None or cases.segments is None:
        return found
    # A case ends where its target stands.
    value_B = cases.segments[cases.ends]
    return found | {f"{segment.column}={segment.names[value]}": value_B == value for value in np.unique(value_B)}
