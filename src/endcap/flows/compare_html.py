"""The report of a comparison as one page of HTML that needs nothing else: no script, no font, no other file."""

from base64 import b64encode
from collections.abc import Mapping
from html import escape

from endcap.flows.compare_figures import FIGURES
from endcap.flows.comparison import Comparison
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

__all__ = ["report_html"]

_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 60rem; color: #222; background: #fff;
  font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
.lead { font-size: 1.1rem; margin: .25rem 0; }
.asked { color: #555; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
caption { text-align: left; color: #555; padding-bottom: .35rem; }
th, td { padding: .32rem .75rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
thead th { border-bottom: 2px solid #888; }
th:first-child { text-align: left; padding-left: 0; }
tbody th { font-weight: 600; }
figure { margin: 1rem 0; }
figure img { max-width: 100%; height: auto; }
figcaption { color: #555; font-size: .9rem; }
:focus-visible { outline: 3px solid #0072B2; }
"""


def report_html(found: Comparison, figures: Mapping[str, bytes]) -> str:
    """Return the page.

    Args:
        found: What the comparison found.
        figures: Name of a figure -> its SVG.
    """
    evaluation = found.evaluation
    main = main_measure(evaluation)
    parts = [
        "<h1>Models compared</h1>", *map(_lead, conclusions(evaluation)),
        f'<p class="asked">{escape(told(evaluation))}.</p>', _figure("quality", main, figures),
        "<h2>Hits</h2>", _table(measure_rows(evaluation), "How well the next item is found; higher is better."),
        _listed(verdicts(evaluation)),
        "<h2>Lists</h2>", f"<p>{_LISTS_TOLD}</p>",
        _table(lists_rows(evaluation), "What the lists are like."),
        "<h2>Slices</h2>", _table(slice_rows(evaluation), f"{main} on the cases of one kind."),
        _listed([f"{name}: {said}" for name, said in slices_told(evaluation).items()]),
        "<h2>Time</h2>", _figure("time", main, figures),
        f"<p>Fitted in: {escape(found.seconds_told())}.</p>", _listed(found.not_fitted_told()),
        "<h2>How it was measured</h2>", _listed([*found.asked_told(), *found.notes()]),
    ]  # fmt: skip
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Models compared</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n"
        "</html>\n"
    )


_LISTS_TOLD = (
    "Coverage: share of all items in at least one list; gini: 0 where all items are listed "
    "alike, near 1 where few are; novelty: bits of surprise an item; popularity: mean share that an item has of all "
    "training events; diversity: share of pairs of two categories."
)


def _figure(name: str, measure: str, figures: Mapping[str, bytes]) -> str:
    kind = FIGURES[name]
    source = "data:image/svg+xml;base64," + b64encode(figures[name]).decode()
    alt = escape(kind.alt.format(measure=measure))
    return f'<figure><img src="{source}" alt="{kind.title}: {alt}"><figcaption>{kind.title}</figcaption></figure>'


def _table(rows: Rows, caption: str) -> str:
    head, *body = rows
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = [
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in body
    ]
    # A table that is wider than the window is scrolled, by the keyboard too.
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(head[0])}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>\n"
        + "\n".join(lines) + "\n</tbody></table></div>"
    )  # fmt: skip


def _lead(line: str) -> str:
    return f'<p class="lead">{escape(line[0].upper() + line[1:])}.</p>'


def _listed(lines: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else ""
