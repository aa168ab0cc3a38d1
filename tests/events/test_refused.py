import pytest

from endcap.core.errors import Code
from endcap.events.config import EventsConfig
from endcap.events.files import SourceFile
from endcap.events.refused import refusal, stopped_days
from endcap.events.source_schema import SourceSchema

CONFIG = EventsConfig(source="drop")
OLD = {"event_timestamp": "int64", "user_pseudo_id": "string", "items": "list<struct>", "items[].item_id": "string"}


def file(name, *days, named_day="", schema="", broken="user_pseudo_id"):
    return SourceFile(
        "ga4", f"/{name}", name, 1, 1, "1", days, named_day=named_day, num_unplaced=0, num_rows=1, settings="",
        schema=schema, broken=broken,
    )  # fmt: skip


def versions(after):
    return [
        SourceSchema("ga4", 1, OLD, "events_1.parquet", "2026-08-01", 0, "r1"),
        SourceSchema("ga4", 2, after, "events_2.parquet", "2026-08-02", 1, "r2"),
    ]


def told(after, broken, config=CONFIG, **options):
    schemas = versions({name: kind for name, kind in (OLD | after).items() if kind})
    names = ["events_3.parquet", "events_2.parquet"]
    files = [file(name, named_day=f"2026-08-0{name[7]}", schema=schemas[1].digest, broken=broken) for name in names]
    return refusal(files, schemas, config, **options)


def test_a_file_stops_the_day_it_is_named_by_else_those_it_holds_and_those_made_from_it():
    made_of = {"2026-08-05": {"ga4:a": "1"}, "2026-08-06": {"ga4:good": "1"}}
    good = file("good", "2026-08-06", broken="")
    named, plain = file("a", "2026-08-01", named_day="2026-08-02"), file("b", "2026-08-03")
    stopped = stopped_days([named, plain, good], made_of)
    assert stopped == {"2026-08-02": ["a"], "2026-08-03": ["b"], "2026-08-05": ["a"]}


def test_a_column_that_is_gone_is_told_with_its_type_the_files_the_days_and_the_mapping_to_write():
    error = told(
        {"user_pseudo_id": "", "pseudo_user_id": "string", "batch": "int64"}, "user_pseudo_id", days=["2026-08-02"]
    )
    assert error.what == (
        "2 files of the source cannot be read, events_2.parquet first: column 'user_pseudo_id' is gone, it was string; "
        "2026-08-02 waits for it, all other days are done"
    )
    assert error.where == "events_3.parquet, events_2.parquet, column user_pseudo_id"
    assert 'columns = { user_pseudo_id = "pseudo_user_id" } under [events.reader]' in error.fix
    assert error.code == Code.SOURCE_COLUMN


def test_a_column_of_another_type_is_told_with_both():
    error = told({"items": "string", "items[].item_id": ""}, "items")
    assert "column 'items' is string, it was list<struct>: no value of it can be read" in error.what
    assert "export these files again" in error.fix


def test_a_mapped_column_is_told_by_the_exports_own_name():
    config = CONFIG.model_copy(update={"reader": CONFIG.reader.model_copy(update={"columns": {"items": "things"}})})
    error = told({"things": "string", "items": ""}, "items", config)
    assert "column 'things' is string" in error.what


@pytest.mark.parametrize(
    ("found", "name"), [({"who": "string"}, "who"), ({"who": "string", "whom": "string"}, "ITS NEW NAME")]
)
def test_a_new_name_is_guessed_where_one_new_column_is_of_the_type(found, name):
    assert f'user_pseudo_id = "{name}"' in told({"user_pseudo_id": "", **found}, "user_pseudo_id").fix


def test_where_no_version_is_known_the_near_columns_are_named():
    schema = SourceSchema("ga4", 1, {"pseudo_user_id": "string"}, "a", "", 0, "")
    error = refusal([file("a", schema=schema.digest)], [schema], CONFIG)
    assert (
        "1 file of the source cannot be read, a first: column 'user_pseudo_id' is not there; did you mean" in error.what
    )
