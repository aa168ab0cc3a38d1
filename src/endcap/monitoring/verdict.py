"""The one place where numbers become conclusions. Pages, tables and messages show its sentences and add none."""

from enum import StrEnum

import msgspec

__all__ = ["VERDICTS", "Check", "Tone", "verdict"]


class Tone(StrEnum):
    """How serious a conclusion is."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class Check(msgspec.Struct, frozen=True):
    """One conclusion.

    Args:
        name: What was looked at.
        state: Which of the check's states it is in.
        tone: How serious that is.
        sentence: The conclusion with its numbers.
        value: The number that was judged; None where there is none.
    """

    name: str
    state: str
    tone: Tone
    sentence: str
    value: float | None = None


_GOOD, _WARN, _BAD = Tone.GOOD, Tone.WARN, Tone.BAD

# The sentences of checks whose warning and alarm differ by the limit alone.
_VOLUME_OFF = "{through} has {count:,} events, {value:.2f} times the mean of {before}: more than {limit:g} times off."
_MIX_OFF = (
    "The event names of {through} differ from {before} by {value:.3f} bits, more than {limit:g}; "
    "most of all {event_name}: {share:.1%} after {share_before:.1%}."
)
_QUARANTINE = (
    "{count:,} of {num_rows:,} rows ({value:.2%}) are in quarantine, more than {limit:.2%}, most for {reason}."
)
_QUALITY = "{measure} is {now:.4f} after {earlier:.4f} of the bundle before: {value:.1%} lower, more than {limit:.1%}."
_INDEX = "The index finds {recall:.2%} of the exact best items: it loses more than {limit:.1%}."
_PRICES = "{count:,} of {num_items:,} items ({value:.1%}) have no price, more than {limit:.0%}."
_STOCK = "{count:,} of {num_items:,} items ({value:.1%}) are out of stock, more than {limit:.0%}."
_DATA_OFF = "{num_off} of {num} figures of {day} are outside their usual range; first of all: {worst}."
_SILENT = "No event in hours that usually have some: {hours} (UTC)."
_FEATURES = "The features know events through {features_through}, those of {through} are missing."

VERDICTS: dict[str, dict[str, tuple[Tone, str]]] = {
    "freshness": {
        "fresh": (_GOOD, "The newest event is {value:.1f} h before the end of {through}."),
        "late": (_WARN, "The newest event is {value:.1f} h before the end of {through}: the day may not be complete."),
        "stale": (_BAD, "The newest event is {value:.1f} h before the end of {through}: the day is not complete."),
        "empty": (_BAD, "There is no event up to {through}."),
    },
    "lag": {
        "current": (_GOOD, "The data ends {value:.1f} days ago."),
        "behind": (_WARN, "The data ends {value:.1f} days ago, more than {limit:g} days: a refresh is missing."),
        "left_behind": (_BAD, "The data ends {value:.1f} days ago, more than {limit:g} days: recommendations are old."),
        "replay": (_WARN, "The data ends {value:.0f} days ago, more than {limit:g}: taken for a replay of history."),
    },
    "volume": {
        "steady": (_GOOD, "{through} has {count:,} events, {value:.2f} times the mean of {before}."),
        "first": (_GOOD, "{through} has {count:,} events; there are no days before to compare with."),
        "unusual": (_WARN, _VOLUME_OFF),
        "broken": (_BAD, _VOLUME_OFF),
        "empty": (_BAD, "{through} has no events; {before} have some."),
    },
    "mix": {
        "steady": (_GOOD, "The event names of {through} are as in {before} ({value:.4f} bits)."),
        "first": (_GOOD, "There are no days to compare the event names of {through} with."),
        "shifted": (_WARN, _MIX_OFF),
        "broken": (_BAD, _MIX_OFF),
    },
    "quarantine": {
        "clean": (_GOOD, "No row of {num_rows:,} is in quarantine."),
        "few": (_GOOD, "{count:,} of {num_rows:,} rows ({value:.2%}) are in quarantine, most for {reason}."),
        "many": (_WARN, _QUARANTINE),
        "too_many": (_BAD, _QUARANTINE),
    },
    "sources": {
        "read": (_GOOD, "All files of the source can be read."),
        "bad": (_BAD, "{days} on without what came: it is empty, damaged or mostly bad."),
        "refused": (_BAD, "{files} of the source cannot be read, {first} first: {days} on without what came."),
    },
    "quality": {
        "kept": (_GOOD, "{measure} is {now:.4f} after {earlier:.4f} of the bundle before."),
        "first": (_GOOD, "{measure} is {now:.4f}; there is no bundle before to compare with."),
        "lower": (_WARN, _QUALITY),
        "much_lower": (_BAD, _QUALITY),
        "unknown": (_WARN, "{measure} could not be measured: the test days have too few cases."),
    },
    "index": {
        "exact": (_GOOD, "The index finds {recall:.2%} of the exact best items."),
        "lossy": (_WARN, _INDEX),
        "broken": (_BAD, _INDEX),
        "none": (_GOOD, "No model of this bundle needs an index."),
    },
    "prices": {
        "known": (_GOOD, "{count:,} of {num_items:,} items ({value:.1%}) have no price."),
        "missing": (_WARN, _PRICES),
        "mostly_missing": (_BAD, _PRICES),
        "no_items": (_BAD, "There are no items."),
    },
    "stock": {
        "stocked": (_GOOD, "{count:,} of {num_items:,} items ({value:.1%}) are out of stock."),
        "thin": (_WARN, _STOCK),
        "sold_out": (_BAD, _STOCK),
        "no_items": (_BAD, "There are no items."),
    },
    "features": {
        "current": (_GOOD, "The features know all events through {features_through}."),
        "behind": (_WARN, _FEATURES),
        "left_behind": (_BAD, _FEATURES),
        "none": (_BAD, "There are no features."),
    },
    "data": {
        "usual": (_GOOD, "All {num} figures of {day} are as usual."),
        "changed": (_WARN, _DATA_OFF),
        "broken": (_BAD, _DATA_OFF),
        "young": (_GOOD, "{num_days} days before {day} are too few to say what is usual: {needed} are needed."),
    },
    "figure": {
        "usual": (_GOOD, "{figure}: {shown}, usually {low} to {high}."),
        "unusual": (_WARN, "{figure}: {shown}, usually {low} to {high}."),
        "far": (_BAD, "{figure}: {shown}, usually {low} to {high}: far outside."),
        "young": (_GOOD, "{figure}: {shown}, and {num_days} days with a value say too little about what is usual."),
    },
    "hours": {
        "full": (_GOOD, "Every hour that usually has events has some."),
        "silent": (_WARN, _SILENT),
        "dark": (_BAD, _SILENT),
        "young": (_GOOD, "{num} hours have no event, and too few days say whether that is usual."),
    },
    "days": {
        "complete": (_GOOD, "None of the {num_days} days before is missing."),
        "gaps": (_WARN, "Of the four weeks before, these days have no data: {days}."),
    },
    "overall": {
        "healthy": (_GOOD, "All {num_checks} checks are good."),
        "watch": (_WARN, "Of {num_checks} checks {num_warn} came out with a warning: {warn_names}."),
        "act": (_BAD, "Of {num_checks} checks {num_bad} came out bad: {bad_names}."),
        "act_and_watch": (
            _BAD,
            "Of {num_checks} checks {num_bad} came out bad: {bad_names}; {num_warn} with a warning: {warn_names}.",
        ),
    },
}
"""Check -> state -> its tone and its sentence."""


def verdict(name: str, state: str, value: float | None, /, **numbers: float | str) -> Check:
    """Conclude.

    Args:
        name: A check of VERDICTS.
        state: One of its states.
        value: The number that was judged; None where there is none.
        **numbers: What else the sentence names.
    """
    tone, sentence = VERDICTS[name][state]
    return Check(name, state, tone, sentence.format(value=value, **numbers), value)
