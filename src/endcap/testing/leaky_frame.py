"""A clean training frame in memory, and mistakes that people make with one: what a check for leakage must find."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.core.clock import DAY_US, day_start_us
from endcap.features.leakage_frame import FrameRoles

__all__ = ["FRAME_MISTAKES", "MORE_FRAME_MISTAKES", "ROLES", "FrameMistake", "clean_frame"]

ROLES = FrameRoles(label="bought", at="at_us", id="session_id", split="part", known_at="label_known_us")
"""What the columns of the clean frame are for."""

_FIRST_US = day_start_us("2016-09-01")
_SPLIT_US = day_start_us("2016-09-12")
_NUM_DAYS, _NUM_SESSIONS, _NUM_ITEMS = 14, 2_400, 60
_SECOND_US = 1_000_000


def clean_frame(*, seed: int = 17) -> pa.Table:
    """Return steps of sessions with what was known at each of them, and whether the item was bought within the hour.

    Sessions after the twelfth day are the test; training rows whose label was known later than that are left out. Every
    feature helps, and none tells the label.

    Args:
        seed: Of what happens.
    """
    rng = np.random.default_rng(seed)
    length = rng.integers(1, 9, _NUM_SESSIONS)
    session = np.repeat(np.arange(_NUM_SESSIONS), length)
    step = np.arange(len(session)) - np.repeat(np.cumsum(length) - length, length)
    start_us = _FIRST_US + rng.integers(0, _NUM_DAYS * DAY_US - DAY_US // 4, _NUM_SESSIONS)
    at_us = start_us[session] + step * 40 * _SECOND_US + rng.integers(0, 30 * _SECOND_US, len(session))
    item = (rng.random(len(session)) ** 2 * _NUM_ITEMS).astype(np.int64)
    price = np.round(rng.lognormal(3, 0.4, _NUM_ITEMS), 2)[item] + np.round(rng.normal(0, 0.5, len(session)), 2)
    rate = rng.beta(2, 8, _NUM_ITEMS)[item] + rng.normal(0, 0.01, len(session))
    taste = rng.normal(size=_NUM_SESSIONS)[session]
    days_since = np.where(rng.random(len(session)) < 0.4, np.nan, rng.exponential(9, _NUM_SESSIONS)[session])
    bought = rng.random(len(session)) < 1 / (1 + np.exp(2.2 - taste - 4 * rate - 0.1 * step + 0.2 * np.log(price)))
    names = np.array([f"{number:08x}" for number in rng.permutation(2**20)[:_NUM_SESSIONS]])
    frame = pa.table(
        {
            "session_id": names[session],
            "at_us": at_us,
            "item_id": [f"I{number:02d}" for number in item],
            "device": rng.choice(["mobile", "desktop", "tablet"], _NUM_SESSIONS)[session],
            "steps_so_far": step,
            "price": price,
            "item_rate": rate,
            "taste": np.round(taste + rng.normal(0, 0.5, len(session)), 3),
            "days_since_last": pa.array(days_since, from_pandas=True),
            "session_began_us": start_us[session],
            "bought": bought,
            "label_known_us": at_us + 3_600 * _SECOND_US,
        }
    )
    frame = frame.append_column("part", pa.array(np.where(start_us[session] < _SPLIT_US, "train", "test")))
    kept = pc.or_(pc.equal(frame["part"], "test"), pc.less(frame["label_known_us"], _SPLIT_US))
    return frame.filter(kept).sort_by([("at_us", "ascending"), ("session_id", "ascending")])


def _put(frame: pa.Table, name: str, values: object) -> pa.Table:
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    place = frame.column_names.index(name) if name in frame.column_names else -1
    return frame.append_column(name, array) if place < 0 else frame.set_column(place, name, array)


def _labels(frame: pa.Table) -> NDArray[np.float64]:
    return np.asarray(frame["bought"].cast(pa.int8()), np.float64)


def _codes(frame: pa.Table, name: str) -> NDArray[np.int64]:
    return np.unique(np.array(frame[name].to_pylist(), str), return_inverse=True)[1]


def _label_with_noise(frame: pa.Table) -> pa.Table:
    """The outcome's value is joined by mistake: the label with a little noise."""
    rng = np.random.default_rng(1)
    return _put(frame, "basket_value", _labels(frame) + rng.normal(0, 0.2, len(frame)))


def _order_number(frame: pa.Table) -> pa.Table:
    """The order's number is a feature: only buyers have one."""
    labels = _labels(frame)
    number = np.random.default_rng(2).permutation(len(frame)) + 5_000.0
    return _put(frame, "order_number", pa.array(np.where(labels > 0, number, np.nan), from_pandas=True))


def _session_length(frame: pa.Table) -> pa.Table:
    """The length of the whole session is a feature of each of its steps."""
    session = _codes(frame, "session_id")
    return _put(frame, "session_length", np.bincount(session)[session])


def _popularity_of_all_rows(frame: pa.Table) -> pa.Table:
    """Popularity is counted over training and test together."""
    item = _codes(frame, "item_id")
    return _put(frame, "popularity", np.bincount(item)[item])


def _target_encoding(frame: pa.Table) -> pa.Table:
    """Items are encoded by their share of buyers over all rows, drawn to the mean."""
    item, labels = _codes(frame, "item_id"), _labels(frame)
    positive, num = np.bincount(item, weights=labels), np.bincount(item)
    return _put(frame, "item_encoded", ((positive + 20 * labels.mean()) / (num + 20))[item])


def _rows_split_at_random(frame: pa.Table) -> pa.Table:
    """Rows are parted at random, so that most sessions are on both sides."""
    return _put(frame, "part", np.random.default_rng(3).choice(["train", "test"], len(frame), p=[0.8, 0.2]))


def _scaled_over_all_rows(frame: pa.Table) -> pa.Table:
    """Prices are scaled by mean and deviation of all rows."""
    price = np.asarray(frame["price"], np.float64)
    return _put(frame, "price", (price - price.mean()) / price.std())


def _rows_copied(frame: pa.Table) -> pa.Table:
    """Some of the test rows are in training, too, under another session id."""
    test = frame.filter(pc.equal(frame["part"], "test")).slice(0, 200)
    copies = _put(
        _put(test, "part", ["train"] * len(test)), "session_id", [f"copy{place}" for place in range(len(test))]
    )
    return pa.concat_tables([frame, copies])


def _rows_in_the_order_of_the_label(frame: pa.Table) -> pa.Table:
    """Buyers were appended to the others."""
    return frame.sort_by([("bought", "ascending"), ("at_us", "ascending")])


def _last_seen_of_the_whole_period(frame: pa.Table) -> pa.Table:
    """The session's last instant is joined to each of its steps."""
    session, at_us = _codes(frame, "session_id"), np.asarray(frame["at_us"], np.int64)
    last = np.zeros(session.max() + 1, np.int64)
    np.maximum.at(last, session, at_us)
    return _put(frame, "last_seen_us", last[session])


def _labels_of_a_week(frame: pa.Table) -> pa.Table:
    """Labels wait a week, and the split does not."""
    return _put(frame, "label_known_us", pc.add(frame["at_us"], 7 * DAY_US))


def _ids_by_outcome(frame: pa.Table) -> pa.Table:
    """Ids are given when rows are stored: the sessions of buyers first."""
    order = np.lexsort((np.random.default_rng(4).random(len(frame)), -_labels(frame)))
    number = np.empty(len(frame), np.int64)
    number[order] = np.arange(len(frame))
    return _put(frame, "session_id", number)


def _running_number(frame: pa.Table) -> pa.Table:
    """The number of the row in the log is a feature."""
    return _put(frame, "log_number", np.arange(len(frame)) * 3 + 100_000)


@dataclass(frozen=True)
class FrameMistake:
    """Something that people do.

    Args:
        make: Makes the frame come out as it does then.
        leak: Name of the leak that must be found.
        column: Column that it must be found in.
    """

    make: Callable[[pa.Table], pa.Table]
    leak: str
    column: str


FRAME_MISTAKES: dict[str, FrameMistake] = {
    "label column copied with noise": FrameMistake(_label_with_noise, "column-tells-the-label", "basket_value"),
    "order number as a feature": FrameMistake(_order_number, "missingness-tells-the-label", "order_number"),
    "session length as a feature of its steps": FrameMistake(
        _session_length, "column-aggregates-later-rows", "session_length"
    ),
    "target encoding over all rows": FrameMistake(_target_encoding, "column-encodes-the-label", "item_encoded"),
    "rows of sessions split at random": FrameMistake(
        _rows_split_at_random, "trained-on-the-future-of-a-test-row", "split"
    ),
    "scaled over all rows": FrameMistake(_scaled_over_all_rows, "scaled-with-the-test", "price"),
    "rows copied over the split": FrameMistake(_rows_copied, "row-on-both-sides", "all columns"),
    "ids given by outcome": FrameMistake(_ids_by_outcome, "id-tells-the-label", "id"),
}
"""Eight mistakes: what somebody did -> how the frame comes out, and what must be found in it."""

MORE_FRAME_MISTAKES: dict[str, FrameMistake] = {
    "popularity over training and test": FrameMistake(
        _popularity_of_all_rows, "column-aggregates-later-rows", "popularity"
    ),
    "rows in the order of the label": FrameMistake(
        _rows_in_the_order_of_the_label, "row-order-tells-the-label", "row order"
    ),
    "last seen of the whole period": FrameMistake(
        _last_seen_of_the_whole_period, "instant-after-the-example", "last_seen_us"
    ),
    "labels of a week up to the split": FrameMistake(
        _labels_of_a_week, "label-reaches-past-the-split", "label_known_us"
    ),
    "a running number as a feature": FrameMistake(_running_number, "column-is-a-clock", "log_number"),
}
"""Five more."""
