"""The best that any model can do in a world: the clairvoyant's ranking and the Bayes-optimal one.

The clairvoyant knows each visitor's taste. The Bayes-optimal reference knows the world's laws and what the visitor was
seen to do (all of it, on all his devices), and ranks by what is expected under its belief. Both rank by the same
scores; they differ in the belief alone, for the clairvoyant's is certain. They are the best for the next view, and for
the clicks or carts of one list; a policy that looks further ahead than one list may bring a visitor to click more.

Shapes: B questions, K tastes, N items, L places.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from endcap.core.clock import next_day
from endcap.core.errors import Code, UsageError
from endcap.simulation.belief import Pages, belief_overnight, beliefs_of, likelihood, pages_of
from endcap.simulation.block import LawsOfWeeks
from endcap.simulation.catalogue import STRENGTHS, make_catalogue
from endcap.simulation.folder import read_json
from endcap.simulation.settings import World
from endcap.simulation.tastes import Laws, make_tastes

__all__ = ["SeenDay", "Truth", "Views", "certain", "click_scores", "next_view_scores"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Views:
    """E views of people, session by session as they began, with what was known of the visitor right after each.

    Args:
        visitor: E numbers of visitors.
        session: E numbers of sessions, ascending from 0.
        at_us: E instants.
        item: E items.
        day: E numbers of days.
        taste: E tastes, the truth.
        belief_EK: What the Bayes-optimal reference believes.
    """

    visitor: Ints
    session: Ints
    at_us: Ints
    item: Ints
    day: Ints
    taste: Ints
    belief_EK: Floats

    def rows(self, which: Ints) -> "Views":
        """Return some of the views."""
        return Views(*(getattr(self, each)[which] for each in self.__dataclass_fields__))


@dataclass(frozen=True)
class SeenDay:
    """A day of people (bots left out) with what was known of each at every page.

    Args:
        number: Of the day.
        laws: Of its week.
        offered: N booleans: sold and in stock in the morning.
        popular: What was viewed most often, the first first.
        pages: P pages in order of visitor and instant.
        taste: P tastes, the truth.
        before_PK: Beliefs before each page.
        after_PK: Beliefs after each page.
    """

    number: int
    laws: Laws
    offered: NDArray[np.bool_]
    popular: Ints
    pages: Pages
    taste: Ints
    before_PK: Floats
    after_PK: Floats


class Truth:
    """The truth beside a simulated shop's export.

    Args:
        out: The folder that `simulate` wrote.

    Raises:
        UsageError: It holds no truth.
    """

    def __init__(self, out: Path) -> None:
        """Read what does not change from day to day."""
        self.folder = out / "truth"
        if not (self.folder / "world.json").is_file():
            raise UsageError(
                "there is no simulated shop here",
                where=str(out),
                fix="name the folder that `endcap simulate` made; it holds export and truth",
                code=Code.USAGE,
            )
        told = read_json(self.folder / "world.json")
        self.world: World = World(**{name: _as_tuples(value) for name, value in told["world"].items()})
        self.policy: str = told["policy"]
        self.goods = make_catalogue(self.world)
        self.tastes = make_tastes(self.world, self.goods)

    def days(self) -> Iterator[SeenDay]:
        """Go through the days, and learn of the visitors what can be known of them."""
        laws = LawsOfWeeks(self.world, self.goods, self.tastes)
        belief_VK = np.tile(self.tastes.prior, (self.world.visitors, 1))
        for number in range(self.world.days):
            if number:
                belief_VK = belief_overnight(self.world, self.tastes, belief_VK, number)
            pages, taste = self._pages(number)
            likely_PK = likelihood(self.world, laws.of_day(number), pages)
            before_PK, belief_VK = beliefs_of(likely_PK, pages, belief_VK)
            after_PK = before_PK * likely_PK
            offered, popular = self._morning(number)
            yield SeenDay(
                number=number,
                laws=laws.of_day(number),
                offered=offered,
                popular=popular,
                pages=pages,
                taste=taste,
                before_PK=before_PK,
                after_PK=after_PK / after_PK.sum(axis=1, keepdims=True),
            )

    def views(self) -> Views:
        """Return all views of people: what a model of sessions is fitted on and asked about."""
        parts = [_views_of(day) for day in self.days()]
        columns = [np.concatenate([getattr(part, each) for part in parts]) for each in Views.__dataclass_fields__]
        found = Views(*columns)
        found = found.rows(np.lexsort((found.at_us, found.visitor, found.session)))
        begins = (np.diff(found.session, prepend=-1) != 0) | (np.diff(found.visitor, prepend=-1) != 0)
        return replace(found, session=np.cumsum(begins) - 1)

    def _pages(self, number: int) -> tuple[Pages, Ints]:
        table = pa.concat_tables(pq.read_table(path) for path in self._files("pages", number))
        taste = table.column("taste").to_numpy().astype(np.int64)
        pages = pages_of(table, self.world.places)
        order = np.lexsort((pages.number, pages.session_us, pages.at_us, pages.visitor))
        people = order[taste[order] < self.world.tastes]
        return pages.rows(people), taste[people]

    def _morning(self, number: int) -> tuple[NDArray[np.bool_], Ints]:
        table = pq.read_table(self._files("mornings", number)[0])
        rank = table.column("popular").to_numpy().astype(np.int64)
        ranked = np.flatnonzero(rank >= 0)
        return table.column("is_offered").to_numpy(zero_copy_only=False), ranked[np.argsort(rank[ranked])]

    def _files(self, what: str, number: int) -> list[Path]:
        name = next_day(self.world.start, number).replace("-", "")
        return sorted((self.folder / what).glob(f"*_{name}*.parquet"))


def _views_of(day: SeenDay) -> Views:
    viewed = np.flatnonzero(day.pages.item >= 0)
    pages = day.pages.rows(viewed)
    return Views(
        visitor=pages.visitor,
        session=pages.session_us,
        at_us=pages.at_us,
        item=pages.item,
        day=np.full(len(viewed), day.number),
        taste=day.taste[viewed],
        belief_EK=day.after_PK[viewed],
    )


def certain(taste: Ints, tastes: int) -> Floats:
    """Return the clairvoyant's B x K belief: all of it on the true taste."""
    found = np.zeros((len(taste), tastes))
    found[np.arange(len(taste)), taste] = 1.0
    return found


def click_scores(
    laws: Laws, belief_BK: Floats, before: Ints, offered: NDArray[np.bool_], *, orders: bool = False
) -> Floats:
    """Return B x N: how likely each item is clicked when it is looked at; the best slate is in descending order.

    What a list brings is a sum over its places of attention x this, and attention falls with the place: no other order
    of any items brings more, of this list. What a list leads to later may be worth more than its own clicks.

    Args:
        laws: Of the week.
        belief_BK: Probabilities of tastes.
        before: B items viewed before, -1 for none.
        offered: N booleans: sold and in stock; what is not is -inf.
        orders: Whether what counts is that the item is put into the cart after the click.
    """
    p_KN = laws.attraction_KN[:-1].astype(np.float64)
    cart_KN = laws.cart_KN[:-1].astype(np.float64) if orders else np.ones_like(p_KN)
    scores_BN = belief_BK @ (p_KN * cart_KN)
    for turn, share in enumerate(STRENGTHS):
        known = np.flatnonzero(before >= 0)
        near = laws.complements[before[known], turn]
        then = (belief_BK[known] * cart_KN[:, near].T).sum(axis=1)
        scores_BN[known, near] += laws.pull_strength * share * then
    return np.where(offered, scores_BN, -np.inf)


def next_view_scores(world: World, laws: Laws, looked_at: Floats, belief_BK: Floats, before: Ints) -> Floats:
    """Return B x N: how likely each item is the next different one that the visitor views in this session.

    A page shows a list (with `p_list`) or is an item's; the visitor goes on from page to page with `p_next_page` until
    he views something else than `before`. The chance that he does at all differs between tastes, and is in the scores:
    they sum to it.

    Args:
        world: The world.
        laws: Of the week.
        looked_at: N: the attention that the policy's lists give each item, summed over places; see `place_law`.
        belief_BK: Probabilities of tastes.
        before: B items viewed last.
    """
    rows = np.arange(len(before))
    near_BM = laws.complements[before]
    follows_BM = world.p_follow * STRENGTHS * laws.is_sold[near_BM]
    pulled_BM = world.p_list * laws.pull_strength * STRENGTHS * looked_at[near_BM]
    extra_BM = pulled_BM + (1 - world.p_list) * follows_BM
    alone = (1 - world.p_list) * (1 - follows_BM.sum(axis=1))
    scores_BN = np.zeros((len(before), len(looked_at)))
    weight_BK = np.empty_like(belief_BK)
    for taste in range(world.tastes):
        listed = world.p_list * looked_at * laws.attraction_KN[taste]
        itself = (
            listed[before] + alone * laws.wanted_KN[taste, before] + (extra_BM * (near_BM == before[:, None])).sum(1)
        )
        leaves = listed.sum() + alone + extra_BM.sum(axis=1) - itself
        weight_BK[:, taste] = belief_BK[:, taste] * world.p_next_page / (1 - world.p_next_page * (1 - leaves))
        scores_BN += weight_BK[:, taste, None] * listed + (weight_BK[:, taste] * alone)[:, None] * laws.wanted_KN[taste]
    for turn in range(len(STRENGTHS)):
        scores_BN[rows, near_BM[:, turn]] += weight_BK.sum(axis=1) * extra_BM[:, turn]
    scores_BN[rows, before] = 0.0
    return scores_BN


def _as_tuples(value: Any) -> Any:
    return tuple(_as_tuples(each) for each in value) if isinstance(value, list) else value
