"""The report of a comparison as a folder: report.md, report.html, figures as PNG and SVG, compare.json.

Seconds are measured, so they differ from run to run. `report.md` and `quality.svg` hold none of them: the same file,
arguments and models give the same bytes. `time.svg`, `report.html` and `compare.json` do hold them.
"""

import json
from importlib import import_module
from pathlib import Path

from endcap.core.errors import Code, UsageError
from endcap.flows.compare_figures import FIGURES, draw
from endcap.flows.compare_html import report_html
from endcap.flows.comparison import Comparison
from endcap.flows.shop import write_atomically
from endcap.models.evaluation_text import (
    Rows,
    conclusions,
    lists_rows,
    main_measure,
    measure_rows,
    slice_rows,
    slices_told,
    told,
    verdicts,
)

__all__ = ["HTML_FILE", "JSON_FILE", "MARKDOWN_FILE", "prepare_report", "report_markdown", "write_report"]

HTML_FILE, MARKDOWN_FILE, JSON_FILE = "report.html", "report.md", "compare.json"


def prepare_report(folder: Path) -> None:
    """Make sure, before any model is fitted, that a report can be written into a folder.

    Raises:
        UsageError: matplotlib is not installed or cannot be loaded, or the folder cannot be made.
    """
    try:
        for name in ("matplotlib", "matplotlib.figure"):
            import_module(name)
    except ImportError as error:
        is_missing = isinstance(error, ModuleNotFoundError) and error.name == "matplotlib"
        raise UsageError(
            "the figures of a report need matplotlib, which "
            + ("is not installed" if is_missing else f"is installed and cannot be loaded: {error}"),
            where="--out",
            fix=("" if is_missing else "install it anew: ") + "pip install 'endcap[reports]', or leave --out away",
            code=Code.USAGE,
        ) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"this folder cannot be made: {error.strerror}",
            where=str(folder),
            fix="give --out a folder that you may write",
            code=Code.USAGE,
        ) from error


def write_report(found: Comparison, folder: Path) -> None:
    """Write the report into an existing folder; what an earlier one left there is replaced.

    Args:
        found: What the comparison found.
        folder: See `prepare_report`.
    """
    draw(found.evaluation, folder)
    figures = {name: (folder / f"{name}.svg").read_bytes() for name in FIGURES}
    plain = json.dumps(found.to_plain(), indent=1, allow_nan=False) + "\n"
    write_atomically(folder / JSON_FILE, plain.encode())
    write_atomically(folder / MARKDOWN_FILE, report_markdown(found).encode())
    write_atomically(folder / HTML_FILE, report_html(found, figures).encode())


def report_markdown(found: Comparison) -> str:
    """Return the report as Markdown, without any second."""
    evaluation = found.evaluation
    slices = [f"`{name}`: {said}" for name, said in slices_told(evaluation).items()]
    parts = [
        "# Models compared", *_listed(conclusions(evaluation)), f"{told(evaluation)}.",
        f"![{_alt('quality', found)}](quality.svg)",
        "## Hits", _table(measure_rows(evaluation)), *_listed(verdicts(evaluation)),
        "## Lists", _table(lists_rows(evaluation)),
        "## Slices", _table(slice_rows(evaluation)), *_listed(slices),
        "## Time", "Seconds are measured, so they stand in `compare.json` and `report.html`, not here.",
        f"![{_alt('time', found)}](time.svg)",
        *_listed([f"{name} has no measures: see `compare.json`" for name in evaluation.not_fitted]),
        "## How it was measured", *_listed([*found.asked_told(), *found.notes()]),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _alt(name: str, found: Comparison) -> str:
    return FIGURES[name].alt.format(measure=main_measure(found.evaluation))


def _table(rows: Rows) -> str:
    head, *body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    line = "|" + "|".join([" :-- ", *[" --: "] * (len(rows[0]) - 1)]) + "|"
    return "\n".join([head, line, *body])


def _listed(lines: list[str]) -> list[str]:
    return ["\n".join(f"- {line}" for line in lines)] if lines else []
