"""Slices of the cases of an evaluation: those of one kind, which a mean over all cases would hide.

- `untied`: the target is not of the same instant as the end of the history. Lines of one order are, and then only the
  order of ids says which comes next: that can be learned, and says nothing of shoppers.
- `cold_items`: the target has at most `COLD_EVENTS` events in training, or none.
- `cold_users`: the history has at most one item.
- `COLUMN=value`: the target's event has this value in a column that the caller names.

Of baskets there are `new_items` (it holds nothing that the user has had), `cold_users` (a history of at most one item)
and `COLUMN=value` (of its first row).

Shapes: B cases, E elements, N items.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.models.next_basket import BasketCases
from endcap.models.protocols import Cases

__all__ = ["COLD_EVENTS", "LEAST_CASES", "Segment", "slices_of", "slices_of_baskets"]

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
    return found | _by_value(segment, cases.segments, cases.ends)


def slices_of_baskets(cases: BasketCases, segment: Segment | None = None) -> dict[str, NDArray[np.bool_]]:
    """Return for each slice which of the B baskets are in it; see `slices_of`."""
    repeats_B = np.bincount(cases.case_of(), weights=cases.are_repeats(), minlength=len(cases))
    found = {"new_items": repeats_B == 0, "cold_users": cases.ends - cases.firsts <= 1}
    return found | _by_value(segment, cases.histories.segments, cases.ends)


def _by_value(
    segment: Segment | None, segments: NDArray[np.int32] | None, ends: NDArray[np.int64]
) -> dict[str, NDArray[np.bool_]]:
    if segment is None or segments is None:
        return {}
    # A case ends where its target stands.
    value_B = segments[ends]
    return {f"{segment.column}={segment.names[value]}": value_B == value for value in np.unique(value_B)}
