import pytest
from pydantic import ValidationError

from endcap.events.config import Condition, EventsConfig, Fold, Ga4Reader, MappedReader

FLAT = {"time": "ts", "user_id": "customer", "constant_event_name": "purchase"}


def _faults(settings, model=MappedReader):
    with pytest.raises(ValidationError) as caught:
        model(**settings)
    return str(caught.value)


def test_the_defaults_read_a_ga4_export():
    assert EventsConfig(source="drop").reader.kind == "ga4"


def test_another_name_for_a_column_that_is_not_read_is_refused():
    assert "did you mean 'user_pseudo_id'" in _faults({"columns": {"pseudo_id": "client"}}, Ga4Reader)


def test_two_names_for_one_column_are_refused():
    told = _faults({"columns": {"user_id": "client", "user_pseudo_id": "client"}}, Ga4Reader)
    assert "two GA4 names have the same column" in told


def test_an_unknown_key_is_refused():
    assert "max_prise" in _faults({"source": "drop", "max_prise": 3}, EventsConfig)


def test_a_fold_into_an_unknown_event_is_refused():
    assert "view_thing" in _faults({"event_name": "quickview", "into": "view_thing"}, Fold)


def test_a_rename_to_an_unknown_event_is_refused():
    assert "look" in _faults({"source": "drop", "renames": {"productView": "look"}}, EventsConfig)


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


def test_folded_and_renamed_events_are_known_names():
    config = EventsConfig(
        source="drop", renames={"pv": "view_item"}, folds=[{"event_name": "quickview", "into": "view_item"}]
    )
    names = config.canonical_names
    assert (names["pv"], names["quickview"], names["purchase"]) == ("view_item", "quickview", "purchase")
    assert config.fold_reach_us == 2_000_000


@pytest.mark.parametrize("code", ["UXD", "usd", "EURO"])
def test_a_currency_that_is_none_is_refused_when_the_file_is_read(code):
    with pytest.raises(ValidationError):
        EventsConfig(source="x", default_currency=code)
