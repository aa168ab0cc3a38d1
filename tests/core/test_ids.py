import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.ids import digest_of, keyed_hash, user_key

KEY = bytes(range(32))
raw_ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


def test_a_keyed_hash_is_the_head_of_hmac_sha256():
    assert keyed_hash("müller", KEY) == hmac.digest(KEY, "müller".encode(), hashlib.sha256).hex()[:32]


@settings(max_examples=50, deadline=None)
@given(raw_ids, raw_ids)
def test_equal_ids_have_equal_hashes_and_others_do_not(first, second):
    assert (keyed_hash(first, KEY) == keyed_hash(second, KEY)) == (first == second)


def test_another_key_gives_another_hash():
    assert keyed_hash("ann", KEY) != keyed_hash("ann", bytes(32))


@settings(max_examples=50, deadline=None)
@given(raw_ids)
def test_a_key_is_thirty_two_hex_digits(raw):
    key = user_key(user_id=raw, user_pseudo_id=None, key=KEY)
    assert len(key) == 32
    assert int(key, 16) >= 0


def test_the_logged_in_user_goes_before_the_device():
    both = user_key(user_id="ann", user_pseudo_id="c1", key=KEY)
    assert both == user_key(user_id="ann", user_pseudo_id="c2", key=KEY)
    assert both != user_key(user_id=None, user_pseudo_id="c1", key=KEY)


def test_a_user_and_a_device_of_the_same_id_do_not_meet():
    assert user_key(user_id="7", user_pseudo_id=None, key=KEY) != user_key(user_id=None, user_pseudo_id="7", key=KEY)


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_id_is_no_id(nothing):
    assert user_key(user_id=nothing, user_pseudo_id=nothing, key=KEY) is None
    device = user_key(user_id=nothing, user_pseudo_id="c1", key=KEY)
    assert device == keyed_hash("device:c1", KEY)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(-(2**53), 2**53)))
def test_the_order_of_a_mapping_does_not_change_its_digest(mapping):
    assert digest_of(dict(reversed(mapping.items()))) == digest_of(mapping)


def test_the_order_of_a_set_does_not_matter_and_that_of_a_list_does():
    assert digest_of({"b", "a"}) == digest_of({"a", "b"})
    assert digest_of(["b", "a"]) != digest_of(["a", "b"])


def test_nested_mappings_are_sorted_too():
    assert digest_of([{"x": {"b": 1, "a": 2}}]) == digest_of([{"x": {"a": 2, "b": 1}}])


def test_a_digest_is_that_of_the_canonical_json():
    assert digest_of({"b": 1, "a": [None, "x"]}) == hashlib.sha256(b'{"a":[null,"x"],"b":1}').hexdigest()
