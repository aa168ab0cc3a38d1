import json
import subprocess
import sys

import pytest
from tests.conftest import is_missing

from endcap.testing.fault_runs import BUCKET, choose_fault
from endcap.testing.faults import FaultKind
from endcap.testing.s3_server import CREDENTIALS, make_bucket, own_s3, s3_program

pytestmark = pytest.mark.slow

OPERATIONS = ["catalog", "table/events", "catalog", "table/events", "file/bundles"]

RUN = """
import json, os, sys
from pathlib import Path
from endcap.testing.fault_runs import fault_and_resume, pause_and_resume, undisturbed
from endcap.testing.fault_scenes import SAME_FOR_ALL, make_scene
from endcap.testing.faults import Fault, FaultKind

root, asked = Path(sys.argv[1]), json.loads(sys.argv[2])
os.environ |= SAME_FOR_ALL
scene = make_scene(root / "fresh", is_backfill=asked["is_backfill"], far=asked["far"])
_, wanted = undisturbed(scene, root / "whole" / "tiny")
told = []
for number, (kind, name, nth) in enumerate(asked["faults"]):
    run = pause_and_resume if kind == "pause" else fault_and_resume
    it = run(scene, root / f"fault-{number}" / "tiny", wanted, Fault(FaultKind(kind), name, nth))
    told.append([it.met, it.code, it.differences, it.lost, it.doubled, it.late_writes])
print(json.dumps(told))
"""

WHOLE = [[], 0, 0, 0]
"""No part differs, no event is lost or doubled, and no late runner wrote."""


def run(folder, faults, *, is_backfill=False, far=""):
    asked = json.dumps({"faults": faults, "is_backfill": is_backfill, "far": far})
    # In a process without threads: it is forked.
    words = [sys.executable, "-c", RUN, str(folder), asked]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return json.loads(ended.stdout.splitlines()[-1])


def test_a_seed_draws_one_fault_and_each_name_of_an_operation_is_as_likely():
    drawn = [choose_fault(OPERATIONS, seed) for seed in range(300)]
    assert drawn == [choose_fault(OPERATIONS, seed) for seed in range(300)]
    met = [fault.name for fault in drawn]
    assert all(70 < met.count(name) < 130 for name in set(OPERATIONS))
    assert {fault.number for fault in drawn if fault.name != "file/bundles"} == {1, 2}


def test_only_what_can_go_wrong_at_an_operation_is_drawn():
    def kinds(name):
        return {choose_fault([name], seed).kind for seed in range(100)}

    of_a_disk = {FaultKind.KILL_BEFORE, FaultKind.KILL_AFTER, FaultKind.NO_SPACE, FaultKind.TORN}
    of_a_server = {FaultKind.ANSWER_LOST, FaultKind.SLOW_DOWN, FaultKind.REFUSED}
    assert kinds("table/events") == of_a_disk
    assert kinds("worker/catalog") == of_a_disk | {FaultKind.ANSWER_LOST}
    assert kinds("s3/put/log") == of_a_disk - {FaultKind.NO_SPACE} | of_a_server
    assert kinds("s3/get") == of_a_server


def test_a_pause_never_holds_the_database():
    drawn = [choose_fault(OPERATIONS, seed, kinds=[FaultKind.PAUSE]) for seed in range(50)]
    assert "catalog" not in {fault.name for fault in drawn}


def test_a_torn_table_a_full_disk_and_a_runner_that_sleeps_too_long_leave_the_shop_whole(tmp_path):
    faults = [("torn", "table/sessions", 1), ("no_space", "table/sessions", 1), ("answer_lost", "catalog", 60),
              ("pause", "table/sessions", 1)]  # fmt: skip
    torn, full, lost, paused = run(tmp_path, faults)
    assert torn == [True, -9, *WHOLE]
    assert full == [True, 2, *WHOLE]
    assert lost == [True, 0, *WHOLE]
    assert paused[1] != 0  # refused: another runner holds the step
    assert paused[2:] == WHOLE


def test_a_backfill_whose_worker_dies_goes_on_and_one_that_dies_itself_is_resumed(tmp_path):
    faults = [("kill_after", "worker/table/sessions", 2), ("no_space", "worker/table/elements", 3),
              ("kill_before", "folder/bundles", 1)]  # fmt: skip
    died, full, killed = run(tmp_path, faults, is_backfill=True)
    assert died == [True, 0, *WHOLE]
    assert full == [True, 2, *WHOLE]  # no day is guilty of it
    assert killed == [True, -9, *WHOLE]


@pytest.fixture
def far(monkeypatch):
    """An S3 server with nothing but the bucket of the shops."""
    if not s3_program():
        is_missing("the S3 server", "make build/s3/ready")
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with own_s3() as endpoint:
        make_bucket(endpoint, BUCKET)
        yield endpoint


def test_what_an_object_store_does_and_does_not_answer_is_done_once(tmp_path, far):
    faults = [("answer_lost", "s3/put/log", 5), ("answer_lost", "s3/put/current", 1), ("refused", "s3/put/log", 4),
              ("answer_lost", "s3/put/check", 1)]  # fmt: skip
    assert run(tmp_path, faults, far=far) == [[True, 0, *WHOLE]] * 4


def test_a_backfill_waits_for_an_object_store_that_is_away_while_a_worker_writes(tmp_path, far):
    faults = [("refused", "s3/put/data", 20), ("kill_after", "s3/put/log", 9)]
    assert run(tmp_path, faults, is_backfill=True, far=far) == [[True, 0, *WHOLE]] * 2
