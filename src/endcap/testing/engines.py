"""What every engine must do, as checks that an adapter's tests run: each takes an engine and a folder of its own."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from endcap.core.contract import Column, Kind, Table
from endcap.core.errors import Code, EndcapError
from endcap.engines.port import Engine

__all__ = ["ENGINE_CHECKS"]

_DAY = Column("date_partition", Kind.STRING, "day")
_COUNTS = Table("counts", "a count", (_DAY, Column("n", Kind.INT64, "count")), ("n",))
_GROWN = Table(
    "counts", "a count", (*_COUNTS.columns, Column("m", Kind.INT64, "more", nullable=True)), ("n",), version=2
)

_MANY = 250_000
_ODD = 'n"24'


def parquet_rows_know_their_file_and_their_place_in_it(engine: Engine, folder: Path) -> None:
    """Columns are united by name; `_file` has no folder, `_row` begins at 0."""
    pq.write_table(pa.table({"n": [1, 2]}), folder / "one.parquet")
    pq.write_table(pa.table({"n": [3], "more": ["x"]}), folder / "two.parquet")
    read = engine.read_parquet([str(folder / "one.parquet"), str(folder / "two.parquet")])
    assert _rows(engine, read.order_by("n")) == [
        {"n": 1, "more": None, "_file": "one.parquet", "_row": 0},
        {"n": 2, "more": None, "_file": "one.parquet", "_row": 1},
        {"n": 3, "more": "x", "_file": "two.parquet", "_row": 0},
    ]


def a_truncated_parquet_file_is_a_source_error_that_names_it(engine: Engine, folder: Path) -> None:
    """An export that was cut off."""
    path = folder / "events_20260101.parquet"
    pq.write_table(pa.table({"n": list(range(1000))}), path)
    path.write_bytes(path.read_bytes()[:200])
    error = _error(lambda: engine.read_parquet([str(path)]))
    assert error.code is Code.SOURCE_UNREADABLE
    assert "events_20260101.parquet" in str(error)


def a_digest_does_not_depend_on_the_order_of_rows(engine: Engine, _folder: Path) -> None:
    """Nor on other partitions."""
    assert _digests(engine, ("a", 1), ("a", 2), ("b", 1)) == _digests(engine, ("b", 1), ("a", 2), ("a", 1))


def a_digest_sees_a_changed_value_and_a_doubled_row(engine: Engine, _folder: Path) -> None:
    """A pair of equal rows does not vanish from it."""
    once = _digests(engine, ("a", 1), ("a", 2))["a"]
    assert _digests(engine, ("a", 1), ("a", 3))["a"]["digest"] != once["digest"]
    twice = _digests(engine, ("a", 1), ("a", 2), ("a", 2))["a"]
    assert (twice["rows"], twice["digest"] == once["digest"]) == (3, False)
    assert _digests(engine, ("a", 1), ("a", 7), ("a", 7)) != _digests(engine, ("a", 1), ("a", 8), ("a", 8))


def a_snapshot_is_read_by_its_files_alone(engine: Engine, folder: Path) -> None:
    """The partition is told by the folder, as Hive writes it; other files beside it are not read; no files, no rows."""
    for day, n in (("2026-01-01", 1), ("2026-01-02", 2), ("2026-01-02", 3)):
        place = folder / f"date_partition={day}"
        place.mkdir(exist_ok=True)
        pq.write_table(pa.table({"n": [n]}), place / f"{n}.parquet")
    files = [
        str(folder / f"date_partition={day}" / f"{n}.parquet") for day, n in (("2026-01-01", 1), ("2026-01-02", 3))
    ]
    read = engine.read_snapshot(files, _COUNTS)
    assert _rows(engine, read.order_by("n")) == [
        {"date_partition": "2026-01-01", "n": 1},
        {"date_partition": "2026-01-02", "n": 3},
    ]
    assert _rows(engine, engine.read_snapshot([], _COUNTS)) == []


def what_an_older_contract_did_not_have_is_missing(engine: Engine, folder: Path) -> None:
    """Files under both contracts are read together."""
    pq.write_table(_days(("a", 1)), folder / "old.parquet")
    pq.write_table(_days(("a", 2)).append_column("m", pa.array([5])), folder / "new.parquet")
    read = engine.read_snapshot([str(folder / "old.parquet"), str(folder / "new.parquet")], _GROWN)
    assert [(row["n"], row["m"]) for row in _rows(engine, read.order_by("n"))] == [(1, None), (2, 5)]


def a_damaged_file_of_a_table_is_told_with_the_table(engine: Engine, folder: Path) -> None:
    """Gone or cut off."""
    for damage in ("gone", "cut"):
        file = folder / f"{damage}.parquet"
        pq.write_table(_days(("2026-01-01", 1), ("2026-01-01", 2)), file)
        if damage == "gone":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:-20])
        error = _error(partial(_materialised, engine, str(file)))
        assert error.code is Code.TABLE_DAMAGED
        assert "the table counts cannot be read" in str(error)
        assert "move SHOP/lake/counts away" in error.fix


def a_stream_keeps_the_order_asked_for(engine: Engine, _folder: Path) -> None:
    """Read to its end, or closed before; also of more rows than one batch or thread takes."""
    many = engine.materialise(engine.read_arrow(_days(*(("a", n * 7 % _MANY) for n in range(_MANY)))))
    with closing(engine.stream(many.order_by("n"))) as rows:
        assert rows.read_all()["n"].to_pylist() == list(range(_MANY))
    engine.drop(many)
    table = engine.materialise(engine.read_arrow(_days(("b", 2), ("a", 3), ("a", 1))))
    asked = table.order_by(["date_partition", "n"])
    with closing(engine.stream(asked)) as rows:
        assert rows.read_all()["n"].to_pylist() == [1, 3, 2]
    engine.stream(asked).close()
    assert engine.stream(asked.filter(asked.n > 9)).read_all().num_rows == 0


def what_is_materialised_keeps_its_names_and_types(engine: Engine, _folder: Path) -> None:
    """Odd names too, and a sum, which engines make wider than its summands."""
    odd = engine.read_arrow(_days(("a", 1), ("a", 2))).rename({_ODD: "n"})
    made = engine.materialise(odd.group_by("date_partition").aggregate(**{_ODD: odd[_ODD].sum(), "num": odd.count()}))
    assert made.columns == ("date_partition", _ODD, "num")
    assert [str(dtype.copy(nullable=True)) for dtype in made.schema().values()] == ["string", "int64", "int64"]
    assert _rows(engine, made) == [{"date_partition": "a", _ODD: 3, "num": 2}]


def a_dropped_table_is_gone_and_others_stay(engine: Engine, _folder: Path) -> None:
    """Its rows cannot be read any more."""
    first, second = (engine.materialise(engine.read_arrow(_days(("a", n)))) for n in (1, 2))
    engine.drop(first)
    assert engine.to_arrow(second)["n"].to_pylist() == [2]
    try:
        engine.to_arrow(first)
    except Exception:  # noqa: BLE001 - of the engine's own
        return
    raise AssertionError("a dropped table can still be read")


ENGINE_CHECKS: tuple[Callable[[Engine, Path], None], ...] = (
    parquet_rows_know_their_file_and_their_place_in_it,
    a_truncated_parquet_file_is_a_source_error_that_names_it,
    a_digest_does_not_depend_on_the_order_of_rows,
    a_digest_sees_a_changed_value_and_a_doubled_row,
    a_snapshot_is_read_by_its_files_alone,
    what_an_older_contract_did_not_have_is_missing,
    a_damaged_file_of_a_table_is_told_with_the_table,
    a_stream_keeps_the_order_asked_for,
    what_is_materialised_keeps_its_names_and_types,
    a_dropped_table_is_gone_and_others_stay,
)
"""All that an engine must do."""


def _days(*rows: tuple[str, int]) -> pa.Table:
    return pa.table({"date_partition": [day for day, _ in rows], "n": [n for _, n in rows]})


def _digests(engine: Engine, *rows: tuple[str, int]) -> dict[str, dict[str, Any]]:
    return engine.partition_digests(engine.materialise(engine.read_arrow(_days(*rows))), _COUNTS)


def _materialised(engine: Engine, file: str) -> Any:
    return engine.materialise(engine.read_snapshot([file], _COUNTS))


def _rows(engine: Engine, expression: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.to_arrow(expression).to_pylist()
    return found


def _error(does: Callable[[], object]) -> EndcapError:
    try:
        does()
    except EndcapError as error:
        return error
    raise AssertionError("it was taken for good")
