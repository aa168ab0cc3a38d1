import pyarrow as pa
import pytest

from endcap.core.tables import EXAMPLES, EXPOSURES
from endcap.engines.port import arrow_schema
from endcap.testing.shop_mistakes import MORE_MISTAKES, broken_shop

CASES = ["context of both sides", "label of the whole session"]


@pytest.mark.parametrize("name", CASES)
def test_what_a_context_or_label_knows_is_told_apart(name, engine, clean, leaks_of):
    found = leaks_of(broken_shop(engine, clean, name), part="examples")
    assert {(each.name, each.table) for each in found} == {(MORE_MISTAKES[name].leak, "examples")}


def changed(clean, table, change):
    rows = [{**row, **change(row)} for row in clean[table.name].to_pylist()]
    return {**clean, table.name: pa.Table.from_pylist(rows, arrow_schema(table))}


def test_a_label_without_any_event_is_told_as_such(clean, leaks_of):
    (found,) = leaks_of(changed(clean, EXAMPLES, lambda _row: {"carted": False}), part="examples")
    assert (found.name, found.column) == ("label-without-its-event", "carted")


def test_an_example_of_another_instant_is_not_its_sessions(clean, leaks_of):
    (found,) = leaks_of(changed(clean, EXAMPLES, lambda row: {"at_us": row["at_us"] - 1}), part="examples")
    assert (found.name, found.rows) == ("example-not-of-its-session", found.of_rows)


def test_a_step_that_the_session_does_not_have_is_told(clean, leaks_of):
    (found,) = leaks_of(changed(clean, EXAMPLES, lambda row: {"position": row["position"] + 50}), part="examples")
    assert found.name == "example-not-of-its-session"


def test_credit_for_what_never_came_is_told(clean, leaks_of):
    found = leaks_of(changed(clean, EXPOSURES, lambda _row: {"purchased": True}), part="exposures")
    assert ("outcome-without-its-event", "purchased") in {(each.name, each.column) for each in found}
