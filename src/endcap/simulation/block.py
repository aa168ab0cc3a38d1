"""One block of visitors through all days: the unit that is computed in one process, and that bounds the memory."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from endcap.core.clock import DAY_US, day_start_us
from endcap.simulation.catalogue import WEEK_DAYS, Catalogue
from endcap.simulation.files import whole_file
from endcap.simulation.ga4 import Log, ga4_table
from endcap.simulation.journeys import Day, Journeys, Settle, journeys
from endcap.simulation.logbook import Refunds, first_number, log_of, no_refunds, refund_log, refunds_due, refunds_of
from endcap.simulation.policies import Policy
from endcap.simulation.settings import World
from endcap.simulation.tastes import Laws, Tastes, make_laws
from endcap.simulation.visitors import State, arrivals, draw_visitors, first_state, tastes_change

__all__ = ["Block", "DayOfBlock", "LawsOfWeeks"]

Ints = NDArray[np.int64]


class LawsOfWeeks:
    """The laws of the week that was asked for last: a world of 235,000 items does not keep twenty weeks of them."""

    def __init__(self, world: World, goods: Catalogue, tastes: Tastes) -> None:
        """Remember what laws are made from."""
        self._made_from = (world, goods, tastes)
        self._laws: Laws | None = None

    def of_day(self, day: int) -> Laws:
        """Return the laws of the week in which day number `day` lies."""
        week = day // WEEK_DAYS if self._made_from[0].changes_range else 0
        if self._laws is None or self._laws.week != week:
            self._laws = make_laws(*self._made_from, week)
        return self._laws


@dataclass(frozen=True)
class DayOfBlock:
    """What a block's day came to.

    Args:
        number: Of the day.
        made: What visitors did.
        drifted: Numbers (in the world) of the visitors whose taste was drawn anew that morning.
        drawn: Their new tastes.
        first: Number of the day's first list and order.
        refunds: Refunds of the day.
        price_minor: N prices in force.
    """

    number: int
    made: Journeys
    drifted: Ints
    drawn: Ints
    first: int
    refunds: Log
    price_minor: Ints

    @cached_property
    def log(self) -> Log:
        """The tracker's events."""
        return log_of(self.made, first=self.first)

    def tables(self, goods: Catalogue, *, midnight_us: int) -> tuple[pa.Table, pa.Table, pa.Table]:
        """Return the day's events before midnight, its refunds, and the events after midnight, as GA4 rows."""
        rows = ga4_table(self.log, goods, self.price_minor)
        before = int(np.searchsorted(self.log.at_us, midnight_us))
        return rows.slice(0, before), ga4_table(self.refunds, goods, self.price_minor), rows.slice(before)

    def sold(self, items: int) -> Ints:
        """Return N pieces that were paid for."""
        lines = self.made.lines
        return np.bincount(self.made.item[lines.page], lines.quantity * lines.is_paid, items).astype(np.int64)

    def came_back(self, items: int) -> Ints:
        """Return N pieces that were returned."""
        return np.bincount(self.refunds.item, self.refunds.quantity, items).astype(np.int64)

    def viewed(self, items: int) -> Ints:
        """Return N views by people."""
        is_seen = (self.made.item >= 0) & ~self.made.people.is_bot[self.made.sessions.visitor[self.made.session]]
        return np.bincount(self.made.item[is_seen], minlength=items)


class Block:
    """A block's visitors and what has become of them so far."""

    def __init__(self, world: World, goods: Catalogue, tastes: Tastes, number: int, policy: Policy) -> None:
        """Draw the visitors; nobody has come yet."""
        self.world, self.goods, self.tastes, self.policy = world, goods, tastes, policy
        self.people = draw_visitors(world, number)
        self.state: State = first_state(world, tastes, self.people)
        self.pending: Refunds = no_refunds()

    def pass_over(self, day: int) -> None:
        """Let a day pass of which nothing is wanted, in a world without memory: only tastes drift."""
        if day:
            tastes_change(self.world, self.tastes, self.people, self.state, day)

    def live(self, day: Day, settle: Settle | None) -> DayOfBlock:
        """Let the visitors live through a day; days come in order.

        Args:
            day: What all blocks find.
            settle: Sells what is there; see `journeys`.
        """
        world, number = self.world, self.people.block
        drifted = np.zeros(0, np.int64)
        if day.number:
            drifted = tastes_change(world, self.tastes, self.people, self.state, day.number)
        drawn = self.state.taste[drifted].copy()
        who = arrivals(world, self.people, self.state, day.number)
        made = journeys(world, day, self.people, self.state, who, policy=self.policy, settle=settle)
        first = first_number(world, day.number, number)
        due, self.pending = refunds_due(self.pending, day.number)
        self.pending = self.pending.and_also(refunds_of(made, day, first=first))
        start_us = day_start_us(world.start) + day.number * DAY_US
        return DayOfBlock(
            number=day.number,
            made=made,
            drifted=self.people.first + drifted,
            drawn=drawn,
            first=first,
            refunds=refund_log(world, self.people, due, day.number, day_start_us=start_us),
            price_minor=day.laws.price_minor,
        )

    def save(self, path: Path) -> None:
        """Keep the state in a file, so that a killed run goes on from here."""
        state, pending = self.state, self.pending
        with whole_file(path) as part, part.open("wb") as file:
            np.savez(
                file,
                taste=state.taste.astype(np.int8),
                pleased=state.pleased,
                bought=state.bought.astype(np.int32),
                pending=np.stack([getattr(pending, each) for each in _PENDING]),
            )

    def load(self, path: Path) -> None:
        """Take up the state of a file."""
        with np.load(path, allow_pickle=False) as kept:
            self.state = State(
                taste=kept["taste"].astype(np.int64),
                pleased=kept["pleased"],
                bought=kept["bought"].astype(np.int64),
            )
            self.pending = Refunds(*kept["pending"])


_PENDING = tuple(Refunds.__dataclass_fields__)
