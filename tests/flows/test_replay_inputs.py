from types import SimpleNamespace

import pyarrow as pa
import pytest

from endcap.core.tables import IDENTITIES
from endcap.engines.port import arrow_schema
from endcap.flows.replay_inputs import digest_past, past_parts
from endcap.stores.adapters.delta import DeltaTables

A, B = "2026-01-01", "2026-01-02"


def put(store, day, *devices):
    rows = [{column.name: "" if column.kind.value == "string" else 0 for column in IDENTITIES.columns}
            | {"date_partition": day, "device_key": each} for each in devices]  # fmt: skip
    return store.replace(IDENTITIES, [day], pa.Table.from_pylist(rows, schema=arrow_schema(IDENTITIES)).to_reader())


@pytest.fixture
def store(tmp_path):
    made = DeltaTables(tmp_path / "lake")
    put(made, A, "x")
    put(made, B, "y", "z")
    put(made, A, "later")
    return made


def plan(version, owned=()):
    name = IDENTITIES.name
    return SimpleNamespace(versions={name: version}, read=[name], owned={name: list(owned)})


def test_the_rest_of_a_table_is_digested_as_it_was(store, engine, tmp_path):
    past = store.at({IDENTITIES.name: 1})
    then = past_parts(plan(1), past, engine, tmp_path / "note.json")[IDENTITIES.name]
    assert {day: (part.rows, part.version) for day, part in then.items()} == {A: (1, 1), B: (2, 1)}
    assert then[A].digest != digest_past(store, engine, IDENTITIES, [A])[A][0]
    assert then[B].digest == digest_past(store, engine, IDENTITIES, [B])[B][0]
    assert digest_past(store, engine, IDENTITIES, ["2026-01-09"]) == {}


def test_a_partition_that_is_made_again_is_not_looked_at(store, engine, tmp_path):
    past = store.at({IDENTITIES.name: 1})
    assert list(past_parts(plan(1, [A]), past, engine, tmp_path / "note.json")[IDENTITIES.name]) == [B]


def test_what_was_digested_once_is_read_from_the_note_while_the_versions_are_the_same(store, engine, tmp_path):
    note = tmp_path / "note.json"
    first = past_parts(plan(1), store.at({IDENTITIES.name: 1}), engine, note)
    assert past_parts(plan(1), None, None, note) == first
    assert past_parts(plan(2), store.at({IDENTITIES.name: 2}), engine, note) != first
    note.write_bytes(b"{torn")
    assert past_parts(plan(1), store.at({IDENTITIES.name: 1}), engine, note) == first
