"""What a check for leakage tells: findings under stable names, and a report that says what was looked at."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["LEAKS", "Finding", "LeakageReport", "in_order"]

LEAKS: dict[str, tuple[str, str]] = {
    # Tables of a shop: features.
    "feature-counts-its-day": (
        "a feature of a day counts what happened on that very day",
        "let each window end with the day before: `day_number < day`, not `<=`",
    ),
    "feature-counts-later-days": (
        "a feature of a day counts days after it, or the whole period",
        "join only rows of days before the day; make totals and medians anew for each day",
    ),
    "feature-of-a-later-day": (
        "a row holds the features of a later day",
        "join features of the example's own day; a row of day D knows what was before D, and no more",
    ),
    "feature-counts-a-later-click": (
        "a click that came after midnight is counted for the evening before",
        "count a click on the day it came, not on the day of the list that it belongs to",
    ),
    "price-of-a-later-version": (
        "a price of a day is that of a catalogue version that began on that day or later",
        "take the version with valid_from_us <= instant < valid_to_us",
    ),
    "feature-not-of-its-past": (
        "a feature cannot be had from what was known before its day",
        "make the day's features again (`endcap refresh SHOP --again user_features --again item_features`) and compare",
    ),
    # Tables of a shop: sessions, examples, exposures.
    "history-holds-its-day": (
        "a history holds events of its own day or later",
        "cut histories at the first instant of the day",
    ),
    "history-holds-its-session": (
        "a history holds events that are of its own day by their ids, under earlier instants",
        "take the instants of histories from `events`, in UTC; a shop's local time moves them over midnight",
    ),
    "context-holds-its-target": (
        "a context ends with the very item that is to be guessed",
        "let the context end with the visit before the target's first event",
    ),
    "context-holds-later-items": (
        "a context holds items that the session came to at or after the target",
        "order a session's events by instant before it is cut into context and target",
    ),
    "example-not-of-its-session": (
        "context or target are not those of the session's events",
        "make the examples again: `endcap refresh SHOP --again sequences --again examples`",
    ),
    "label-already-in-the-context": (
        "a label is set by an event that came before the target and is known already",
        "set labels from events at or after the target alone",
    ),
    "label-reaches-beyond-its-session": (
        "a label is set by an event after the session's end, which may lie behind the split",
        "end the label's window with the session",
    ),
    "label-without-its-event": (
        "a label says something else than the session's events",
        "make the examples again: `endcap refresh SHOP --again examples`",
    ),
    "outcome-before-its-exposure": (
        "a list gets the credit for a click, cart or purchase that came before it was shown",
        "credit a list at or before the outcome, never a later one",
    ),
    "outcome-without-its-event": (
        "a list gets the credit for something that its session does not hold",
        "make the exposures again: `endcap refresh SHOP --again exposures`",
    ),
    "event-in-two-sessions": (
        "one event stands in two sessions, so it can be in training and in the test",
        "give every event to one session, then split by session or by instant",
    ),
    "session-doubled": (
        "two sessions hold the same items at the same instants under other ids",
        "drop the copies before the split: `endcap show intake SHOP` tells how many events count as copies",
    ),
    "user-key-of-a-later-login": (
        "events from before a login stand under the user who logged in later on that device",
        "join users as of the event; what a login tells about the past is known from the login on",
    ),
    "user-key-not-its-event's": (
        "a session's event stands in `events` under another user",
        "make the sessions again: `endcap refresh SHOP --again sessions --again sequences`",
    ),
    # Tables of a shop: negatives.
    "negative-from-the-future": (
        "a negative is an item that was first seen on the day or later",
        "draw negatives from the items known before the day",
    ),
    "negatives-know-their-day": (
        "the probabilities of negatives count the day itself",
        "count popularity over the days before the day",
    ),
    "negatives-know-later-days": (
        "the probabilities of negatives count days after the day, or the whole period",
        "count popularity over the days before the day; never over training and test together",
    ),
    "negatives-not-of-their-past": (
        "the probabilities of negatives are not those of what was known before the day",
        "make the examples again: `endcap refresh SHOP --again examples`",
    ),
    "negatives-avoid-the-outcome": (
        "negatives never are what the session came to: whoever drew them knew the outcome",
        "draw from the past alone and let accidental hits stand; models mask the target",
    ),
    # Any frame: what needs no chance.
    "instant-after-the-example": (
        "a column holds instants after the example's own",
        "leave the column out, or take its last value at or before the example",
    ),
    "row-on-both-sides": (
        "rows stand in training and in the test",
        "drop copies before the split",
    ),
    "trained-on-the-future-of-a-test-row": (
        "training holds later rows of the same id than the test does",
        "split by time, or keep all rows of an id on one side",
    ),
    "label-reaches-past-the-split": (
        "labels of training rows were known only after the split",
        "end training one label window before the split",
    ),
    "column-aggregates-later-rows": (
        "a column holds a number over all rows of a group, the later ones too",
        "count up to each row only, or over a period that ended before the first row",
    ),
    "column-encodes-the-label": (
        "a column holds the mean label of a group, the row's own label in it",
        "encode from earlier rows only, or out of fold",
    ),
    "scaled-with-the-test": (
        "a column was scaled with numbers of the test",
        "take mean, deviation and ranks from the training rows, then apply them to the test",
    ),
    "value-changes-with-the-future": (
        "a value of the same row is another one since later data came",
        "compute the column as of the row's instant",
    ),
    # Any frame: what chance could do, at a stated rate.
    "column-tells-the-label": (
        "a column alone tells the label almost perfectly",
        "ask when the column is known; if it is set by the outcome, leave it out",
    ),
    "missingness-tells-the-label": (
        "whether a column is filled tells the label",
        "leave the column out: it is filled by the outcome",
    ),
    "id-tells-the-label": (
        "the order of ids tells the label",
        "give ids when a row begins, and never give them to a model",
    ),
    "row-order-tells-the-label": (
        "the order of rows tells the label",
        "shuffle the rows, or order them by instant, before batches or folds are cut",
    ),
    "column-is-a-clock": (
        "a column is a running number that grows with time, so it tells on which side of a split a row is",
        "leave the column out",
    ),
}
"""Name of each finding -> what it means, what to do. Names stay; docs/leakage.md has a line for each."""


@dataclass(frozen=True)
class Finding:
    """One leak.

    Args:
        name: Its stable name, a key of LEAKS.
        table: Table it was found in; "frame" for a file of the user's.
        column: Column or columns it was found in.
        rows: How many rows have it.
        of_rows: Of how many that were looked at.
        example: One such row, named by days, keyed ids and places; never by a raw id.
        detail: What was seen in it.
    """

    name: str
    table: str
    column: str
    rows: int
    of_rows: int
    example: str
    detail: str

    def __str__(self) -> str:
        """The finding as a user reads it."""
        what, fix = LEAKS[self.name]
        return "\n".join(
            [
                f"{self.name}: {what}",
                f"  where: {self.table}.{self.column}, {self.rows:,} of {self.of_rows:,} rows",
                f"  such as: {self.example}: {self.detail}",
                f"  fix: {fix}",
            ]
        )


@dataclass(frozen=True)
class LeakageReport:
    """What was looked at and what was found.

    Args:
        findings: Leaks, in the order of LEAKS; none is as it should be.
        checks: Names of the leaks that were looked for.
        num_rows: Rows that were looked at.
        left_out: What could not be asked, and why.
        notes: What a reader must know to judge: samples and rates of false alarms.
    """

    findings: tuple[Finding, ...]
    checks: tuple[str, ...]
    num_rows: int
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold; each finding with its meaning and its `fix`."""
        told = [
            {**asdict(finding), "means": LEAKS[finding.name][0], "fix": LEAKS[finding.name][1]}
            for finding in self.findings
        ]
        return {
            "findings": told, "checks": list(self.checks), "num_rows": self.num_rows,
            "left_out": list(self.left_out), "notes": list(self.notes),
        }  # fmt: skip

    def text(self) -> str:
        """Return the findings, or that none was made, then what was left out and what to know."""
        found = len(self.findings)
        head = f"{found or 'no'} finding{'s' * (found != 1)}: {len(self.checks)} kinds of leak looked for"
        lines = [f"{head} in {self.num_rows:,} rows", *(str(finding) for finding in self.findings)]
        return "\n".join(
            [*lines, *(f"left out: {each}" for each in self.left_out), *(f"note: {each}" for each in self.notes)]
        )


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order of LEAKS, then by table and column."""
    order = {name: place for place, name in enumerate(LEAKS)}
    return tuple(sorted(findings, key=lambda each: (order[each.name], each.table, each.column)))
