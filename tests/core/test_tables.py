import dataclasses
import re

import pytest

from endcap.core.contract import Kind
from endcap.core.tables import CANONICAL_EVENT_NAMES, EVENTS, ITEM_FEATURES, TABLES, USER_FEATURES, WINDOWS_DAYS

# Table -> version of its contract -> digest of its columns. Lines are added, never changed: shops have such tables.
DIGESTS = {
    "events": {1: "cf21b90a3d4b8b97"},
    "catalogue": {1: "29e88ac892dd2376"},
    "item_mentions": {1: "a4754390036d998f"},
    "items": {1: "c3beb1f408d64aa1"},
    "logins": {1: "1ee6a1f3c2b7d3f0"},
    "bots": {1: "5ebfb74981d250ee"},
    "identities": {1: "4202f7d085f08fa0"},
    "quarantine": {1: "8a8183237422e123"},
    "sessions": {1: "1d4e9e07f8a404f8"},
    "exposures": {1: "2cbc7c2dc78be889"},
    "item_days": {1: "7005ddd552b91bab"},
    "user_days": {1: "520ee54da4bdf293"},
    "elements": {1: "f4fe194526564479"},
    "user_features": {1: "755eca8ab5af6af4"},
    "item_features": {1: "93b31b397757df17"},
    "sequences": {1: "008786dc7ddbf720"},
    "examples": {1: "912ad00b587ad8f9"},
    "slates": {1: "7f7efb211279723f"},
    "quality": {1: "372fb481286d13ef"},
}

each_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


@each_table
def test_columns_have_names_of_their_own_in_lower_case_and_say_what_they_hold(table):
    assert len(set(table.names)) == len(table.names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in table.names)
    assert all(column.doc for column in table.columns)


@each_table
def test_the_key_and_the_partition_are_columns_that_are_always_there(table):
    for name in [*table.key, *filter(None, [table.partition])]:
        assert not table.column(name).nullable, name


@each_table
def test_the_partition_stands_first_and_is_a_day(table):
    if table.partition:
        assert table.names[0] == table.partition == "date_partition"
        assert table.column("date_partition").kind is Kind.STRING


@each_table
def test_columns_with_keys_of_people_are_marked_for_deletion(table):
    marked = {column.name for column in table.columns if column.names_user}
    assert marked == set(table.names) & {"user_key", "device_key"}


@each_table
def test_no_table_has_a_column_for_a_raw_id(table):
    assert not set(table.names) & {"user_id", "user_pseudo_id", "client_id", "cookie", "email", "ip"}


@each_table
def test_ranges_and_allowed_values_fit_the_type(table):
    numbers = (Kind.INT32, Kind.INT64, Kind.FLOAT32, Kind.FLOAT64)
    for column in table.columns:
        if column.low is not None or column.high is not None:
            assert column.kind in numbers, column.name
        if column.allowed:
            assert column.kind is Kind.STRING, column.name
            assert len(set(column.allowed)) == len(column.allowed)


@each_table
def test_money_is_whole_minor_units_and_instants_are_whole_microseconds(table):
    for column in table.columns:
        if "_minor" in column.name or column.name.endswith("_us"):
            assert column.kind is Kind.INT64, column.name


def test_a_column_of_the_same_name_has_the_same_type_everywhere():
    kinds = {}
    for table in TABLES.values():
        for column in table.columns:
            assert kinds.setdefault(column.name, column.kind) is column.kind, (table.name, column.name)


def test_tables_are_found_by_their_names():
    assert all(name == table.name for name, table in TABLES.items())


def test_an_event_is_named_by_ga4():
    assert EVENTS.column("event_name").allowed == CANONICAL_EVENT_NAMES
    assert "quickview" not in CANONICAL_EVENT_NAMES


@pytest.mark.parametrize("table", [USER_FEATURES, ITEM_FEATURES], ids=lambda table: table.name)
def test_every_count_has_every_window(table):
    stems = {re.sub(r"_\d+d$", "", name) for name in table.names if name.startswith("num_")}
    assert stems
    for stem in stems:
        assert {f"{stem}_{days}d" for days in WINDOWS_DAYS} <= set(table.names)


def test_the_lists_of_a_sequence_are_lists():
    for name in ("item_ids", "event_names", "event_ids"):
        assert TABLES["sequences"].column(name).kind is Kind.STRINGS
    assert TABLES["sequences"].column("at_us_list").kind is Kind.INT64S


@each_table
def test_columns_change_under_a_new_version_alone(table):
    frozen = DIGESTS.get(table.name, {})
    told = f'"{table.name}": {{..., {{version}}: "{table.digest}"}}'
    assert frozen.get(table.version, table.digest) == table.digest, (
        f"the columns of {table.name} are not those of version {table.version} any more: give it version "
        f"{max(frozen) + 1} in core and add its digest to DIGESTS: {told.format(version=max(frozen) + 1)}"
    )
    assert table.version in frozen, f"add the digest to DIGESTS: {told.format(version=table.version)}"
    assert list(frozen) == list(range(1, table.version + 1)), f"versions of {table.name} are numbered from 1"


def test_a_digest_follows_the_columns_and_not_what_is_said_of_them():
    told = dataclasses.replace(EVENTS.columns[0], doc="another word")
    same = dataclasses.replace(EVENTS, columns=(told, *EVENTS.columns[1:]))
    fewer = dataclasses.replace(EVENTS, columns=EVENTS.columns[:-1])
    assert (same.digest == EVENTS.digest, fewer.digest == EVENTS.digest) == (True, False)
