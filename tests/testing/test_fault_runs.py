import json
import shutil
import subprocess
import sys

import pytest

from endcap.testing.fault_runs import choose_fault
from endcap.testing.faults import FaultKind

pytestmark = pytest.mark.slow

OPERATIONS = ["catalog", "table/events", "catalog", "table/events", "file/bundles"]

RUN = """
import json, sys
from pathlib import Path
from endcap.testing.fault_runs import fault_and_refresh, holdings, pause_and_refresh
from endcap.testing.faults import Fault, FaultKind, count_operations

root = Path(sys.argv[1])
(root / "whole").mkdir()
fresh, whole = root / "fresh" / "tiny", root / "whole" / "tiny"
import shutil
shutil.copytree(fresh, whole)
operations = count_operations(whole)
wanted = holdings(whole)
number = operations.index("table/sessions") + 1
run = fault_and_refresh(fresh, root / "torn" / "tiny", wanted, Fault(FaultKind.TORN, number))
late = pause_and_refresh(fresh, root / "paused" / "tiny", wanted, Fault(FaultKind.PAUSE, number))
print(json.dumps([[x.name, x.code, x.differences, x.lost, x.doubled, x.late_writes] for x in (run, late)]))
"""


def test_a_seed_draws_one_fault_and_each_kind_of_operation_is_as_likely():
    drawn = [choose_fault(OPERATIONS, seed) for seed in range(300)]
    assert drawn == [choose_fault(OPERATIONS, seed) for seed in range(300)]
    assert {fault.kind for fault in drawn} == set(FaultKind) - {FaultKind.PAUSE}
    met = [OPERATIONS[fault.operation - 1] for fault in drawn]
    assert all(70 < met.count(name) < 130 for name in set(OPERATIONS))


def test_a_pause_never_holds_the_database():
    drawn = [choose_fault(OPERATIONS, seed, kinds=[FaultKind.PAUSE]) for seed in range(50)]
    assert "catalog" not in {OPERATIONS[fault.operation - 1] for fault in drawn}


def test_a_torn_table_and_a_runner_that_sleeps_too_long_leave_the_shop_whole(tmp_path, whole):
    fresh = tmp_path / "fresh" / "tiny"
    shutil.copytree(whole / "export", fresh / "export")
    shutil.copytree(whole / "keys", fresh / "keys")
    shutil.copy2(whole / "endcap.toml", fresh)
    # In a process without threads: it is forked.
    ended = subprocess.run([sys.executable, "-c", RUN, str(tmp_path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    torn, paused = json.loads(ended.stdout.splitlines()[-1])
    assert torn == ["table/sessions", -9, [], 0, 0, 0]
    assert paused[0] == "table/sessions"
    assert paused[1] != 0  # refused: another runner holds the step
    assert paused[2:] == [[], 0, 0, 0]
