import shutil
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endcap.core.errors import Code, StoreError
from endcap.core.ids import keyed_hash
from endcap.stores.adapters.sealed_ids import SealedIds

KEY = bytes(range(32))
NAMES = {keyed_hash(name, KEY): name for name in ("user:ann", "user:bob@example.org", "device:c-1")}


@pytest.fixture
def opened(tmp_path):
    stores = []

    def opened(name="raw_ids.db", key=KEY):
        stores.append(SealedIds(tmp_path / "people" / name, key))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


def rows(tmp_path, name):
    """What stands in the file, as whoever has stolen it would see it."""
    with closing(sqlite3.connect(tmp_path / "people" / name)) as connection:
        return connection.execute("SELECT user_key, sealed FROM raw_id ORDER BY user_key").fetchall()


def test_what_is_kept_is_found_by_who_opens_it_later(opened):
    first = opened()
    first.remember(NAMES)
    first.close()
    assert opened().find([*NAMES, "0" * 32]) == NAMES


def test_only_the_owner_may_read_the_file_and_no_raw_id_stands_in_it(opened, tmp_path):
    opened().remember(NAMES)
    path = tmp_path / "people" / "raw_ids.db"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert not any(name.encode() in path.read_bytes() for name in ("ann", "bob@example", "c-1"))


def test_under_another_key_nothing_can_be_read(opened):
    opened().remember(NAMES)
    with pytest.raises(StoreError) as caught:
        opened(key=bytes(32)).find(NAMES)
    assert caught.value.code is Code.RAW_IDS
    assert not any(name in str(caught.value) for name in NAMES.values())


def test_under_another_key_nothing_is_added_either(opened):
    opened().remember(dict(list(NAMES.items())[:1]))
    with pytest.raises(StoreError, match="under this key"):
        opened(key=bytes(32)).remember(NAMES)


def test_a_file_that_others_may_read_is_refused(opened, tmp_path):
    opened().remember(NAMES)
    (tmp_path / "people" / "raw_ids.db").chmod(0o644)
    with pytest.raises(StoreError, match="mode 644"):
        opened().find(NAMES)


def test_an_id_that_was_put_behind_another_hash_is_noticed(opened, tmp_path):
    store = opened()
    store.remember(NAMES)
    ann, bob, _ = (bytes.fromhex(key) for key in NAMES)
    with closing(sqlite3.connect(tmp_path / "people" / "raw_ids.db")) as connection, connection:
        [sealed] = connection.execute("SELECT sealed FROM raw_id WHERE user_key = ?", [ann]).fetchone()
        connection.execute("UPDATE raw_id SET sealed = ? WHERE user_key = ?", [sealed, bob])
    with pytest.raises(StoreError):
        store.find([bob.hex()])


def test_what_is_forgotten_has_left_no_byte(opened, tmp_path):
    store = opened()
    store.remember(NAMES)
    key = next(iter(NAMES))
    sealed = dict(rows(tmp_path, "raw_ids.db"))[bytes.fromhex(key)]
    assert store.forget([key, "0" * 32]) == 1
    assert (store.find([key]), store.forget([key])) == ({}, 0)
    assert sealed not in (tmp_path / "people" / "raw_ids.db").read_bytes()


def test_a_store_of_which_nothing_was_asked_leaves_no_file(opened, tmp_path):
    store = opened()
    assert (store.find(NAMES), store.forget(NAMES)) == ({}, 0)
    store.remember({})
    assert not (tmp_path / "people").exists()


def test_a_folder_that_is_a_file_is_told(opened, tmp_path):
    (tmp_path / "people").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        opened().remember(NAMES)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8, deadline=None)
@given(cut=st.integers(0, 3), order=st.permutations(sorted(NAMES)))
def test_neither_order_nor_batches_nor_repetition_matter(cut, order, opened, tmp_path):
    shutil.rmtree(tmp_path / "people", ignore_errors=True)
    at_once, by_parts = opened("a.db"), opened("b.db")
    at_once.remember(NAMES)
    for some in (order[:cut], order[cut:], order):
        by_parts.remember({key: NAMES[key] for key in some})
    assert by_parts.find(NAMES) == NAMES
    assert rows(tmp_path, "a.db") == rows(tmp_path, "b.db")
