"""Sources: each proposes items for a question; together they give the candidates.

Shapes: C candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from endcap.serving.asking import Asking
from endcap.serving.bundle import POPULAR

__all__ = ["Candidates", "propose"]

_log = structlog.get_logger()


@dataclass(frozen=True)
class Candidates:
    """Items proposed, each once.

    Args:
        items: C item numbers in the order of proposal.
        sources: C numbers into `names`: the first source that proposed the item.
        names: The sources' names.
    """

    items: NDArray[np.int64]
    sources: NDArray[np.int64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.items)

    def where(self, keep: NDArray[np.bool_]) -> "Candidates":
        """Return the candidates of a mask, in the same order."""
        return Candidates(self.items[keep], self.sources[keep], self.names)

    def source(self, place: int) -> str:
        """Return the name of the source of the candidate at a place."""
        return self.names[int(self.sources[place])]


def propose(asking: Asking, names: Sequence[str], count: int) -> tuple[Candidates, list[str]]:
    """Ask every source.

    Args:
        asking: The question. For a visitor of whom nothing is known, only `popular` has something to say.
        names: The sources in order.
        count: Items wanted of each.

    Returns:
        The candidates, and the names of sources that failed. `popular` steps in when no other source could propose.
    """
    wanted = [name for name in names if name == POPULAR or (asking.history and name in asking.bundle.models)]
    proposed: list[tuple[str, NDArray[np.int64]]] = []
    failed = []
    for name in wanted:
        try:
            proposed.append((name, asking.best(name, count)))
        except Exception as error:  # noqa: BLE001 - whatever a source dies of, the others answer
            _log.warning("source.failed", source=name, error=f"{type(error).__name__}: {error}")
            failed.append(name)
    if not any(len(items) for _, items in proposed):
        proposed = [(POPULAR, asking.best(POPULAR, count))]
    return _each_once(proposed), failed


def _each_once(proposed: list[tuple[str, NDArray[np.int64]]]) -> Candidates:
    items = np.concatenate([items for _, items in proposed])
    sources = np.repeat(np.arange(len(proposed)), [len(items) for _, items in proposed])
    _, first = np.unique(items, return_index=True)
    first.sort()
    return Candidates(items[first], sources[first], tuple(name for name, _ in proposed))
