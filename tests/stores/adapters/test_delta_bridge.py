"""What may go wrong between the executors that write files and the one that commits them, on a disk and on S3."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from endcap.core.contract import Column, Kind, Table
from endcap.core.errors import Code, DataError, LedgerError, StoreError
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.adapters.parquet_files import files_below, listed
from endcap.stores.tables import Fence

DAYS = Table(
    "days", "a count", (Column("date_partition", Kind.STRING, "day"), Column("n", Kind.INT64, "count")), ("n",)
)
WHOLE = Table("whole", "a count", (Column("n", Kind.INT64, "count"),), ("n",), partition="")


class Lake:
    """A lake of one shop as an executor, a reader and a deletion see it."""

    def __init__(self, root, options=None):
        self.root, self.options = str(root), options
        self.store = DeltaTables(self.root, options)

    def write(self, attempt, rows, table=DAYS):
        """What executors do: a file per partition below the attempt's folder."""
        below = files_below(self.store.folder(table), self.options)
        names = [name for name in table.names if name != table.partition]
        for day in sorted({row[0] for row in rows}):
            path = f"attempt-{attempt}/" + (f"{table.partition}={day}/" if table.partition else "") + "part-0.parquet"
            if self.options is None:
                below.create_dir(path.rpartition("/")[0])
            columns = zip(*[row[1:] for row in rows if row[0] == day], strict=True)
            with below.open_output_stream(path) as out:
                pq.write_table(pa.table(dict(zip(names, map(list, columns), strict=True))), out)
        return self.store.written(table, str(attempt))

    def put(self, attempt, rows, *, read=None, token=1, days=None):
        read = self.store.version(DAYS) if read is None else read
        files = self.write(attempt, rows)
        days = sorted({row[0] for row in rows}) if days is None else days
        return self.store.adopt(DAYS, days, files, read_version=read, fence=Fence("shop/days", token))

    def handle(self, table=DAYS):
        return DeltaTable(self.store.folder(table), storage_options=self.options)

    def rows(self, table=DAYS):
        found = pa.table(self.handle(table).to_pyarrow_table()).to_pylist()
        return sorted(tuple(row[name] for name in table.names) for row in found)

    def clean(self, token=9, living=()):
        return self.store.clean(DAYS, fence=Fence("shop/days", token), living=living)

    def on_disk(self):
        return sorted(
            path for path, _ in listed(files_below(self.store.folder(DAYS), self.options), "") if "attempt-" in path
        )


@pytest.fixture(params=["disk", "s3"])
def lake(request, tmp_path):
    if request.param == "disk":
        return Lake(tmp_path / "lake")
    endpoint, bucket = request.getfixturevalue("s3")
    options = {"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true", "aws_conditional_put": "etag"}
    return Lake(f"s3://{bucket}/lake", options)


def code_of(caught):
    return caught.value.code


def test_the_first_adoption_makes_the_table(lake):
    assert lake.put(1, [("a", 1), ("b", 2)]) == 0
    assert lake.rows() == [("a", 1), ("b", 2)]
    assert (lake.store.schema_version(DAYS), lake.store.partitions(DAYS)) == (1, ["a", "b"])


def test_an_adoption_replaces_its_partitions_and_no_other(lake):
    lake.put(1, [("a", 1), ("b", 2)])
    assert lake.put(2, [("b", 3)], days=["b", "c"]) == 1
    assert lake.rows() == [("a", 1), ("b", 3)]
    assert lake.put(3, [], days=["a"]) == 2
    assert lake.rows() == [("b", 3)]


def test_the_log_tells_each_file_by_its_footer(lake):
    lake.put(1, [("a", 4), ("a", 2)])
    [action] = pa.table(lake.handle().get_add_actions(flatten=True)).to_pylist()
    told = (action["num_records"], action["min.n"], action["max.n"], action["null_count.n"])
    assert (action["path"], told) == ("attempt-1/date_partition=a/part-0.parquet", (2, 2, 4, 0))


def test_files_that_were_written_and_not_adopted_are_in_no_version(lake):
    lake.put(1, [("a", 1)])
    lake.write(2, [("a", 5), ("b", 6)])  # dead here
    assert (lake.rows(), lake.store.version(DAYS)) == ([("a", 1)], 0)
    assert lake.put(3, [("a", 5), ("b", 6)], token=2) == 1
    assert lake.rows() == [("a", 5), ("b", 6)]


def test_cleaning_takes_the_files_of_dead_attempts_alone(lake):
    lake.put(1, [("a", 1)])
    lake.write(2, [("a", 5), ("b", 6)])
    lake.put(3, [("a", 5)], token=2)
    lake.write(4, [("c", 7)])
    gone = [f"attempt-2/date_partition={day}/part-0.parquet" for day in "ab"]
    assert lake.clean(living=["4"]) == gone
    assert [path.split("/")[0] for path in lake.on_disk()] == ["attempt-1", "attempt-3", "attempt-4"]
    before = DeltaTable(lake.store.folder(DAYS), version=0, storage_options=lake.options)
    assert before.to_pyarrow_table().num_rows == 1, "an older version can still be read"
    assert lake.clean(living=["4"]) == []


def test_a_dead_attempt_that_wakes_after_the_cleaning_commits_nothing(lake):
    lake.put(1, [("a", 1)])
    files = lake.write(2, [("a", 5)])
    lake.clean(token=3)
    with pytest.raises(LedgerError) as caught:
        lake.store.adopt(DAYS, ["a"], files, read_version=0, fence=Fence("shop/days", 2))
    assert (code_of(caught), lake.rows()) == (Code.FENCED, [("a", 1)])


def test_cleaning_puts_its_fence_into_the_log_once_and_only_where_something_is_to_go(lake):
    assert lake.clean() == []
    lake.put(1, [("a", 1)])
    assert (lake.clean(token=2), lake.store.version(DAYS)) == ([], 0)
    lake.write(2, [("a", 5)])
    lake.clean(token=2)
    lake.write(3, [("a", 5)])
    lake.clean(token=2)
    assert (lake.store.version(DAYS), lake.store.schema_version(DAYS), lake.rows()) == (1, 1, [("a", 1)])
    with pytest.raises(LedgerError) as caught:
        lake.clean(token=1)
    assert code_of(caught) == Code.FENCED


def test_rows_that_were_deleted_meanwhile_do_not_come_back(lake):
    lake.put(1, [("a", 1), ("a", 2), ("b", 3)])
    files = lake.write(2, [("a", 1), ("a", 2), ("a", 4)])  # made from version 0, where 2 was
    lake.handle().delete("n = 2")
    with pytest.raises(LedgerError, match="1 of its files were taken out of 1 partitions and 1 were put in") as caught:
        lake.store.adopt(DAYS, ["a"], files, read_version=0, fence=Fence("shop/days", 1))
    assert (code_of(caught), lake.rows()) == (Code.TABLE_CHANGED, [("a", 1), ("b", 3)])
    lake.put(3, [("a", 1), ("a", 4)])
    assert lake.rows() == [("a", 1), ("a", 4), ("b", 3)]


def test_a_partition_written_meanwhile_is_not_swapped_away(lake):
    lake.put(1, [("a", 1)])
    lake.put(2, [("a", 2)])
    for other in (lambda: lake.put(3, [("a", 5)], read=0), lambda: lake.put(4, [("a", 5)], read=-1)):
        with pytest.raises(LedgerError) as caught:
            other()
        assert (code_of(caught), lake.rows()) == (Code.TABLE_CHANGED, [("a", 2)])


def test_rows_appended_to_the_partition_meanwhile_are_not_lost(lake):
    lake.put(1, [("a", 1)])
    write_deltalake(lake.handle(), pa.table({"date_partition": ["a"], "n": [2]}), mode="append")
    with pytest.raises(LedgerError) as caught:
        lake.put(2, [("a", 5)], read=0)
    assert (code_of(caught), lake.rows()) == (Code.TABLE_CHANGED, [("a", 1), ("a", 2)])


def test_other_partitions_written_meanwhile_stay(lake):
    lake.put(1, [("a", 1)])
    files = lake.write(2, [("a", 5)])
    lake.put(3, [("b", 2)])
    write_deltalake(lake.handle(), pa.table({"date_partition": ["c"], "n": [3]}), mode="append")
    assert lake.store.adopt(DAYS, ["a"], files, read_version=0, fence=Fence("shop/days", 1)) == 3
    assert lake.rows() == [("a", 5), ("b", 2), ("c", 3)]


@pytest.mark.parametrize(("day", "is_refused"), [("b", False), ("a", True)])
def test_a_commit_that_comes_between_the_look_and_the_commit_is_looked_at(lake, monkeypatch, day, is_refused):
    lake.put(1, [("a", 1), ("b", 1)])
    files = lake.write(2, [("a", 5)])
    commit = DeltaTable.create_write_transaction
    rivals = [pa.table({"date_partition": [day], "n": [n]}) for n in (7, 8)]

    def late(handle, *args, **named):
        if rivals:
            write_deltalake(lake.handle(), rivals.pop(), mode="append")
        return commit(handle, *args, **named)

    monkeypatch.setattr(DeltaTable, "create_write_transaction", late)
    if is_refused:
        with pytest.raises(LedgerError) as caught:
            lake.store.adopt(DAYS, ["a"], files, read_version=0, fence=Fence("shop/days", 1))
        assert (code_of(caught), lake.rows()) == (Code.TABLE_CHANGED, [("a", 1), ("a", 8), ("b", 1)])
    else:
        assert lake.store.adopt(DAYS, ["a"], files, read_version=0, fence=Fence("shop/days", 1)) == 3
        assert lake.rows() == [("a", 5), ("b", 1), ("b", 7), ("b", 8)]


def test_of_two_that_make_the_table_at_once_one_is_refused(lake, monkeypatch):
    bridge = sys.modules["endcap.stores.adapters.delta_bridge"]
    make = bridge.create_table_with_add_actions
    files = lake.write(1, [("a", 1)])

    def late(*args, **named):
        monkeypatch.setattr(bridge, "create_table_with_add_actions", make)
        lake.put(2, [("a", 2)], token=2)
        return make(*args, **named)

    monkeypatch.setattr(bridge, "create_table_with_add_actions", late)
    with pytest.raises(LedgerError) as caught:
        lake.store.adopt(DAYS, ["a"], files, read_version=-1, fence=Fence("shop/days", 2))
    assert (code_of(caught), lake.rows()) == (Code.TABLE_CHANGED, [("a", 2)])


def test_an_older_holder_is_fenced_off(lake):
    lake.put(1, [("a", 1)], token=5)
    with pytest.raises(LedgerError, match="lease 4 was taken over by lease 5") as caught:
        lake.put(2, [("b", 2)], token=4)
    assert (code_of(caught), lake.rows()) == (Code.FENCED, [("a", 1)])


def test_adopting_the_same_files_again_changes_nothing(lake):
    files = lake.write(1, [("a", 1)])
    again = [lake.store.adopt(DAYS, ["a"], files, read_version=-1, fence=Fence("shop/days", 5)) for _ in range(2)]
    lake.put(2, [("b", 2)], token=5)
    again.append(lake.store.adopt(DAYS, ["a"], files, read_version=-1, fence=Fence("shop/days", 5)))
    assert (again, lake.store.version(DAYS), lake.rows()) == ([0, 0, 1], 1, [("a", 1), ("b", 2)])


def test_files_that_are_gone_or_torn_are_never_in_a_version(lake):
    lake.put(1, [("a", 1)])
    [file] = lake.write(2, [("a", 5)])
    for wrong in (dataclasses.replace(file, size=file.size + 1), dataclasses.replace(file, path=f"{file.path}x")):
        with pytest.raises(LedgerError, match="1 of 1 files to adopt are gone or torn") as caught:
            lake.store.adopt(DAYS, ["a"], [wrong], read_version=0)
        assert (code_of(caught), lake.rows()) == (Code.TABLE_CHANGED, [("a", 1)])


def test_files_of_a_partition_that_was_not_asked_for_are_refused(lake):
    with pytest.raises(DataError, match="files of 1 partitions were written that are not to be replaced, 'b'"):
        lake.put(1, [("a", 1), ("b", 1)], days=["a"])
    assert lake.store.version(DAYS) == -1


def test_a_table_without_partitions_is_replaced_whole(lake):
    for n in (1, 2):
        files = lake.write(n, [("", n)], WHOLE)
        version = lake.store.version(WHOLE)
        lake.store.adopt(WHOLE, [""], files, read_version=version, fence=Fence("shop/whole", 1))
    assert (lake.rows(WHOLE), lake.store.version(WHOLE)) == ([(2,)], 1)


def test_a_newer_contract_comes_with_the_files(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.put(1, [("a", 1), ("b", 2)])
    brand = Column("brand", Kind.STRING, "b", nullable=True)
    newer = dataclasses.replace(DAYS, columns=(*DAYS.columns, brand), version=2)
    files = lake.write(2, [("b", 3, "acme")], newer)
    lake.store.adopt(newer, ["b"], files, read_version=0)
    assert (lake.rows(newer), lake.store.schema_version(newer)) == ([("a", 1, None), ("b", 3, "acme")], 2)
    needed = dataclasses.replace(newer, columns=(*newer.columns, Column("kind", Kind.STRING, "k")), version=3)
    with pytest.raises(StoreError, match="has no column kind"):
        lake.store.adopt(needed, ["b"], lake.write(3, [("b", 3, "acme", "x")], needed), read_version=1)


def test_what_checkpoints_name_is_kept(tmp_path):
    lake = Lake(tmp_path / "lake")
    for n in range(3):
        lake.put(n, [("a", n)])
    lake.handle().create_checkpoint()
    for path in (tmp_path / "lake/days/_delta_log").glob("*.json"):
        if not path.name.endswith("2.json"):
            path.unlink()
    lake.write(7, [("a", 7)])
    assert lake.clean() == ["attempt-7/date_partition=a/part-0.parquet"]
    assert not (tmp_path / "lake/days/attempt-7").exists()
    assert len(lake.on_disk()) == 3


DYING = """
import os, signal, sys
sys.path.insert(0, {here!r})
import test_delta_bridge as bridge
lake = bridge.Lake({root!r}, {options!r})
if {where!r} == "after":
    lake.put(2, [("a", 5), ("b", 6)], token=1)
files = lake.write(2, [("a", 5), ("b", 6)]) if {where!r} == "before" else None
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("where", "seen"), [("before", [("a", 1)]), ("after", [("a", 5), ("b", 6)])])
def test_a_writer_that_is_killed_before_or_after_its_commit_leaves_a_whole_version(lake, where, seen):
    lake.put(1, [("a", 1)])
    script = DYING.format(here=os.path.dirname(__file__), root=lake.root, options=lake.options, where=where)  # noqa: PTH120
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert lake.rows() == seen
    lake.put(3, [("a", 5), ("b", 6)], token=2)
    assert lake.rows() == [("a", 5), ("b", 6)]
    assert len(lake.clean(token=2)) == (2 if where == "before" else 0)


CONTENTS = st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(0, 5), min_size=1, max_size=2), max_size=2)


class AgainstADictionary(RuleBasedStateMachine):
    """Whatever comes in whatever order, the table holds what a dictionary of partitions would hold."""

    def __init__(self):
        super().__init__()
        self.lake = Lake(tempfile.mkdtemp(prefix="endcap-bridge-"))
        self.held, self.attempt, self.token = {}, 0, 1
        self.dead = []  # attempts that wrote and have not committed

    def teardown(self):
        shutil.rmtree(self.lake.root)

    def write(self, contents):
        self.attempt += 1
        return self.lake.write(self.attempt, [(day, n) for day, ns in contents.items() for n in ns])

    def fence(self):
        return Fence("shop/days", self.token)

    @rule(contents=CONTENTS, empty=st.sampled_from("abc"))
    def adopt(self, contents, empty):
        days, read = sorted({*contents, empty}), self.lake.store.version(DAYS)
        self.lake.store.adopt(DAYS, days, self.write(contents), read_version=read, fence=self.fence())
        self.held = {day: ns for day, ns in (self.held | {empty: []} | contents).items() if ns}

    @rule(contents=CONTENTS)
    def replace(self, contents):
        if contents:
            rows = pa.table(
                {
                    "date_partition": [day for day, ns in contents.items() for _ in ns],
                    "n": [n for ns in contents.values() for n in ns],
                }
            )
            self.lake.store.replace(DAYS, list(contents), rows.to_reader(), fence=self.fence())
            self.held |= contents

    @rule(contents=CONTENTS)
    def die_before_the_commit(self, contents):
        read = self.lake.store.version(DAYS)
        self.dead.append((self.write(contents), read, self.token, contents))
        self.token += 1

    @rule()
    def wake_up(self):
        """A writer that was taken for dead commits after all: in full, or with an error of ours."""
        if self.dead:
            files, read, token, contents = self.dead.pop()
            refused = None
            try:
                self.lake.store.adopt(DAYS, list(contents), files, read_version=read, fence=Fence("shop/days", token))
            except LedgerError as error:
                refused = error.code
            if refused is None:
                assert all(sorted(self.held.get(day, [])) == self.seen_at(read, day) for day in contents)
                self.held |= contents
            assert refused in (None, Code.FENCED, Code.TABLE_CHANGED)

    @rule(n=st.integers(0, 5))
    def delete(self, n):
        if self.lake.store.version(DAYS) >= 0:
            self.lake.handle().delete(f"n = {n}")
            self.held = {day: kept for day, ns in self.held.items() if (kept := [each for each in ns if each != n])}

    @rule()
    def clean(self):
        self.token += 1
        self.lake.clean(self.token)

    def seen_at(self, version, day):
        if version < 0:
            return []
        found = pa.table(DeltaTable(self.lake.store.folder(DAYS), version=version).to_pyarrow_table()).to_pylist()
        return sorted(each["n"] for each in found if each["date_partition"] == day)

    @invariant()
    def it_is_what_the_dictionary_holds(self):
        found = self.lake.rows() if self.lake.store.version(DAYS) >= 0 else []
        assert found == sorted((day, n) for day, ns in self.held.items() for n in ns)


AgainstADictionary.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
TestAgainstADictionary = AgainstADictionary.TestCase
