"""Row rules of the mapped reader as column expressions: which event a row tells, and which rows are kept."""

from functools import reduce
from typing import Any

import ibis

from endcap.events.reader_config import Condition, KeepRule, RowRule
from endcap.events.reading import number, text

__all__ = ["event_by_rules", "holds", "ignored_by", "is_absolute", "trimmed"]


def trimmed(value: Any) -> Any:
    """Return a column as text without blanks around it; empty text is missing."""
    read = text(value)
    return read.strip().nullif("")


def holds(raw: ibis.Table, condition: Condition) -> Any:
    """Return where a condition holds; a missing value holds `is_missing = true` alone."""
    read, amount = trimmed(raw[condition.column]), number(raw[condition.column])
    tests = []
    if condition.above is not None:
        tests.append(amount > condition.above)
    if condition.at_least is not None:
        tests.append(amount >= condition.at_least)
    if condition.below is not None:
        tests.append(amount < condition.below)
    if condition.at_most is not None:
        tests.append(amount <= condition.at_most)
    if condition.one_of:
        tests.append(read.isin(condition.one_of))
    if condition.matches is not None:
        tests.append(read.re_search(condition.matches))
    if condition.not_matches is not None:
        tests.append(~read.re_search(condition.not_matches))
    if condition.is_missing is not None:
        tests.append(read.isnull() if condition.is_missing else read.notnull())
    return _all(tests)


def event_by_rules(raw: ibis.Table, rules: tuple[RowRule, ...]) -> Any:
    """Return the event name of the first rule whose conditions all hold; missing where none does."""
    return ibis.cases(*[(_applies(raw, rule), rule.event_name) for rule in rules], else_=ibis.null("string"))


def is_absolute(raw: ibis.Table, rules: tuple[RowRule, ...]) -> Any:
    """Return where the rule that applies takes the quantity without its sign."""
    no = ibis.literal(value=False)
    branches = [(_applies(raw, rule), ibis.literal(value=rule.quantity == "absolute")) for rule in rules]
    return ibis.cases(*branches, else_=no) if branches else no


def ignored_by(raw: ibis.Table, keep: tuple[KeepRule, ...]) -> Any:
    """Return the reason of the first keep rule that a row does not match; missing for rows that are kept."""
    nothing = ibis.null("string")
    no = ibis.literal(value=False)
    branches = [(~trimmed(raw[rule.column]).re_search(rule.matches).fill_null(no), rule.reason) for rule in keep]
    return ibis.cases(*branches, else_=nothing) if branches else nothing


def _applies(raw: ibis.Table, rule: RowRule) -> Any:
    return _all([holds(raw, condition) for condition in rule.when])


def _all(tests: list[Any]) -> Any:
    if not tests:
        return ibis.literal(value=True)
    return reduce(lambda left, right: left & right, tests).fill_null(ibis.literal(value=False))
