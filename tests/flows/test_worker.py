import subprocess
import sys

from endcap.flows.runner import pending_of
from endcap.flows.steps import STEPS
from endcap.flows.worker import answer_chunk

SESSIONS = next(step for step in STEPS if step.name == "sessions")


def words(flow, step, **changes):
    flow.ledger.forget(step)
    pending, inputs = pending_of(flow, next(each for each in STEPS if each.name == step))
    return {
        "step": step, "pending": pending, "inputs": inputs, "fence": [flow.ledger.lease_name(step), 9],
        "run_id": "run-9", "now_us": 9, "through": flow.through, "again": [], "queue_s": 0.0,
        "retry": {}, **changes,
    }  # fmt: skip


def test_a_chunk_is_done_under_the_run_and_the_lease_of_the_coordinator(own_shop, flow_of):
    flow = flow_of(own_shop, "2026-01-03")
    answer = answer_chunk(flow, words(flow, "sessions"))
    assert answer["report"]["partitions"] == 3
    attempt = flow.ledger.attempts(limit=1)[0]
    assert (attempt["run_id"], attempt["token"], attempt["outcome"]) == ("run-9", 9, "done")


def test_a_fault_is_told_by_its_type_alone(own_shop, flow_of):
    flow = flow_of(own_shop, "2026-01-03")
    answer = answer_chunk(
        flow, words(flow, "sessions", inputs={"2026-01-01": {"events/2026-01-01": None}}, pending={"no day": "x"})
    )
    assert answer["error"]["code"] == "internal"
    assert "no day" not in answer["error"]["what"]


def test_a_worker_whose_coordinator_is_gone_ends(own_shop):
    command = [sys.executable, "-m", "endcap.flows.worker", str(own_shop), "1"]
    assert subprocess.run(command, input="", text=True, check=False).returncode == 0
