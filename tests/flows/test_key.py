import shutil

import pytest

import endcap
from endcap.core.errors import Code, ConfigError, DataError
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


def test_a_first_ingest_that_was_refused_settles_no_key(tmp_path, fresh_shop, morning, monkeypatch):
    shop = shutil.copytree(fresh_shop, tmp_path / "tiny")
    with monkeypatch.context() as patch:
        patch.setenv("ENDCAP_USER_KEY", "ab" * 32)
        patch.setenv("ENDCAP__EVENTS__MAX_PRICE", "0.01")
        with pytest.raises(DataError):
            refresh(shop, clock=morning)
    refresh(shop, verbs=("ingest",), clock=morning)


def test_a_shopper_is_not_asked_for_under_another_key(own_shop, monkeypatch):
    monkeypatch.setenv("ENDCAP_USER_KEY", "ab" * 32)
    with pytest.raises(ConfigError, match="another key"):
        endcap.open(own_shop).recommend(user_id="ann")


def test_the_ledger_does_not_hold_the_key(own_shop):
    key = (own_shop / "keys" / "user.key").read_text().strip()
    assert key.encode() not in (own_shop / "endcap.db").read_bytes()
