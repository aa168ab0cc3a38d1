"""Who comes when: visitors with tastes, their devices and logins, and the sessions they start.

Shapes: U users, S sessions, C categories.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.core.clock import DAY_US, day_start_us
from endcap.simulation.catalogue import NUM_CATEGORIES

__all__ = ["COUNTRIES", "DEVICES", "TRAFFIC", "Visits", "make_visits"]

COUNTRIES = ("United States", "Germany", "United Kingdom", "Japan", "Brazil", "India")
DEVICES = (
    ("mobile", "Android", "Chrome"),
    ("mobile", "iOS", "Safari"),
    ("desktop", "Windows", "Edge"),
    ("desktop", "Macintosh", "Safari"),
    ("tablet", "iOS", "Safari"),
)
TRAFFIC = (
    ("(direct)", "(none)", "(direct)"),
    ("(organic)", "organic", "google"),
    ("spring", "email", "newsletter"),
    ("brand", "cpc", "google"),
)

_SESSIONS_A_DAY = 0.12  # of a user, on average, beside the one that everybody has
_PAGES = 6.0  # mean pages of a session
# Visits by hour of the UTC day: a quiet night, a long evening.
_HOURS = np.array([5, 3, 2, 1, 1, 1, 2, 3, 4, 5, 5, 6, 6, 6, 6, 6, 7, 8, 9, 10, 11, 11, 10, 8], float)
_WEEKDAYS = np.array([0.9, 0.9, 0.95, 1.0, 1.05, 1.2, 1.2])  # Monday first


@dataclass(frozen=True)
class Visits:
    """S sessions in the order of their start.

    Args:
        user: S user numbers.
        cookie: S cookie ids: 19 digits, one for each device of a user.
        login: S customer numbers, -1 where nobody is logged in.
        country: S places in COUNTRIES.
        device: S places in DEVICES.
        traffic: S places in TRAFFIC.
        start_us: S instants, whole milliseconds.
        pages: S numbers of pages looked at, at least 1.
        tastes: U x C, each user's leaning to each category, a logarithm.
    """

    user: NDArray[np.int64]
    cookie: NDArray[np.int64]
    login: NDArray[np.int64]
    country: NDArray[np.int64]
    device: NDArray[np.int64]
    traffic: NDArray[np.int64]
    start_us: NDArray[np.int64]
    pages: NDArray[np.int64]
    tastes: NDArray[np.float64]


def make_visits(users: int, days: int, start: str, rng: np.random.Generator) -> Visits:
    """Invent the visitors and their sessions; each user comes at least once.

    Args:
        users: U.
        days: How many days.
        start: The first day.
        rng: The visitors' own stream.
    """
    activity = rng.gamma(0.7, _SESSIONS_A_DAY / 0.7, users)
    user = np.repeat(np.arange(users), 1 + rng.poisson(activity * days))
    start_us = _starts(len(user), days, start, rng)
    order = np.lexsort((user, start_us))
    user, start_us = user[order], start_us[order]
    sessions = len(user)
    cookies_U2 = rng.integers(10**18, 9 * 10**18, (users, 2))
    devices_U2 = rng.integers(0, len(DEVICES), (users, 2))
    has_account = rng.random(users) < 0.2
    which = (has_account[user] & (rng.random(sessions) < 0.4)).astype(np.int64)  # customers also own a second device
    is_logged_in = has_account[user] & (rng.random(sessions) < 0.7)
    return Visits(
        user=user,
        cookie=cookies_U2[user, which],
        login=np.where(is_logged_in, 10_000 + user, -1),
        country=rng.choice(len(COUNTRIES), users, p=[0.5, 0.15, 0.12, 0.1, 0.07, 0.06])[user],
        device=devices_U2[user, which],
        traffic=rng.choice(len(TRAFFIC), sessions, p=[0.4, 0.35, 0.1, 0.15]),
        start_us=start_us,
        pages=rng.geometric(1 / _PAGES, sessions),
        tastes=np.log(rng.dirichlet(np.full(NUM_CATEGORIES, 0.4), users) + 0.01),
    )


def _starts(sessions: int, days: int, start: str, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw S instants by weekday and hour of the day."""
    first_us = day_start_us(start)
    weekday = (first_us // DAY_US + 3 + np.arange(days)) % 7  # 1970-01-01 was a Thursday
    day = rng.choice(days, sessions, p=_WEEKDAYS[weekday] / _WEEKDAYS[weekday].sum())
    hour = rng.choice(24, sessions, p=_HOURS / _HOURS.sum())
    within_ms = rng.integers(0, 3_600_000, sessions)
    return first_us + day * DAY_US + hour * 3_600_000_000 + within_ms * 1_000
