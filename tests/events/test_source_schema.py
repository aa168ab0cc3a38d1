import pyarrow as pa
import pytest

from endcap.events.source_schema import (
    INSTANT,
    LIST,
    SCALAR,
    STRUCT,
    changes_between,
    column_at_fault,
    columns_of_parquet,
    schema_digest,
    under_names,
)

NEEDED = ("at", "items", ("items[].id", "items[].name"))
WANTED = {"at": INSTANT, "items": LIST, "items[].id": SCALAR, "geo": STRUCT, "geo.country": SCALAR, "user": SCALAR}
GOOD = {"at": "int64", "items": LIST, "items[].id": "string", "geo": STRUCT, "geo.country": "string"}


def told(before, after, names=None):
    return [str(change) for change in changes_between(before, after, names)]


def test_nested_columns_have_paths_and_types_that_are_laid_out_otherwise_are_the_same():
    item = pa.struct([("id", pa.large_string()), ("tags", pa.list_(pa.string()))])
    schema = pa.schema([("at", pa.int64()), ("geo", pa.struct([("country", pa.dictionary(pa.int8(), pa.string()))])),
                        ("items", pa.large_list(item))])  # fmt: skip
    assert columns_of_parquet(schema) == {
        "at": "int64",
        "geo": "struct",
        "geo.country": "string",
        "items": "list<struct>",
        "items[].id": "string",
        "items[].tags": "list<string>",
    }


def test_the_order_of_columns_is_no_part_of_a_schema():
    assert schema_digest({"a": "int64", "b": "string"}) == schema_digest({"b": "string", "a": "int64"})
    assert schema_digest({"a": "int64"}) != schema_digest({"a": "int32"})


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("int32", "int64", "widened"),
        ("float", "double", "widened"),
        ("int32", "double", "widened"),
        ("null", "string", "widened"),
        ("int64", "int32", "narrowed"),
        ("double", "float", "narrowed"),
        ("string", "null", "narrowed"),
        ("int64", "string", "changed"),
        ("int64", "double", "changed"),
        ("double", "int64", "changed"),
        ("string", "list<struct>", "changed"),
    ],
)
def test_a_type_that_changed_is_wider_narrower_or_another(before, after, what):
    [change] = changes_between({"a": before}, {"a": after})
    assert (change.what, change.before, change.after) == (what, before, after)


def test_what_came_and_went_is_told_column_by_column():
    before, after = {"a": "int64", "b": "string", "c": "int32"}, {"a": "int64", "c": "int64", "d": "bool"}
    assert told(before, after) == ["b removed (string)", "c widened from int32 to int64", "d added (bool)"]
    assert told(after, after) == []


def test_a_column_that_the_settings_map_was_renamed_with_all_that_is_nested_in_it():
    before = {"user": "int64", "items": LIST, "items[].id": "string"}
    after = {"who": "string", "things": LIST, "things[].id": "string"}
    names = {"user": "who", "items": "things"}
    assert told(before, after, names) == [
        "items renamed things",
        "user renamed who",
        "who changed from int64 to string",
    ]
    assert told(after, before, names)[0] == "things renamed items"
    assert len(told(before, after)) == 6


def test_columns_are_under_the_readers_names_and_one_that_gives_way_is_gone():
    names = {"user": "who", "items": "things"}
    columns = {"who": "string", "user": "int64", "things": LIST, "things[].id": "string", "at": "int64"}
    assert under_names(columns, names) == {"user": "string", "items": LIST, "items[].id": "string", "at": "int64"}
    assert under_names({"user": "int64"}, names) == {"user": "int64"}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, ""),
        ({"more": "string"}, ""),
        *[({"at": kind}, "") for kind in ("string", "double", "timestamp[us, tz=UTC]", "int32")],
        *[({"at": kind}, "at") for kind in ("struct", "bool", "list<string>", "date32[day]", "null", None)],
        *[({"user": kind}, "") for kind in ("int64", "double", "null", "string")],
        ({"user": STRUCT}, "user"),
        ({"items": "string", "items[].id": None}, "items"),
        ({"items": "list<string>", "items[].id": None}, "items"),
        ({"items": None, "items[].id": None}, "items"),
        ({"items[].id": None}, "items[].id"),
        ({"items[].id": None, "items[].name": "string"}, ""),
        ({"items[].id": "list<string>"}, "items[].id"),
        ({"geo": None, "geo.country": None}, ""),
        ({"geo": "string", "geo.country": None}, "geo"),
    ],
)
def test_a_file_is_refused_for_what_is_needed_and_gone_or_cannot_be_read(changed, fault):
    columns = {name: kind for name, kind in (GOOD | changed).items() if kind}
    assert column_at_fault(columns, needed=NEEDED, wanted=WANTED) == fault
