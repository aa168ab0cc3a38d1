"""Are the presets of the simulated shop like the shops they are named after?

`python -m benchmarks.calibration [--quick] [--out FILE]`; without `--quick` it also writes the table into
docs/simulation.md. Real figures: Retailrocket and OTTO as published with the sets; the Google Merchandise Store, August
and September 2016, counted from its export.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import arguments, report
from endcap.simulation.block import DayOfBlock
from endcap.simulation.in_memory import live
from endcap.simulation.policies import Popular
from endcap.simulation.settings import World, make_world

__all__ = ["GMERCH_HOURS", "Counted", "counted"]

Ints = NDArray[np.int64]

_PAGE = Path(__file__).parents[1] / "docs" / "simulation.md"
_BEGIN, _END = "<!-- figures: made by benchmarks/calibration.py -->", "<!-- end of figures -->"

GMERCH_HOURS = np.array(
    (
        *(4.48, 3.96, 4.19, 4.10, 3.76, 3.85, 3.04, 2.53, 1.95, 1.68, 1.57, 1.89),
        *(2.37, 3.20, 4.58, 5.89, 5.69, 6.45, 6.53, 6.09, 6.39, 5.38, 5.60, 4.83),
    )
)


@dataclass
class Counted:
    """What was done in a world, over all days.

    Args:
        views: Items viewed.
        carts: Items put into carts.
        lines: Lines paid.
        lists: Lists shown.
        by_visitor: U views, carts and lines of each visitor.
        by_item: N of each item.
        by_place: L clicks at each place.
        by_hour: 24 views by people in each hour of the UTC day.
        gaps_s: Seconds between successive events of people's sessions.
    """

    views: int
    carts: int
    lines: int
    lists: int
    by_visitor: Ints
    by_item: Ints
    by_place: Ints
    by_hour: Ints
    gaps_s: NDArray[np.float64]

    @property
    def events(self) -> int:
        """Views, carts and lines."""
        return self.views + self.carts + self.lines


def counted(world: World) -> Counted:
    """Live through a world of one block in memory, and count."""
    visitors, items, places, hours = (
        np.zeros(size, np.int64) for size in (world.visitors, world.items, world.places, 24)
    )
    found = Counted(0, 0, 0, 0, visitors, items, places, hours, np.zeros(0))
    gaps = []
    for each in live(world, Popular()):
        lived, made, size = each.lived, each.lived.made, world.items
        paid = made.lines.page[made.lines.is_paid]
        pages = np.concatenate([np.flatnonzero(made.item >= 0), np.flatnonzero(made.is_carted), paid])
        found.views += int((made.item >= 0).sum())
        found.carts += int(made.is_carted.sum())
        found.lines += len(paid)
        found.lists += int(made.is_list.sum())
        found.by_visitor += np.bincount(made.sessions.visitor[made.session[pages]], minlength=world.visitors)
        found.by_item += np.bincount(made.item[pages], minlength=size)
        found.by_place += np.bincount(made.place[made.place >= 0], minlength=world.places)
        people = ~made.people.is_bot[made.sessions.visitor[made.session]] & (made.item >= 0)
        found.by_hour += np.bincount(made.view_us[people] // 3_600_000_000 % 24, minlength=24)
        gaps.append(_gaps_s(lived))
    found.gaps_s = np.concatenate(gaps)
    return found


def _gaps_s(lived: DayOfBlock) -> NDArray[np.float64]:
    """Return the seconds between successive events of people's sessions."""
    log, made = lived.log, lived.made
    people = ~np.isin(log.cookie, made.people.cookie[made.people.is_bot])
    order = np.lexsort((log.at_us, log.session_us, log.cookie))
    order = order[people[order]]
    same = (np.diff(log.cookie[order]) == 0) & (np.diff(log.session_us[order]) == 0)
    gaps: NDArray[np.float64] = np.diff(log.at_us[order])[same] / 1e6
    return gaps


def main() -> int:
    """Count, compare and report."""
    options = arguments(__doc__)
    retailrocket, otto = counted(make_world("retailrocket")), counted(make_world("otto", scale=0.01))
    rows = _rows(retailrocket, otto, counted(make_world("small")))
    table = "\n".join(["| what | real | simulated |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)])
    print(table, file=sys.stderr)
    if not options.quick:
        page = _PAGE.read_text(encoding="utf-8")
        head, tail = page.split(_BEGIN)[0], page.split(_END)[1]
        _PAGE.write_text(f"{head}{_BEGIN}\n{table}\n{_END}{tail}", encoding="utf-8")
    report("calibration", {what: ours for what, _, ours in rows}, options)
    return 0


def _rows(retailrocket: Counted, otto: Counted, small: Counted) -> list[tuple[str, str, str]]:
    """Return what is compared, the real figures and ours."""
    seen = otto.by_item[otto.by_item > 0]
    through = 100 * small.by_place / small.lists
    hours = small.by_hour / small.by_hour.sum()
    apart = np.abs(hours - GMERCH_HOURS / GMERCH_HOURS.sum()).sum() / 2
    return [
        ("Retailrocket: visitors", "1,407,580", f"{(retailrocket.by_visitor > 0).sum():,}"),
        (
            "Retailrocket: views, carts, order lines",
            "2,664,312, 69,332, 22,457",
            f"{retailrocket.views:,}, {retailrocket.carts:,}, {retailrocket.lines:,}",
        ),
        ("Retailrocket: carts a view, order lines a cart", "2.60 %, 32.4 %", _rates(retailrocket)),
        ("Retailrocket: events a visitor", "1.96", f"{retailrocket.events / len(retailrocket.by_visitor):.2f}"),
        (
            "Retailrocket: items seen",
            "235,061",
            f"{(retailrocket.by_item > 0).sum():,} of {len(retailrocket.by_item):,}",
        ),
        ("OTTO, 1 % of its size: carts a view, order lines a cart", "8.68 %, 30.2 %", _rates(otto)),
        ("OTTO: events a visitor", "16.8", f"{otto.events / len(otto.by_visitor):.1f}"),
        (
            "OTTO: events a visitor, p50, p75, p90, p95",
            "6, 15, 39, 68",
            _percentiles(otto.by_visitor, (50, 75, 90, 95), 0),
        ),
        (
            "OTTO: events an item over the mean, p50, p75, p90, p95",
            "0.17, 0.48, 1.57, 3.41",
            _percentiles(seen / seen.mean(), (50, 75, 90, 95), 2),
        ),
        (
            "Merchandise Store (preset small): click-through at place 1, 2, 6",
            "3.7 %, 2.3 %, 1.25 %",
            ", ".join(f"{through[place]:.2f} %" for place in (0, 1, 5)),
        ),
        (
            "Merchandise Store: views by hour of the UTC day",
            "least at 10 h, most at 18 h",
            f"least at {hours.argmin()} h, most at {hours.argmax()} h; total variation distance {apart:.3f}",
        ),
        (
            "Merchandise Store: seconds between events of a session, p25, p50, p75, p90, p99",
            "5.4, 14.0, 31.2, 64.5, 536.0",
            _percentiles(small.gaps_s, (25, 50, 75, 90, 99), 1),
        ),
        (
            "Merchandise Store: rows of lists an event",
            "about 20",
            f"{small.lists * len(small.by_place) / small.events:.1f}",
        ),
    ]


def _rates(found: Counted) -> str:
    return f"{100 * found.carts / found.views:.2f} %, {100 * found.lines / found.carts:.1f} %"


def _percentiles(values: NDArray[np.float64] | Ints, which: tuple[int, ...], digits: int) -> str:
    return ", ".join(f"{each:.{digits}f}" for each in np.percentile(values, which))


if __name__ == "__main__":
    sys.exit(main())
