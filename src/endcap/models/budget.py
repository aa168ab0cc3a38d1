"""Which models are fitted within a number of seconds, by one written rule.

- The models that must run (the references) go first, whatever they take.
- What another one costs is told by a look: it is fitted on every PART-th sequence and asked every PART-th case, and
  the seconds of that times PART are its estimate. The first look, at a hundredth, is done twice, as the first one also
  loads what the model needs; the next one is at a tenth. A look that would take more than half of what is left, by
  the one before, is not taken.
- They are fitted in order of their estimates. One that does not fit in what is left gets a last look, at a fifth: what
  a model costs however little it is given makes it look too dear by a small part (docs/compare.md has measurements).
- A tenth of the budget is held back for measuring and for writing the report.
- Whoever does not fit is not started, and is told with these numbers.

A model that cannot be fitted on a part is fitted on all: that will tell what is wrong.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from endcap.core.clock import Clock
from endcap.core.errors import ModelError

__all__ = ["Budget", "NotFitted", "in_order_of_cost"]

_HELD_BACK = 0.1
_LOOKS = (100, 100, 10)
_LAST_LOOK = 5
_MOST_OF_LEFT = 0.5

TryOn = Callable[[str, int], object]
"""Fits a model of a name on every n-th sequence and asks it every n-th case."""


@dataclass(frozen=True)
class Budget:
    """Seconds for a whole command.

    Args:
        budget_s: How many, > 0.
        clock: Tells microseconds.
        started_us: What it told when the command began.
    """

    budget_s: float
    clock: Clock
    started_us: int

    def left_s(self) -> float:
        """Return the seconds that fitting may still take; negative when they are used up."""
        return self.budget_s * (1 - _HELD_BACK) - (self.clock() - self.started_us) / 1e6


@dataclass(frozen=True)
class NotFitted:
    """A model that was asked for and has no measures.

    Args:
        why: In words, with the numbers.
        needed_s: Estimated seconds of fitting and asking; None where nothing is known of them.
        left_s: Seconds that were left when it was its turn; None where it is no matter of time.
    """

    why: str
    needed_s: float | None = None
    left_s: float | None = None


@dataclass(frozen=True)
class _Estimate:
    needed_s: float
    part: int
    took_s: float


def in_order_of_cost(
    names: Sequence[str], first: Sequence[str], try_on: TryOn, budget: Budget
) -> Iterator[tuple[str, NotFitted | None]]:
    """Yield the models in the order in which they are to be fitted, each with the reason if it must not be.

    Whoever asks fits and asks a model before it takes the next one: what that took is no longer left.

    Args:
        names: Of all models.
        first: Names of those that run whatever they take.
        try_on: Fits and asks on a part.
        budget: What there is.
    """
    for name in first:
        yield name, None
    others = [name for name in names if name not in first]
    estimates = {name: _look(name, _LOOKS, try_on, budget, None) for name in others}
    for name in sorted(others, key=lambda name: _seconds(estimates[name])):
        estimate, left_s = estimates[name], budget.left_s()
        if estimate is not None and estimate.needed_s > left_s:
            estimate = _look(name, (_LAST_LOOK,), try_on, budget, estimate)
            left_s = budget.left_s()
        yield name, _refused(estimate, left_s, budget)


def _seconds(estimate: _Estimate | None) -> float:
    return float("inf") if estimate is None else estimate.needed_s


def _look(name: str, parts: Sequence[int], try_on: TryOn, budget: Budget, known: _Estimate | None) -> _Estimate | None:
    """Look at parts of the data, a smaller one first, as far as the budget allows; return the last estimate."""
    for part in parts:
        left_s = budget.left_s()
        if left_s <= 0 or (known is not None and known.needed_s / part > left_s * _MOST_OF_LEFT):
            break
        started_us = budget.clock()
        try:
            try_on(name, part)
        except ModelError:
            return _Estimate(0.0, part, 0.0)
        took_s = (budget.clock() - started_us) / 1e6
        known = _Estimate(took_s * part, part, took_s)
    return known


def _refused(estimate: _Estimate | None, left_s: float, budget: Budget) -> NotFitted | None:
    if estimate is not None and estimate.needed_s <= left_s:
        return None
    left = f"{max(left_s, 0):.1f} s of the budget of {budget.budget_s:g} s were left for fitting"
    if estimate is None:
        return NotFitted(f"not started: {left}", None, max(left_s, 0.0))
    why = (
        f"not started: needs about {estimate.needed_s:.1f} s ({estimate.part} times the {estimate.took_s:.2f} s on one "
        f"part in {estimate.part}), and {left}"
    )
    return NotFitted(why, estimate.needed_s, max(left_s, 0.0))
