import pytest

from endcap.core.errors import Code, ConfigError
from endcap.flows.key import checked_user_key
from endcap.flows.refresh import refresh
from endcap.flows.shop import find_shop


def test_the_key_that_came_first_is_the_shops(own_shop, flow_of):
    ledger = flow_of(own_shop).ledger
    key = checked_user_key(find_shop(own_shop), ledger)
    assert checked_user_key(find_shop(own_shop), ledger) == key


def test_another_key_is_refused_before_a_row_is_hashed_under_it(own_shop, monkeypatch, flow_of, morning):
    before = flow_of(own_shop).ledger.parts("events")
    monkeypatch.setenv("ENDCAP_USER_KEY", "ab" * 32)
    with pytest.raises(ConfigError, match="another key") as caught:
        refresh(own_shop, again=("ingest",), clock=morning)
    assert caught.value.code is Code.CONFIG_INVALID
    assert "ab" * 32 not in str(caught.value)
    assert flow_of(own_shop).ledger.parts("events") == before


def test_the_ledger_does_not_hold_the_key(own_shop):
    key = (own_shop / "keys" / "user.key").read_text().strip()
    assert key.encode() not in (own_shop / "endcap.db").read_bytes()
