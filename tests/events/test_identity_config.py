import pytest
from pydantic import ValidationError

from endcap.events.identity_config import BotRules, IdentitiesConfig


def test_out_of_the_box_nobody_is_known_before_he_logs_in():
    assert IdentitiesConfig().restitched_through == ""


@pytest.mark.parametrize("day", ["2026-1-1", "yesterday", "1999-01-01", "2026-13-01"])
def test_a_backfill_goes_through_a_day(day):
    with pytest.raises(ValidationError, match="restitched_through"):
        IdentitiesConfig(restitched_through=day)


def test_a_bot_stays_one_for_its_day_at_least():
    with pytest.raises(ValidationError, match="keep_days"):
        BotRules(keep_days=0)
