import pytest
from pydantic import ValidationError

from endcap.sessions.config import SessionsConfig


def test_the_defaults_are_half_an_hour_and_the_latest_list():
    config = SessionsConfig()
    assert (config.gap_minutes, config.attribution, config.click_events) == (30, "latest", ("select_item",))


@pytest.mark.parametrize("gap_minutes", [0, 721])
def test_a_gap_must_be_within_half_a_day(gap_minutes):
    with pytest.raises(ValidationError, match="gap_minutes"):
        SessionsConfig(gap_minutes=gap_minutes)


def test_an_unknown_click_event_is_told_with_the_near_ones():
    with pytest.raises(ValidationError, match="'select_itm' cannot be a click; did you mean 'select_item'"):
        SessionsConfig(click_events=("select_itm",))


def test_a_purchase_cannot_be_a_click():
    with pytest.raises(ValidationError, match="'purchase' cannot be a click"):
        SessionsConfig(click_events=("purchase",))
