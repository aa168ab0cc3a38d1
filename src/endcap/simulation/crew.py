"""Who lives through the days of some blocks and writes them down: in this process, or several beside it.

What a block does depends on the morning's shelves alone, so who computes it, and beside whom, changes no byte.
"""

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from endcap.core.clock import DAY_US, day_of, day_start_us
from endcap.core.errors import Code, EndcapError
from endcap.simulation.block import Block, DayOfBlock, LawsOfWeeks
from endcap.simulation.catalogue import make_catalogue
from endcap.simulation.files import write_parquet
from endcap.simulation.formats import Format, write_events
from endcap.simulation.ga4 import NAMES
from endcap.simulation.journeys import Day
from endcap.simulation.policies import Policy
from endcap.simulation.settings import World
from endcap.simulation.stock import Shelves, allotted, open_day
from endcap.simulation.tastes import make_tastes
from endcap.simulation.truth import Expected, drift_table, expected_of_day, pages_table, visitors_table
from endcap.simulation.visitors import num_blocks

__all__ = ["Crew", "Crews", "Evening", "Places", "crews", "together"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Places:
    """Where a world is written.

    Args:
        events: Folder of the clean log.
        range: Folder of the feeds.
        truth: Folder of the truth.
        format: Of the log.
    """

    events: Path
    range: Path
    truth: Path
    format: Format


@dataclass(frozen=True)
class Evening:
    """What a day came to, of one block or of several.

    Args:
        sold: N pieces paid for.
        came_back: N pieces returned.
        viewed: N views by people.
        counts: What there was of everything: names of events and `sessions`, `clicks`, `refused_lines`,
            `expected_clicks`, `expected_carts`, `expected_purchases`.
    """

    sold: Ints
    came_back: Ints
    viewed: Ints
    counts: dict[str, float]

    def __add__(self, other: "Evening") -> "Evening":
        """Put blocks together."""
        counts = {name: number + other.counts[name] for name, number in self.counts.items()}
        return Evening(self.sold + other.sold, self.came_back + other.came_back, self.viewed + other.viewed, counts)


class Crew:
    """Lives through the days of some blocks, one after the other."""

    def __init__(self, world: World, policy: Policy, numbers: Sequence[int]) -> None:
        """Make the world's laws and the blocks; nobody has come yet."""
        self.world = world
        self.goods = make_catalogue(world)
        tastes = make_tastes(world, self.goods)
        self.laws = LawsOfWeeks(world, self.goods, tastes)
        self.blocks = [Block(world, self.goods, tastes, number, policy) for number in numbers]
        self.after_midnight: dict[int, pa.Table] = {}

    def write_visitors(self, places: Places) -> None:
        """Write down who the visitors are."""
        for block in self.blocks:
            path = places.truth / "visitors" / f"visitors{self._suffix(block)}.parquet"
            write_parquet(path, [visitors_table(block.people, block.state)])

    def day(self, number: int, shelves: Shelves, places: Places | None) -> dict[int, Evening]:
        """Live through a day; return what it came to for each block.

        Args:
            number: Of the day.
            shelves: Of the morning.
            places: Where its files are written; None if only what comes after the day is wanted.
        """
        evenings = {}
        for block, here in self._mornings(number, shelves):
            lived = block.live(here)
            rows, expected = self._rows(block, lived), expected_of_day(self.world, here, lived.made)
            if places:
                self._write(block, lived, rows, pages_table(here, lived.made, expected), places)
            evenings[block.people.block] = self._evening(lived, expected)
        return evenings

    def rows(self, number: int, shelves: Shelves) -> list[list[pa.Table]]:
        """Live through a day and return its GA4 rows: for each block the tables that its file holds."""
        return [self._rows(block, block.live(here)) for block, here in self._mornings(number, shelves)]

    def pass_over(self, number: int) -> None:
        """Let a day pass of which nothing is wanted; see Block.pass_over."""
        for block in self.blocks:
            block.pass_over(number)

    def save(self, folder: Path) -> None:
        """Keep all states."""
        for block in self.blocks:
            block.save(folder / f"block_{block.people.block:04d}.npz")

    def load(self, folder: Path) -> None:
        """Take up all states."""
        for block in self.blocks:
            block.load(folder / f"block_{block.people.block:04d}.npz")

    def _mornings(self, number: int, shelves: Shelves) -> Iterator[tuple[Block, Day]]:
        """Give each block with what its visitors find in the morning."""
        morning = open_day(self.world, self.laws.of_day(number), shelves, number)
        for block in self.blocks:
            yield block, replace(morning, left=allotted(self.world, shelves, number, block.people.block))

    def _rows(self, block: Block, lived: DayOfBlock) -> list[pa.Table]:
        """Return the rows of a block's day; what happens after midnight waits for the next day's file."""
        start_us = day_start_us(self.world.start) + lived.number * DAY_US
        today, refunds, tomorrow = lived.tables(self.goods, midnight_us=start_us + DAY_US)
        yesterdays = self.after_midnight.get(block.people.block, tomorrow.slice(0, 0))
        self.after_midnight[block.people.block] = tomorrow
        return [today, yesterdays, refunds]

    def _write(self, block: Block, lived: DayOfBlock, rows: list[pa.Table], pages: pa.Table, places: Places) -> None:
        start_us = day_start_us(self.world.start) + lived.number * DAY_US
        name = day_of(start_us).replace("-", "") + self._suffix(block)
        write_events(places.events / f"events_{name}", rows, places.format)
        write_parquet(places.truth / "pages" / f"pages_{name}.parquet", [pages])
        write_parquet(places.truth / "drift" / f"drift_{name}.parquet", [drift_table(lived.drifted, lived.drawn)])

    def _suffix(self, block: Block) -> str:
        return f"_{block.people.block:04d}" if num_blocks(self.world) > 1 else ""

    def _evening(self, lived: DayOfBlock, expected: Expected) -> Evening:
        made, counts = lived.made, Counter[str]()
        last_us = day_start_us(self.world.start) + self.world.days * DAY_US
        for log in (lived.log, lived.refunds):
            per_name = np.bincount(log.name[log.at_us < last_us], minlength=len(NAMES)).tolist()
            counts.update(dict(zip(NAMES, per_name, strict=True)))
        counts["sessions"] = len(made.taste)
        counts["clicks"] = int((made.place >= 0).sum())
        counts["paid_lines"] = int(made.lines.is_paid.sum())
        counts["refused_lines"] = int(made.lines.is_refused.sum())
        sums = {f"expected_{name}": float(getattr(expected, name).sum()) for name in ("clicks", "carts", "purchases")}
        items = self.world.items
        return Evening(lived.sold(items), lived.came_back(items), lived.viewed(items), {**counts, **sums})


class Crews:
    """One crew here, or several in processes of their own, asked as one."""

    def __init__(self, crew: Crew | None, lines: Sequence[Connection] = ()) -> None:
        """Take a crew, or the lines to several."""
        self._crew, self._lines = crew, lines

    def ask(self, what: str, *args: Any) -> list[Any]:
        """Call a method of every crew and return what each answers.

        Raises:
            EndcapError: A process of a crew is gone.
            Exception: Whatever a crew raised.
        """
        if self._crew is not None:
            return [getattr(self._crew, what)(*args)]
        try:
            for line in self._lines:
                line.send((what, args))
            answers = [line.recv() for line in self._lines]
        except (EOFError, OSError) as error:
            raise EndcapError(
                f"a worker process ended before it had answered '{what}'",
                where=f"{len(self._lines)} workers",
                fix="run it again, it goes on where it was; fewer workers need less memory",
                code=Code.INTERNAL,
            ) from error
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers

    def day(self, number: int, shelves: Shelves, places: Places | None) -> Evening:
        """Have all crews live through a day; see Crew.day."""
        return together(
            {block: each for part in self.ask("day", number, shelves, places) for block, each in part.items()}
        )


def together(evenings: Mapping[int, Evening]) -> Evening:
    """Put blocks together, in their order: sums of fractions depend on it."""
    return reduce(lambda one, other: one + other, (evenings[block] for block in sorted(evenings)))


@contextmanager
def crews(world: World, policy: Policy, *, workers: int) -> Iterator[Crews]:
    """Give the crews of a world, in `workers` processes or in this one.

    Args:
        world: The world.
        policy: Fills the lists.
        workers: Processes, at least 1; never more than there are blocks.
    """
    blocks = list(range(num_blocks(world)))
    workers = min(workers, len(blocks))
    if workers == 1:
        yield Crews(Crew(world, policy, blocks))
        return
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(workers)]
    processes = [
        context.Process(target=_serve, args=(far, world, policy, blocks[number::workers]), daemon=True)
        for number, (_, far) in enumerate(pairs)
    ]
    for process, (_, far) in zip(processes, pairs, strict=True):
        process.start()
        far.close()  # so that a process that dies is heard of
    try:
        yield Crews(None, [near for near, _ in pairs])
    finally:
        for (near, _), process in zip(pairs, processes, strict=True):
            near.close()
            process.terminate()
            process.join()


def _serve(line: Connection, world: World, policy: Policy, numbers: Sequence[int]) -> None:
    """Answer what is asked over a line until it is closed."""
    Thread(target=_end_with_parent, daemon=True).start()
    crew = Crew(world, policy, numbers)
    while True:
        try:
            what, args = line.recv()
        except EOFError:
            return
        try:
            line.send(getattr(crew, what)(*args))
        except Exception as error:  # noqa: BLE001 - it is raised again on the other side
            line.send(error)


def _end_with_parent() -> None:
    """End this process when the one that asks is gone: the next run writes the same files."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
