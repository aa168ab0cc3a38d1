"""Who lives through the days of some blocks and writes them down: in this process, or several beside it.

What a block does depends on the morning's shelves alone, so who computes it, and beside whom, changes no byte.
"""

import multiprocessing
import os
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from threading import Thread, current_thread, main_thread
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
from endcap.simulation.stock import Shelves, Till, open_day, order_at_till
from endcap.simulation.tastes import make_tastes
from endcap.simulation.truth import Expected, drift_table, expected_of_day, pages_table, visitors_table
from endcap.simulation.visitors import num_blocks

__all__ = ["Crew", "Crews", "Evening", "Places", "crews", "together"]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
AskTill = Callable[[int, Ints, Ints], Bools]
"""Settles what a block wants to pay for: its number, items and pieces in the order of payment."""


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
        counts: What there was of everything: names of events and `sessions`, `clicks`; order lines that were paid and
            refused (sold out), in all and of items clicked in lists; places of lists and those left empty;
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

    def day(self, number: int, shelves: Shelves, places: Places | None, ask_till: AskTill) -> dict[int, Evening]:
        """Live through a day; return what it came to for each block.

        Args:
            number: Of the day.
            shelves: Of the morning.
            places: Where its files are written; None if only what comes after the day is wanted.
            ask_till: Asked once for each block, in their order of the day.
        """
        evenings = {}
        here = open_day(self.world, self.laws.of_day(number), shelves, number)
        for block, lived in self._lived(here, ask_till):
            rows, expected = self._rows(block, lived), expected_of_day(self.world, here, lived.made)
            if places:
                self._write(block, lived, rows, pages_table(here, lived.made, expected), places)
            evenings[block.people.block] = self._evening(lived, expected)
        return evenings

    def rows(self, number: int, shelves: Shelves) -> list[list[pa.Table]]:
        """Live through a day alone and return its GA4 rows: for each block the tables that its file holds."""
        here = open_day(self.world, self.laws.of_day(number), shelves, number)
        lived = self._lived(here, Till(shelves).ask)
        rows = {block.people.block: self._rows(block, each) for block, each in lived}
        return [rows[block] for block in sorted(rows)]

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

    def _lived(self, here: Day, ask_till: AskTill) -> Iterator[tuple[Block, DayOfBlock]]:
        """Let each block live through a day, in the order in which they come to the till."""
        own = {block.people.block: block for block in self.blocks}
        for number in order_at_till(num_blocks(self.world), here.number):
            if number in own:
                settle = partial(ask_till, number) if self.world.has_stock else None
                yield own[number], own[number].live(here, settle)

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
        is_led = made.place[made.lines.page] >= 0
        counts["paid_lines_of_lists"] = int((made.lines.is_paid & is_led).sum())
        counts["refused_lines_of_lists"] = int((made.lines.is_refused & is_led).sum())
        counts["places"] = made.slates.size
        counts["empty_places"] = int((made.slates < 0).sum())
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
        for line in self._lines:
            _say(line, (what, args))
        return [_answer(line) for line in self._lines]

    def day(self, number: int, shelves: Shelves, places: Places | None) -> Evening:
        """Have all crews live through a day; see Crew.day."""
        till = Till(shelves)
        if self._crew is not None:
            return together(self._crew.day(number, shelves, places, till.ask))
        for line in self._lines:
            _say(line, ("day", (number, shelves, places)))
        return together(self._evenings(number, till))

    def _evenings(self, number: int, till: Till) -> dict[int, Evening]:
        """Serve the blocks at the till in their order of the day, and gather what the day came to for each."""
        evenings: dict[int, Evening] = {}
        wanted: dict[int, tuple[Connection, Ints, Ints]] = {}
        lines = list(self._lines)
        queue: list[int] = []
        while lines:
            for line in [each for each in wait(lines) if isinstance(each, Connection)]:
                told = _answer(line)
                if isinstance(told, _Wants):
                    wanted[told.block] = (line, told.item, told.quantity)
                    queue = queue or order_at_till(told.blocks, number)
                else:
                    evenings |= told
                    lines.remove(line)
            while queue and queue[0] in wanted:
                asker, item, quantity = wanted.pop(queue.pop(0))
                _say(asker, till.settle(item, quantity))
        return evenings


@dataclass(frozen=True)
class _Wants:
    """What a block of a worker process wants to pay for.

    Args:
        block: Its number.
        blocks: How many blocks there are.
        item: T items, in the order of payment.
        quantity: T pieces.
    """

    block: int
    blocks: int
    item: Ints
    quantity: Ints


@dataclass(frozen=True)
class _Failed:
    """What went wrong in a worker process; what a method answers is never taken for it."""

    error: Exception


def _say(line: Connection, what: Any) -> None:
    """Tell a worker process something."""
    try:
        line.send(what)
    except OSError as error:
        raise _gone() from error


def _answer(line: Connection) -> Any:
    """Return what a worker process answers, or raise what it raised."""
    try:
        told = line.recv()
    except (EOFError, OSError) as error:
        raise _gone() from error
    if isinstance(told, _Failed):
        raise told.error
    return told


def _gone() -> EndcapError:
    return EndcapError(
        "a worker process ended in the middle of its work",
        where="--workers",
        fix="run it again, it goes on where it was; fewer workers need less memory",
        code=Code.INTERNAL,
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
    processes = []
    try:
        for number, (_, far) in enumerate(pairs):
            process = context.Process(target=_serve, args=(far, world, policy, blocks[number::workers]), daemon=True)
            with _deaf_to_interrupts():
                process.start()
            processes.append(process)
            far.close()  # so that a process that dies is heard of
        yield Crews(None, [near for near, _ in pairs])
    finally:
        for near, _ in pairs:
            near.close()
        for process in processes:
            process.terminate()
            process.join()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: who asks is stopped by it, and stops them."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(line: Connection, world: World, policy: Policy, numbers: Sequence[int]) -> None:
    """Answer what is asked over a line until it is closed."""
    Thread(target=_end_with_parent, daemon=True).start()
    crew = Crew(world, policy, numbers)

    def ask_till(block: int, item: Ints, quantity: Ints) -> Bools:
        line.send(_Wants(block, num_blocks(world), item, quantity))
        enough: Bools = line.recv()
        return enough

    while True:
        try:
            what, args = line.recv()
        except EOFError:
            return
        try:
            line.send(crew.day(args[0], args[1], args[2], ask_till) if what == "day" else getattr(crew, what)(*args))
        except Exception as error:  # noqa: BLE001 - it is raised again on the other side
            line.send(_Failed(_transportable(error)))


def _transportable(error: Exception) -> Exception:
    """Return an error that comes to the other side whole: itself, or its text where it cannot be sent."""
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:  # noqa: BLE001 - whatever keeps it from crossing, it is told
        return RuntimeError("".join(traceback.format_exception(error)))
    return error


def _end_with_parent() -> None:
    """End this process when the one that asks is gone: the next run writes the same files."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
