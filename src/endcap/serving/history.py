"""A visitor's history as the next answer sees it: what the bundle knows, and what the live state adds to it."""

from collections.abc import Iterable, Sequence

import numpy as np
import structlog

from endcap.core.errors import EndcapError
from endcap.core.history import NO_HISTORY, History, kind_of
from endcap.features.visitor_rows import VisitorRows
from endcap.serving.bundle import ServingBundle
from endcap.serving.items import Items
from endcap.serving.state import Element, VisitorState

__all__ = ["history_of", "joined", "looked_at"]

_log = structlog.get_logger()

_VIEW = kind_of("view_item")


def looked_at(numbers: Sequence[int], *, at_us: int) -> History:
    """Return the items of a page that asks, as what they are: viewed at this instant."""
    return History.of([(number, _VIEW, at_us) for number in numbers])


def history_of(
    keys: Sequence[str], bundle: ServingBundle, state: VisitorState | None, *, length: int
) -> tuple[History, list[str]]:
    """Return a visitor's history, and why it is less than it should be.

    Args:
        keys: Keyed hashes of the visitor: the one that tables know him by, and his device's, whose live events are his
            from where the tables end.
        bundle: The bundle in force.
        state: The live state; None where there is none.
        length: Most elements kept, the latest.
    """
    past, known, new, failed = NO_HISTORY, VisitorRows(), NO_HISTORY, []
    try:
        past = bundle.histories.history(keys[0])
        known = bundle.visitors.of(keys[0])
    except Exception as error:  # noqa: BLE001 - the live state alone is a fair history
        _log.warning("history.failed", error=f"{type(error).__name__}: {error}")
        failed.append("history_unavailable")
    end_us = max(known.last_us or 0, 0 if past.at_us is None or not len(past) else int(past.at_us[-1]))
    try:
        if state is not None:
            new = _numbered(_new(keys, past, known, state, end_us=end_us), bundle.items)
    except Exception as error:  # noqa: BLE001 - the bundle's history alone is a fair one
        told = error.what if isinstance(error, EndcapError) else f"{type(error).__name__}: {error}"
        _log.warning("state.failed", error=told)
        failed.append("state_unavailable")
    return joined(past, new, known_until_us=known.last_us).last(length), failed


def joined(past: History, new: History, *, known_until_us: int | None) -> History:
    """Join what the tables know and what they do not.

    A bundle that was made before instants were kept cannot tell where something late belongs: there that counts as the
    oldest. Of a user of whom it has no rows either, a beginning of what is new that is an end of the past counts once.

    Args:
        past: From the bundle.
        new: From the live state, without what the tables are known to have.
        known_until_us: Up to which instant the bundle's rows know all that the tables have; None without any.

    >>> joined(History.of([(1, 1, 10), (3, 1, 30)]), History.of([(2, 3, 20)]), known_until_us=30).items.tolist()
    [1, 2, 3]
    >>> joined(History.of_items([1, 2]), History.of([(2, 1, 20), (3, 1, 30)]), known_until_us=None).items.tolist()
    [1, 2, 3]
    """
    if not len(past) or not len(new):
        return past.then(new)
    if past.at_us is not None:
        return past.with_late(new)
    if known_until_us is None:
        return past.then(new.last(len(new) - _shared(past.items.tolist(), new.items.tolist())))
    assert new.at_us is not None, "the live state knows its instants"
    num_late = int(np.searchsorted(new.at_us, known_until_us, side="right"))
    late = History(new.items[:num_late], new.events[:num_late], None)
    return late.then(past).then(new.last(len(new) - num_late))


def _shared(past: Sequence[int], new: Sequence[int]) -> int:
    """Return the length of the longest end of the past that is a beginning of what is new."""
    longest = min(len(past), len(new))
    return next(count for count in range(longest, -1, -1) if past[len(past) - count :] == new[:count])


def _new(keys: Sequence[str], past: History, known: VisitorRows, state: VisitorState, *, end_us: int) -> list[Element]:
    """Return what the live state has and the bundle's tables do not, oldest first.

    Of the visitor's own key that is what they have nothing of at its instant; of his device's, what is later than all
    they know of him: whose it was before, they have settled.
    """
    own, *others = (state.elements(key) for key in keys)
    in_rows = known.holds(np.array([each.at_us for each in own], np.int64)).tolist()
    in_past = frozenset(() if past.at_us is None else past.at_us.tolist())  # numpy is slower on so few
    new = [each for each, has in zip(own, in_rows, strict=True) if not has and each.at_us not in in_past]
    new += [each for some in others for each in some if each.at_us > end_us]
    return sorted(set(new))


def _numbered(elements: Iterable[Element], items: Items) -> History:
    """Return elements as a history; items that the bundle does not have are left out."""
    return History.of(
        [
            (number, kind_of(each.event_name), each.at_us)
            for each in elements
            if (number := items.number(each.item_id)) is not None
        ]
    )
