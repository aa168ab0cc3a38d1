"""Tables for a terminal: heads, right-hand numbers, no frames."""

from collections.abc import Sequence
from typing import Any

__all__ = ["table"]


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows under heads, columns two blanks apart; numbers stand to the right, None is a dash.

    >>> print(table(["item", "price"], [["Mug", 12.5], ["Pen", None]]))
    item   price
    Mug   12.500
    Pen        -
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(head), *(len(row[at]) for row in cells)) if cells else len(head) for at, head in enumerate(heads)]
    numeric = [all(_is_number(row[at]) for row in rows) for at in range(len(heads))]

    def line(values: Sequence[str]) -> str:
        put = [
            value.rjust(width) if right else value.ljust(width)
            for value, width, right in zip(values, widths, numeric, strict=True)
        ]
        return "  ".join(put).rstrip()

    return "\n".join([line(list(heads)), *(line(row) for row in cells)])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | None) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
