from endcap.events.files import SourceFile
from endcap.events.source_schema import SourceSchema


def schema(version, columns):
    return SourceSchema(source="events", version=version, columns=columns, file="a.csv", day="2026-01-01", before=0,
                        run_id="r")  # fmt: skip


def test_what_is_known_of_files_is_replaced_as_a_whole_and_comes_back_in_order(ledger):
    one, other = (
        SourceFile(source="events", name=name, path=f"/x/{name}", size=5, mtime_ns=1, sha256="s", days=("2026-01-01",),
                   named_day="", num_unplaced=0, num_rows=3, settings="", day_rows=(3,), schema="", broken="")
        for name in ("a.csv", "b.csv")
    )  # fmt: skip
    ledger.sources.keep_files([other, one])
    assert ledger.sources.files() == [one, other]
    ledger.sources.keep_files([other])
    assert ledger.sources.files() == [other]
    ledger.sources.keep_files([])
    assert ledger.sources.files() == []


def test_versions_of_schemas_are_only_ever_added(ledger):
    first = schema(1, {"id": "string"})
    ledger.sources.keep_schemas([first])
    ledger.sources.keep_schemas([schema(1, {"id": "int64"}), schema(2, {"id": "int64"})])
    assert ledger.sources.schemas() == [first, schema(2, {"id": "int64"})]
