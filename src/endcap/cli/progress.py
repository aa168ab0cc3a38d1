"""How a run is told while it goes on: a moving line on a terminal, plain lines elsewhere, nothing with `--json`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from endcap.flows.flow import StepReport

__all__ = ["lines_told", "told"]

_WIDTH = 16


@contextmanager
def told(*, quiet: bool) -> Iterator[Callable[[StepReport], None]]:
    """Give a function that tells each report, for the length of the block.

    Args:
        quiet: Tell nothing, because JSON is wanted.
    """
    if quiet:
        yield lambda _report: None
    elif sys.stderr.isatty():
        with _moving() as tell:
            yield tell
    else:
        yield _plain


@contextmanager
def lines_told() -> Iterator[Callable[[str], None]]:
    """Give a function that tells lines, for the length of the block: on a terminal the latest one, elsewhere each."""
    if not sys.stderr.isatty():
        yield lambda line: print(line, file=sys.stderr, flush=True)
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it

    with Console(stderr=True, highlight=False).status("") as status:
        yield status.update


def _plain(report: StepReport) -> None:
    if report.state not in ("started", "under way"):
        print(_line(report), file=sys.stderr, flush=True)


@contextmanager
def _moving() -> Iterator[Callable[[StepReport], None]]:
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it

    console = Console(stderr=True, highlight=False)
    with console.status("") as status:

        def tell(report: StepReport) -> None:
            if report.state == "started":
                days = f", {report.partitions} partitions" if report.partitions > 1 else ""
                status.update(f"{report.step}{days} ...")
            elif report.state == "under way":
                status.update(f"{report.step}: {report.note} ...")
            elif report.state == "waiting":
                status.update(f"{report.step} waits {report.note} ...")
            else:
                console.print(_line(report), markup=False)

        yield tell


def _line(report: StepReport) -> str:
    """Return one step's line.

    >>> _line(StepReport("ingest", "done", partitions=3, seconds=1.25, rows=1200, note="12 quarantined"))
    'ingest              1.2 s  3 partitions, 1,200 rows; 12 quarantined'
    """
    if report.state in ("waiting", "again"):
        return f"{report.step:<{_WIDTH}}    {'waits' if report.state == 'waiting' else 'failed,'} {report.note}"
    if report.state == "unchanged":
        return f"{report.step:<{_WIDTH}} {report.seconds:6.1f} s  unchanged"
    what = [
        f"{report.partitions} partitions" if report.partitions > 1 else "",
        f"{report.rows:,} rows" * bool(report.rows),
    ]
    told = ", ".join(each for each in what if each)
    return f"{report.step:<{_WIDTH}} {report.seconds:6.1f} s  " + "; ".join(
        each for each in (told, report.note) if each
    )
