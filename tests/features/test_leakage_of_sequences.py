import pyarrow as pa
import pytest

from endcap.core.tables import SEQUENCES
from endcap.engines.port import arrow_schema
from endcap.testing.shop_mistakes import MORE_MISTAKES, broken_shop

CASES = ["a history by a slow clock", "one event in two sessions", "a login known before it came"]


@pytest.mark.parametrize("name", CASES)
def test_each_way_in_which_a_sequence_knows_too_much_is_told_apart(name, engine, clean, leaks_of):
    found = leaks_of(broken_shop(engine, clean, name), part="sequences")
    assert [(each.name, each.table) for each in found] == [(MORE_MISTAKES[name].leak, "sequences")]


def test_a_session_under_a_stranger_is_no_matter_of_logins(clean, leaks_of):
    rows = clean["sequences"].to_pylist()
    place = next(place for place, row in enumerate(rows) if row["scope"] == "session")
    rows[place] = {**rows[place], "user_key": "f" * 32}
    broken = {**clean, "sequences": pa.Table.from_pylist(rows, arrow_schema(SEQUENCES))}
    (found,) = leaks_of(broken, part="sequences")
    assert (found.name, found.rows) == ("user-key-not-its-event's", 1)
    assert rows[place]["session_id"] in found.example
