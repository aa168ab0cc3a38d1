import pyarrow as pa
import pytest

from endcap.events.reader_config import Condition, KeepRule, RowRule
from endcap.events.sources.rules import event_by_rules, holds, ignored_by, is_absolute

VALUES = ["-1", "0", "2", " C1 ", None]


@pytest.fixture
def raw(engine):
    return engine.read_arrow(pa.table({"it": pa.array(VALUES, pa.string())}))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"above": 0}, ["2"]),
        ({"at_least": 0}, ["0", "2"]),
        ({"below": 0}, ["-1"]),
        ({"at_most": 0}, ["-1", "0"]),
        ({"one_of": ["2", "C1"]}, ["2", " C1 "]),
        ({"matches": "^C"}, [" C1 "]),
        ({"not_matches": "^C"}, ["-1", "0", "2"]),
        ({"is_missing": True}, [None]),
        ({"is_missing": False}, ["-1", "0", "2", " C1 "]),
        ({"above": -5, "below": 1}, ["-1", "0"]),
    ],
)
def test_a_condition_holds_where_it_says(raw, arrow_rows, condition, expected):
    rows = arrow_rows(raw.filter(holds(raw, Condition(column="it", **condition))))
    assert [row["it"] for row in rows] == expected


def test_the_first_rule_that_applies_is_taken(raw, arrow_rows):
    rules = (
        RowRule(event_name="purchase", when=(Condition(column="it", above=0),)),
        RowRule(event_name="refund", when=(Condition(column="it", below=1),), quantity="absolute"),
    )
    rows = arrow_rows(raw.select(name=event_by_rules(raw, rules), absolute=is_absolute(raw, rules)))
    assert [row["name"] for row in rows] == ["refund", "refund", "purchase", None, None]
    assert [row["absolute"] for row in rows] == [True, True, False, False, False]


def test_a_row_is_ignored_for_the_first_keep_rule_it_breaks(raw, arrow_rows):
    keep = (
        KeepRule(column="it", matches="^[0-9C-]", reason="odd"),
        KeepRule(column="it", matches="^[0-9]", reason="sign"),
    )
    assert [row["why"] for row in arrow_rows(raw.select(why=ignored_by(raw, keep)))] == [
        "sign",
        None,
        None,
        "sign",
        "odd",
    ]
