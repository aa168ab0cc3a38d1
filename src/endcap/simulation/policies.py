"""Policies: what a shop lists. A policy chooses the slates of many sessions at once and tells its propensities.

Shapes: B lists of one page, L places, N items.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from endcap.core.sampling import uniform_bits

__all__ = ["Asked", "Policy", "Popular", "Random", "Slates", "Split", "place_law"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_CELLS = 1 << 21  # of lists x items that are shuffled at once: 16 MB


@dataclass(frozen=True)
class Asked:
    """What a policy may know when it is asked for B lists; world numbers, never a taste.

    Args:
        day: Number of the day.
        page: Number of the page within the sessions.
        visitor: B numbers of visitors in the world.
        cookie: B numbers of cookies.
        session_us: B starts of sessions, microseconds UTC.
        at_us: B instants.
        before: B items viewed last in the session, -1 for none.
        offered: Numbers of the items that are sold and in stock, ascending.
        popular: The L of them viewed most often on earlier days, the first first.
        places: L, at most the number of items offered.
    """

    day: int
    page: int
    visitor: Ints
    cookie: Ints
    session_us: Ints
    at_us: Ints
    before: Ints
    offered: Ints
    popular: Ints
    places: int


@dataclass(frozen=True)
class Slates:
    """B lists.

    Args:
        items: B x L item numbers, all different within a list; -1 at the end of a list that is shorter.
        propensity: B x L probabilities with which the policy puts that item on that place, in (0, 1]; nan where
            nobody knows it (a server that does not tell).
    """

    items: NDArray[np.int32]
    propensity: NDArray[np.float32]


class Policy(Protocol):
    """Chooses slates. Asked once a page of a day's block, in order."""

    @property
    def name(self) -> str:
        """What manifests call it."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """What else tells it from others, as JSON can hold it: a world is resumed under the same policy only."""
        ...

    @property
    def is_repeatable(self) -> bool:
        """Whether the same questions and the same stream always give the same lists: else no run can be resumed."""
        ...

    def choose(self, asked: Asked, rng: np.random.Generator) -> Slates:
        """Choose the lists.

        Args:
            asked: What is known.
            rng: The policy's own stream.
        """
        ...


@dataclass(frozen=True)
class Random:
    """Every list is L different items, each as likely as any other: propensity 1 / N on every place."""

    name: str = "random"

    @property
    def is_repeatable(self) -> bool:
        """It is."""
        return True

    @property
    def settings(self) -> dict[str, Any]:
        """None."""
        return {}

    def choose(self, asked: Asked, rng: np.random.Generator) -> Slates:
        """Choose the lists; see Policy."""
        lists, offered = len(asked.visitor), asked.offered
        drawn = _different(lists, asked.places, len(offered), rng)
        propensity = np.full(drawn.shape, 1 / len(offered), np.float32)
        return Slates(offered[drawn].astype(np.int32), propensity)


@dataclass(frozen=True)
class Popular:
    """The items viewed most often so far; a share of the lists is random, so that other policies can be judged.

    Args:
        explores: Share of the lists that are random ones, in [0, 1).
    """

    explores: float = 0.1
    name: str = "popular"

    @property
    def is_repeatable(self) -> bool:
        """It is."""
        return True

    @property
    def settings(self) -> dict[str, Any]:
        """What it explores."""
        return {"explores": self.explores}

    def choose(self, asked: Asked, rng: np.random.Generator) -> Slates:
        """Choose the lists; see Policy."""
        lists, top = len(asked.visitor), asked.popular[: asked.places]
        items = np.repeat(top[None, :].astype(np.int32), lists, axis=0)
        explored = np.flatnonzero(rng.random(lists) < self.explores)
        drawn = _different(len(explored), asked.places, len(asked.offered), rng)
        items[explored] = asked.offered[drawn]
        by_chance = self.explores / len(asked.offered)
        propensity = np.full(items.shape, 1 - self.explores + by_chance, np.float32)
        propensity[explored] = by_chance + (1 - self.explores) * (items[explored] == top)
        return Slates(items, propensity)


@dataclass(frozen=True)
class Split:
    """Two policies in one world: each visitor is in one variant for good, by a fair coin of his own.

    Args:
        control: Policy of variant 0.
        treatment: Policy of variant 1.
        seed: Of the coins.
    """

    control: Policy
    treatment: Policy
    seed: int

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.control.name}|{self.treatment.name}"

    @property
    def is_repeatable(self) -> bool:
        """Whether both are."""
        return self.control.is_repeatable and self.treatment.is_repeatable

    @property
    def settings(self) -> dict[str, Any]:
        """Those of both, and the seed."""
        return {"seed": self.seed, "control": self.control.settings, "treatment": self.treatment.settings}

    def variant(self, visitor: Ints) -> Ints:
        """Return the variants of visitors, 0 or 1."""
        coins = uniform_bits(visitor.astype(np.uint64), 1, seed=self.seed)[:, 0]
        return (coins >> np.uint64(63)).astype(np.int64)

    def choose(self, asked: Asked, rng: np.random.Generator) -> Slates:
        """Choose the lists; see Policy."""
        one, other = (policy.choose(asked, rng) for policy in (self.control, self.treatment))
        is_other = (self.variant(asked.visitor) == 1)[:, None]
        return Slates(np.where(is_other, other.items, one.items), np.where(is_other, other.propensity, one.propensity))


def place_law(policy: Policy, *, popular: Ints, offered: Ints, places: int, items: int) -> Floats:
    """Return L x N probabilities with which a policy without memory puts each item on each place.

    Args:
        policy: `Random` or `Popular`.
        popular: As in Asked.
        offered: As in Asked.
        places: L.
        items: N.

    Raises:
        TypeError: The law of this policy depends on more.
    """
    law_LN = np.zeros((places, items))
    if isinstance(policy, Random):
        law_LN[:, offered] = 1 / len(offered)
    elif isinstance(policy, Popular):
        law_LN[:, offered] = policy.explores / len(offered)
        law_LN[np.arange(places), popular[:places]] += 1 - policy.explores
    else:
        raise TypeError(policy.name)
    return law_LN


def _different(lists: int, places: int, among: int, rng: np.random.Generator) -> Ints:
    """Draw B x L numbers below `among`, different within a row, every choice as likely as any other."""
    if places * places > among:
        step = max(1, _CELLS // among)
        parts = [np.argsort(rng.random((min(step, lists - at), among)), axis=1) for at in range(0, lists, step)]
        return np.concatenate([each[:, :places] for each in parts] or [np.zeros((0, places), np.int64)])
    drawn = rng.integers(0, among, (lists, places))
    again = np.arange(lists)
    while len(again):  # whole rows are drawn again: keeping the good part of a row would favour some
        inside = np.sort(drawn[again], axis=1)
        again = again[(inside[:, 1:] == inside[:, :-1]).any(axis=1)]
        drawn[again] = rng.integers(0, among, (len(again), places))
    return drawn
