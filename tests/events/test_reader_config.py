import pytest
from pydantic import ValidationError

from endcap.core.tables import CANONICAL_EVENT_NAMES
from endcap.events.reader_config import (
    Condition,
    Ga4Reader,
    MappedReader,
    RowRule,
    SegmentReader,
    SnowplowReader,
    VertexReader,
    known_event_name,
)

FLAT = {"time": "ts", "user_id": "customer", "constant_event_name": "purchase"}


def _faults(settings, model=MappedReader):
    with pytest.raises(ValidationError) as caught:
        model(**settings)
    return str(caught.value)


@pytest.mark.parametrize("reader", [SegmentReader, SnowplowReader, VertexReader])
def test_the_names_of_a_kind_of_source_mean_canonical_events(reader):
    assert set(reader.EVENT_NAMES.values()) <= set(CANONICAL_EVENT_NAMES)


def test_an_unknown_event_name_is_refused_with_the_names_that_are_known():
    assert known_event_name("purchase") == "purchase"
    with pytest.raises(ValueError, match=r"'look' is not a canonical event name: .*view_item"):
        known_event_name("look")
    assert "look" in _faults({"event_name": "look"}, RowRule)


def test_another_name_for_a_column_that_is_not_read_is_refused():
    assert "did you mean 'user_pseudo_id'" in _faults({"columns": {"pseudo_id": "client"}}, Ga4Reader)


def test_two_names_for_one_column_are_refused():
    told = _faults({"columns": {"user_id": "client", "user_pseudo_id": "client"}}, Ga4Reader)
    assert "two GA4 names have the same column" in told


def test_event_names_come_from_exactly_one_place():
    assert "exactly one" in _faults(FLAT | {"event_name": "kind"})
    assert "exactly one" in _faults({"time": "ts", "user_id": "customer"})


def test_a_reader_without_any_user_is_refused():
    assert "no event has a user" in _faults({"time": "ts", "constant_event_name": "purchase"})


def test_a_session_id_that_is_a_user_id_is_refused():
    assert "session_id" in _faults(FLAT | {"session_id": "customer"})


def test_an_unknown_time_zone_is_refused():
    assert "IANA" in _faults(FLAT | {"timezone": "Mars/Base"})


def test_a_condition_must_test_something_and_its_pattern_must_compile():
    assert "says nothing" in _faults({"column": "invoice"}, Condition)
    assert "regular expression" in _faults({"column": "invoice", "matches": "("}, Condition)
