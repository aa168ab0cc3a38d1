import pytest
from pydantic import ValidationError

from endcap.events.config import EventsConfig, Fold


def _faults(settings, model=EventsConfig):
    with pytest.raises(ValidationError) as caught:
        model(**settings)
    return str(caught.value)


def test_the_defaults_read_a_ga4_export():
    assert EventsConfig(source="drop").reader.kind == "ga4"


def test_an_unknown_key_is_refused():
    assert "max_prise" in _faults({"source": "drop", "max_prise": 3})


def test_a_fold_into_an_unknown_event_is_refused():
    assert "view_thing" in _faults({"event_name": "quickview", "into": "view_thing"}, Fold)


def test_a_rename_to_an_unknown_event_is_refused():
    assert "look" in _faults({"source": "drop", "renames": {"productView": "look"}})


def test_folded_and_renamed_events_are_known_names():
    config = EventsConfig(
        source="drop", renames={"pv": "view_item"}, folds=[{"event_name": "quickview", "into": "view_item"}]
    )
    names = config.canonical_names
    assert (names["pv"], names["quickview"], names["purchase"]) == ("view_item", "quickview", "purchase")


@pytest.mark.parametrize("code", ["UXD", "usd", "EURO"])
def test_a_currency_that_is_none_is_refused_when_the_file_is_read(code):
    with pytest.raises(ValidationError):
        EventsConfig(source="x", default_currency=code)
