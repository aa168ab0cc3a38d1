from pathlib import Path
from types import SimpleNamespace

from endcap.cli.replay_text import replay_plan_text, replay_text
from endcap.core.version import __version__
from endcap.flows.flow import StepReport
from endcap.flows.replay import Replayed
from endcap.flows.replay_verdict import Difference, Verdict


def plan(erasure="complete", code_version=__version__):
    manifest = SimpleNamespace(run_id="R", outcome="done", through="2026-01-03", erasure=erasure,
                               code_version=code_version, versions={})  # fmt: skip
    partitions = {"sessions": ["2026-01-01", "2026-01-02", "2026-01-03"], "bundle": [""]}
    return SimpleNamespace(
        manifest=manifest, partitions=partitions, versions={"events": 7, "items": 1}, read=["events"]
    )


def test_the_plan_names_the_versions_that_are_read_and_what_is_otherwise_than_then():
    told = replay_plan_text(Replayed(plan("erased(3)", "0.0.1"), Path("shop/replays/R")))
    assert "replay of the run R (done), through 2026-01-03, in shop/replays/R" in told
    assert "as they were: events 7" in told
    assert f"otherwise than then: Endcap 0.0.1 then, {__version__} now" in told
    assert "erased(3): rows of people were forgotten since" in told
    assert "sessions  2026-01-01..2026-01-03" in told


def test_the_verdict_comes_first_and_then_what_differs():
    differences = (Difference("sessions", "sessions/2026-01-02", "a", "b", "a reason"),)
    steps = [StepReport("sessions", "done")]
    told = replay_text(Replayed(plan(), Path("place"), steps, Verdict(9, differences), "B")).splitlines()
    assert told == [
        "replay: not equal; 8 of 9 parts are as the run's manifest says",
        "  differs: sessions 2026-01-02: a reason",
        "made again: bundle B",
        "it lies in place",
    ]
    again = replay_text(Replayed(plan(), Path("place"), [StepReport("sessions", "unchanged")], Verdict(9), ""))
    assert again.splitlines()[:2] == [
        "replay: equal; 9 of 9 parts are as the run's manifest says",
        "nothing to do: it was made again before",
    ]
