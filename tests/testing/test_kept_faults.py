"""Faults that a shop did not come through once: each is done again, so that it never comes back."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

DONE = """
import sys
from pathlib import Path
from endcap.testing.fault_runs import fault_and_resume, undisturbed
from endcap.testing.fault_scenes import make_scene
from endcap.testing.faults import Fault, FaultKind

folder = Path(sys.argv[1])
scene = make_scene(folder / "one", is_backfill=sys.argv[2] == "backfill")
_, wanted = undisturbed(scene, folder / "whole" / "tiny")
fault = Fault(FaultKind(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
run = fault_and_resume(scene, folder / "faulty" / "tiny", wanted, fault)
assert run.met, "the fault was never met"
assert (run.differences, run.lost, run.doubled) == ((), 0, 0), run
"""


@pytest.mark.parametrize(
    ("scene", "kind", "name", "number"),
    [
        # The step asked for the days of its own table, one of which was open, and never got as far as to complete it.
        ("backfill", "torn", "table/quality", 1),
    ],
)
def test_a_fault_that_once_left_a_shop_unfinished(tmp_path, scene, kind, name, number):
    ended = subprocess.run(
        [sys.executable, "-c", DONE, str(tmp_path), scene, kind, name, str(number)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
