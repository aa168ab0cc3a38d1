"""A visitor's history as the next answer sees it: what the bundle knows, then what happened since."""

from collections.abc import Sequence

__all__ = ["joined"]


def joined(past: Sequence[int], live: Sequence[int], *, length: int) -> list[int]:
    """Join two histories whose ends may be the same events.

    The tables learn with the next refresh what the live state knows at once. Where the end of the past is a beginning
    of the live history, these are taken for the same events, and the longest such stretch counts once.

    Args:
        past: Item numbers, oldest first.
        live: Item numbers, oldest first; newer than the past but for the stretch that both know.
        length: Most items kept, the latest.

    >>> joined([1, 2, 3], [2, 3, 4], length=50)
    [1, 2, 3, 4]
    >>> joined([1, 2], [3, 3], length=3)
    [2, 3, 3]
    """
    past, live = list(past), list(live)
    longest = min(len(past), len(live))
    shared = next(count for count in range(longest, -1, -1) if past[len(past) - count :] == live[:count])
    return (past + live[shared:])[-length:]
