"""Simulate a shop: its world day by day, the export that it hands over, and the truth beside it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from endcap.core.clock import next_day
from endcap.core.errors import Code, UsageError, near
from endcap.core.version import __version__
from endcap.simulation.block import LawsOfWeeks
from endcap.simulation.catalogue import Catalogue, make_catalogue
from endcap.simulation.crew import Crew, Crews, Places, crews, together
from endcap.simulation.faults.break_log import break_log
from endcap.simulation.faults.choice import Faults
from endcap.simulation.feed import write_feed, write_inventory
from endcap.simulation.files import remove_whole, write_parquet
from endcap.simulation.folder import begin, complete, held, is_there, read_json, write_json
from endcap.simulation.formats import FORMATS, Format
from endcap.simulation.luck import BACK_WITHIN_DAYS
from endcap.simulation.policies import Policy, Popular, Random
from endcap.simulation.settings import World
from endcap.simulation.stock import Shelves, Till, close_day, first_shelves, open_day
from endcap.simulation.tastes import Laws, Tastes, make_tastes
from endcap.simulation.truth import morning_table, write_world
from endcap.simulation.value import value_of
from endcap.simulation.visitors import num_blocks

__all__ = ["Simulated", "check_asked", "day_alone", "simulate"]

Ints = NDArray[np.int64]

_FOLDERS = (
    *("export/feeds", "export/inventory", "kept"),
    *("truth/pages", "truth/drift", "truth/mornings", "truth/days", "truth/visitors"),
)
_MOST_WORKERS = 256
_FROM_0 = "count the days from 0"
_MOST_ITEMS_OF_A_VALUE = 5_000  # its chances from item to item take 200 MB
_KEPT_EVERY_DAYS = 7  # a state of a million visitors is 20 MB; a killed run repeats at most this many days


@dataclass(frozen=True)
class Simulated:
    """What was written.

    Args:
        out: The folder: `export/`, what a shop would hand over, and `truth/`.
        first_day: First UTC day.
        last_day: Last UTC day.
        counts: Events of the log by name, and what else there was; see `crew.Evening`. What happens after the last
            midnight is in no file and is not counted among the events.
        broken: Faults -> rows that each touched; empty in a clean export.
        is_new: False if it was all there already.
    """

    out: Path
    first_day: str
    last_day: str
    counts: dict[str, float]
    broken: dict[str, int]
    is_new: bool

    @property
    def export(self) -> Path:
        """The folder that a shop would hand over."""
        return self.out / "export"

    @property
    def truth(self) -> Path:
        """The folder of what nobody in the shop knows."""
        return self.out / "truth"


def simulate(  # noqa: PLR0913 - a world, its policy, and how it is written
    world: World,
    out: Path,
    policy: Policy,
    *,
    form: Format = "ga4",
    workers: int = 1,
    faults: Faults | None = None,
    tell: Callable[[str], None] = lambda _line: None,
) -> Simulated:
    """Write a world's export and its truth.

    The same world and policy give the same bytes, in one process or several, whole or resumed. What is written appears
    as `out` when it is complete; a run that was killed goes on where it was.

    Args:
        world: The world; see `settings.make_world`.
        out: A folder that does not exist yet, is empty, or holds the same world.
        policy: Fills the lists.
        form: Format of the log.
        workers: Processes, 1..256.
        faults: What the export gets wrong; the clean log then lies in `truth/clean`.
        tell: Called with a line a day.

    Raises:
        UsageError: `out` holds something else or cannot be made, or an argument is out of its range.
        StoreError: Another run is writing `out`.
    """
    out = out.resolve()  # a link stays one: what it leads to is made
    check_asked(form, workers, faults)
    told: dict[str, Any] = {"endcap": __version__, "policy": policy.name, "format": form, "world": asdict(world)}
    told |= {"policy_settings": policy.settings, "faults": asdict(faults) if faults else None}
    if is_there(out, told):
        return _simulated(out, world, is_new=False)
    part = out.with_name(f".{out.name}.part")
    with held(part):
        is_new = not is_there(out, told)  # another run may have completed it just now
        if is_new:
            events = "truth/clean" if faults else "export"
            begin(part, told, (*_FOLDERS, events))
            places = Places(part / events, part / "export", part / "truth", form)
            with crews(world, policy, workers=workers) as hands:
                # The day after a kept state is lived again: a policy that then chose otherwise would not fit the files.
                kept = part / "kept" if policy.is_repeatable else None
                _Run(world, hands, places, kept, tell).go()
            broken = _break(part, faults, world.seed) if faults else {}
            _write_values(places.truth, world)
            _sum_up(places.truth, world, broken)
            complete(part, out, without="kept")
    return _simulated(out, world, is_new=is_new)


def day_alone(world: World, policy: Policy, number: int) -> list[list[pa.Table]]:
    """Return one day's GA4 rows as its files hold them, without writing anything and without the days after it.

    In a world without memory only tastes pass over the days before, but for the two weeks from which something may
    come back; elsewhere all of them are lived through, unwritten.

    Args:
        world: The world.
        policy: Fills the lists.
        number: Of the day, from 0.

    Returns:
        For each block the tables of its file.

    Raises:
        UsageError: The world has no such day.
    """
    if not 0 <= number < world.days:
        raise UsageError(f"a world of {world.days} days has none of number {number}", fix=_FROM_0, code=Code.USAGE)
    goods = make_catalogue(world)
    tastes = make_tastes(world, goods)
    shelves = first_shelves(world, tastes, LawsOfWeeks(world, goods, tastes).of_day(0))
    crew = Crew(world, policy, range(num_blocks(world)))
    for day in range(number):
        if world.is_memoryless and day < number - BACK_WITHIN_DAYS:
            crew.pass_over(day)
        else:
            evening = together(crew.day(day, shelves, None, Till(shelves).ask))
            close_day(world, shelves, day, sold=evening.sold, came_back=evening.came_back, viewed=evening.viewed)
    return crew.rows(number, shelves)


class _Run:
    """A world on its way through the days."""

    def __init__(
        self, world: World, hands: Crews, places: Places, kept: Path | None, tell: Callable[[str], None]
    ) -> None:
        self.world, self.hands, self.places, self.tell = world, hands, places, tell
        self.kept, self.keeps = kept or places.truth, kept is not None
        self.goods: Catalogue = make_catalogue(world)
        tastes: Tastes = make_tastes(world, self.goods)
        self.laws = LawsOfWeeks(world, self.goods, tastes)
        write_world(places.truth, world, self.goods, tastes)
        hands.ask("write_visitors", places)
        self.shelves: Shelves = first_shelves(world, tastes, self.laws.of_day(0))
        self.before = np.zeros((3, world.items), np.int64)

    def go(self) -> None:
        """Go through all days that are not done yet."""
        first = self._take_up()
        for day in range(first, self.world.days):
            keeps = self.keeps and day > 0 and day % _KEPT_EVERY_DAYS == 0 and day > first
            if keeps:
                self._keep()
            self._day(day, writes=True)
            if keeps:
                (self.kept / "next").replace(self.kept / f"{day:05d}")
                self._remove_older()
            self.tell(f"{next_day(self.world.start, day)}, day {day + 1} of {self.world.days}")

    def _day(self, day: int, *, writes: bool) -> None:
        laws = self.laws.of_day(day)
        if writes:
            self._tell_of_range(day, laws)
        evening = self.hands.day(day, self.shelves, self.places if writes else None)
        if writes:
            name = next_day(self.world.start, day).replace("-", "")
            morning = morning_table(open_day(self.world, laws, self.shelves, day), self.shelves.pieces)
            write_parquet(self.places.truth / "mornings" / f"morning_{name}.parquet", [morning])
            write_json(self.places.truth / "days" / f"{name}.json", dict(sorted(evening.counts.items())))
        self.before = self._told(laws)
        close_day(self.world, self.shelves, day, sold=evening.sold, came_back=evening.came_back, viewed=evening.viewed)

    def _told(self, laws: Laws) -> Ints:
        """Return 3 x N of what an inventory tells: whether an item is sold, its pieces, its price."""
        pieces = np.maximum(self.shelves.pieces, 0)
        return np.stack([laws.is_sold, pieces, laws.price_minor]) * laws.is_sold

    def _tell_of_range(self, day: int, laws: Laws) -> None:
        """Write the feed of a day, or what has changed since the day before."""
        name = next_day(self.world.start, day).replace("-", "")
        folder, pieces = self.places.range, self.shelves.pieces
        if day % self.world.feed_every_days == 0:
            write_feed(folder / "feeds" / f"catalog_{name}.tsv", self.goods, laws, pieces)
        which = (self._told(laws) != self.before).any(axis=0)
        write_inventory(folder / "inventory" / f"inventory_{name}.tsv", self.goods, laws, pieces, which)
        if day == self.world.days - 1:
            write_feed(folder / "catalog.tsv", self.goods, laws, pieces)

    def _keep(self) -> None:
        """Keep the state of this morning; it counts once the day is written."""
        folder, shelves = self.kept / "next", self.shelves
        remove_whole(folder)
        folder.mkdir(parents=True)
        self.hands.ask("save", folder)
        with (folder / "shelves.npz").open("wb") as file:
            np.savez(file, pieces=shelves.pieces, full=shelves.full, due=shelves.due, views=shelves.views)

    def _take_up(self) -> int:
        """Take up the latest state that counts; return the first day that is not done."""
        kept = self._states() if self.keeps else []
        if not kept:
            return 0
        with np.load(kept[-1] / "shelves.npz", allow_pickle=False) as there:
            self.shelves = Shelves(there["pieces"], there["full"], there["due"], there["views"])
        self.hands.ask("load", kept[-1])
        day = int(kept[-1].name)
        self._day(day, writes=False)  # it is written; the next one needs what happened after its midnight
        self._remove_older()
        self.tell(f"going on from {next_day(self.world.start, day)}, day {day + 1} of {self.world.days}")
        return day + 1

    def _remove_older(self) -> None:
        """Remove all states but the latest that counts."""
        for older in self._states()[:-1]:
            remove_whole(older)

    def _states(self) -> list[Path]:
        return sorted(path for path in self.kept.glob("[0-9]*") if path.is_dir())


def check_asked(form: str, workers: int, faults: Faults | None) -> None:
    """Refuse what cannot be done before anything is written.

    Raises:
        UsageError: It cannot.
    """
    if form not in FORMATS:
        fix = f"use {', '.join(FORMATS)}"
        raise UsageError(f"there is no format '{form}'; {near(form, FORMATS)}", fix=fix, code=Code.USAGE)
    if not 1 <= workers <= _MOST_WORKERS:
        what = f"a simulation has 1 to {_MOST_WORKERS} workers, not {workers}"
        fix = "leave it out; as many as cores is the most that helps"
        raise UsageError(what, where="--workers", fix=fix, code=Code.USAGE)
    if faults and form != "ga4":
        what = f"faults are for a GA4 export, the format is {form}"
        raise UsageError(what, fix="leave --format or --faults out", code=Code.USAGE)


def _break(part: Path, faults: Faults, seed: int) -> dict[str, int]:
    """Hand over a faulty log in place of the clean one; what was done to it is in `truth/faults`."""
    record, faulty = part / "truth" / "faults", part / "kept" / "faulty"
    for folder in (record, faulty):
        remove_whole(folder)
    counts = break_log(part / "truth" / "clean", faulty, record, faults=faults, seed=seed)
    for path in sorted(faulty.iterdir()):
        path.replace(part / "export" / path.name)
    return counts


def _write_values(truth: Path, world: World) -> None:
    """Write what the policies without memory are worth where that has a closed form; elsewhere lists are added up."""
    if world.is_memoryless and not world.bot_share and world.items <= _MOST_ITEMS_OF_A_VALUE:
        policies: tuple[Policy, ...] = (Popular(), Random())
        write_json(truth / "value.json", {each.name: asdict(value_of(world, each)) for each in policies})


def _sum_up(truth: Path, world: World, broken: dict[str, int]) -> None:
    """Write the sums of all days."""
    total: Counter[str] = Counter()
    for path in sorted((truth / "days").glob("*.json")):
        total.update(read_json(path))
    write_json(truth / "outcome.json", {"visitors": world.visitors, **dict(sorted(total.items())), "faults": broken})


def _simulated(out: Path, world: World, *, is_new: bool) -> Simulated:
    counts = read_json(out / "truth" / "outcome.json")
    broken: dict[str, int] = counts.pop("faults")
    return Simulated(out, world.start, next_day(world.start, world.days - 1), counts, broken, is_new)
