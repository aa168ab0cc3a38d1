"""Settings of item_markov chosen on held-out sequences: never on what the model is later measured by.

The latest fifth of the sequences is held out, each step of theirs to the next different item is asked, and one setting
after the other is moved to where NDCG@20 is best.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Sequences
from endcap.metrics.ranking import ndcg_at, ranks_of
from endcap.models.item_markov_scorer import MarkovSettings, weigh
from endcap.models.popular import item_counts
from endcap.models.protocols import Cases, keep, session_next
from endcap.models.transitions import Transitions, count_transitions

__all__ = ["START", "choose_settings"]

START = MarkovSettings(max_gap=5, decay=0.5, penalty=0.0, rows_sum=0.5)
"""Where the search begins, and what stays where there is too little to choose by."""

_GRID: dict[str, tuple[float, ...]] = {
    "max_gap": (1, 3, 5, 8),
    "decay": (0.1, 0.3, 0.5, 0.7, 0.85),
    "penalty": (0.0, 0.25, 0.5),
    "rows_sum": (0.0, 0.5, 1.0),
}
_HELD_OUT = 0.2
_LEAST_CASES = 50
_MOST_CASES = 3000
_MOST_CELLS = 8_000_000
"""Cases x items that one measurement may score, so that a choice takes seconds at 20,000 items too."""
_MOST_ELEMENTS = 250_000
"""Elements that are counted for a choice, the latest."""
_ROUNDS = 2


@dataclass(frozen=True)
class _Trial:
    """What settings are measured on: counted sequences by gap, and questions."""

    counted: Mapping[int, Transitions]
    counts: NDArray[np.float64]
    cases: Cases

    def measure(self, settings: MarkovSettings) -> float:
        """Return NDCG@20 over the held-out cases."""
        scores_BN = weigh(self.counted[settings.max_gap], self.counts, settings).score(self.cases.queries())
        scores_BN[np.arange(len(self.cases)), self.cases.masked] = -np.inf
        return round(float(ndcg_at(ranks_of(scores_BN, self.cases.targets), 20).mean()), 9)


def choose_settings(sequences: Sequences, num_items: int, given: Mapping[str, float]) -> MarkovSettings:
    """Choose what is not given.

    Args:
        sequences: S sequences in order of their start.
        num_items: N.
        given: Settings that stand; the others are chosen.

    Returns:
        The settings; with fewer than 50 held-out steps, START's where nothing is given.
    """
    settings = START
    for name, value in given.items():
        settings = _moved(settings, name, value)
    free = {name: values for name, values in _GRID.items() if name not in given}
    trial = _trial(sequences, num_items, settings, free) if free else None
    if trial is None:
        return settings
    measured: dict[MarkovSettings, float] = {}
    for _ in range(_ROUNDS):
        before = settings
        for name, values in free.items():
            options = [settings, *(_moved(settings, name, value) for value in values)]
            for option in options:
                if option not in measured:
                    measured[option] = trial.measure(option)
            settings = max(options, key=measured.__getitem__)  # of equals the present one, then the first
        if settings == before:
            break
    return settings


def _trial(
    sequences: Sequences, num_items: int, settings: MarkovSettings, free: Mapping[str, tuple[float, ...]]
) -> _Trial | None:
    """Hold out the latest sequences; None where they have too few steps."""
    sequence_E = sequences.sequence_of()
    first_held = int(len(sequences) * (1 - _HELD_OUT))
    cases = _thinned(session_next(keep(sequences, sequence_E >= first_held), split_us=-(2**62)).cases, num_items)
    if len(cases) < _LEAST_CASES:
        return None
    recent_E = np.arange(len(sequence_E)) >= int(np.count_nonzero(sequence_E < first_held)) - _MOST_ELEMENTS
    train = keep(sequences, (sequence_E < first_held) & recent_E)
    gaps = {int(gap) for gap in (settings.max_gap, *free.get("max_gap", ()))}
    counted = {gap: count_transitions(train, num_items, max_gap=gap) for gap in sorted(gaps)}
    return _Trial(counted, item_counts(train, num_items), cases)


def _thinned(cases: Cases, num_items: int) -> Cases:
    """Keep so many cases that measuring stays quick, evenly spread."""
    most = min(_MOST_CASES, max(_LEAST_CASES, _MOST_CELLS // num_items))
    if len(cases) <= most:
        return cases
    at = np.linspace(0, len(cases) - 1, most).astype(np.int64)
    by_case = ("firsts", "ends", "targets", "users", "masked", "tied")
    return replace(cases, **{name: getattr(cases, name)[at] for name in by_case})


def _moved(settings: MarkovSettings, name: str, value: float) -> MarkovSettings:
    """Return the settings with one of them at another value; a gap is a whole number."""
    return (
        replace(settings, max_gap=int(value))
        if name == "max_gap"
        else MarkovSettings(**{**asdict(settings), name: value})
    )
