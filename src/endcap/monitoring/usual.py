"""What is usual: the range in which a figure lies, seen from its own last four weeks.

A figure is put on a scale on which chance has the same size everywhere: the square root for counts (Anscombe 1948), the
arcsine for shares, the logarithm for levels. There it is compared with the median of the same weekday in the last four
weeks and with the median of the last seven days: what is near either is usual. How far is far is told by the changes
from week to week (1.4826 x their median / sqrt 2), which know no weekdays, and is never less than chance alone (Poisson
for counts, binomial for shares) or than what nobody would act on.

False alarms, measured on steady series (tests/monitoring/test_usual.py): a figure leaves its usual range on at most 2
days in 1,000 and is far outside on at most 1; counts that are Poisson's do neither.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["DAYS_LOOKED_AT", "LEAST_DAYS", "Scale", "Usual", "usual"]

DAYS_LOOKED_AT = 28
"""How many days before a day say what is usual on it."""

LEAST_DAYS = 14
"""So many of them must have a value: fewer changes from week to week than seven say too little."""

_FAR = 2.0
"""How many times as far as the border of the usual range is far."""

Floats = NDArray[np.float64]


class Scale(StrEnum):
    """On which scale chance has the same size everywhere."""

    COUNT = "count"
    SHARE = "share"
    LEVEL = "level"
    DISTANCE = "distance"


@dataclass(frozen=True)
class Usual:
    """The usual range of a figure on a day.

    Args:
        low: Least usual value.
        high: Greatest usual value.
        far_low: A value below is far outside.
        far_high: A value above is far outside.
        num_days: On how many days that rests.
    """

    low: float
    high: float
    far_low: float
    far_high: float
    num_days: int


def usual(scale: Scale, history: Sequence[float | None], *, num: float) -> Usual | None:
    """Return what is usual for a figure, or None where too few days are known.

    Args:
        scale: COUNT for numbers of things, SHARE for 0..1, LEVEL for sizes >= 0, DISTANCE for distances >= 0.
        history: Its values of the DAYS_LOOKED_AT days before, oldest first; None where there is none.
        num: How many things a share, level or distance of the day was taken of; counts do not need it.
    """
    values = np.array([math.nan if value is None else value for value in history], np.float64)
    known = int(np.isfinite(values).sum())
    if known < LEAST_DAYS or (scale is not Scale.COUNT and not num > 0):
        return None
    y = _onto(scale, values)
    centres = [float(np.nanmedian(part)) for part in (y[-7:], y[::-1][6::7]) if np.isfinite(part).any()]
    low, high = (min(centres), max(centres)) if centres else (float(np.nanmedian(y)),) * 2
    reach = (3 + 56 / known) * max(_scatter(y), _chance(scale, num, high))
    borders = _back(scale, np.array([low - reach, high + reach, low - _FAR * reach, high + _FAR * reach]))
    least, most, far_low, far_high = (float(border) for border in borders)
    return Usual(least, most, far_low, far_high, known)


def _scatter(y: Floats) -> float:
    """Return the standard deviation of a day, from the changes between days a week apart; robust against outliers."""
    changes = np.abs(y[7:] - y[:-7])
    changes = changes[np.isfinite(changes)]
    if len(changes) >= LEAST_DAYS - 7:
        return float(1.4826 * np.median(changes) / math.sqrt(2))
    return float(1.4826 * np.nanmedian(np.abs(y - np.nanmedian(y))))


def _chance(scale: Scale, num: float, y: float) -> float:
    """Return the least standard deviation to reckon with: chance, and what nobody would act on."""
    if scale is Scale.COUNT:
        return max(1.0, 0.02 * y / 2)  # 2 % of the count
    if scale is Scale.SHARE:
        return max(0.01, 1 / math.sqrt(num))
    if scale is Scale.LEVEL:
        return max(0.05, 1.5 / math.sqrt(num))
    return max(0.02, 0.5 / math.sqrt(num))


def _onto(scale: Scale, x: Floats) -> Floats:
    if scale is Scale.COUNT:
        return 2 * np.sqrt(x + 3 / 8)
    if scale is Scale.SHARE:
        return 2 * np.arcsin(np.sqrt(np.clip(x, 0, 1)))
    return np.log1p(x) if scale is Scale.LEVEL else x


def _back(scale: Scale, y: Floats) -> Floats:
    if scale is Scale.COUNT:
        return np.maximum(0, (np.maximum(y, 0) / 2) ** 2 - 3 / 8)
    if scale is Scale.SHARE:
        return np.sin(np.clip(y, 0, math.pi) / 2) ** 2
    return np.maximum(0, np.expm1(y) if scale is Scale.LEVEL else y)
