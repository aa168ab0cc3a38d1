"""What a whole replay is told is in test_replay; here is how it reads."""

from endcap.core.version import __version__
from endcap.flows.replay_verdict import Difference, Verdict, other_versions
from endcap.flows.run_manifest import versions_now


class Plan:
    def __init__(self, code_version, versions):
        self.manifest = type("Manifest", (), {"code_version": code_version, "versions": versions})


def test_parts_of_one_kind_that_differ_for_one_reason_are_one_line():
    days = [f"2026-01-0{day}" for day in range(1, 8)]
    found = Verdict(
        20,
        (
            *(Difference("sessions", f"sessions/{day}", "a", "b", "duckdb 1 then, 2 now") for day in days),
            Difference("train", "model popular", "a", "b", "made from what differs"),
            Difference("bundle", "bundle", "a", "b", "made from what differs"),
        ),
    )
    assert not found.is_equal
    assert found.lines() == [
        "differs: sessions 2026-01-01, 2026-01-02, 2026-01-03, 2026-01-04 and 3 more: duckdb 1 then, 2 now",
        "differs: model popular: made from what differs",
        "differs: bundle: made from what differs",
    ]
    assert found.to_plain()["equal"] is False


def test_what_cannot_be_compared_is_not_called_equal():
    assert Verdict(3).is_equal
    found = Verdict(3, (), ("items: version 2 is gone",))
    assert not found.is_equal
    assert found.lines() == ["not compared: items: version 2 is gone"]


def test_only_versions_that_are_others_now_are_told():
    assert other_versions(Plan(__version__, versions_now())) == []
    told = other_versions(Plan("0.0.1", versions_now() | {"duckdb": "0.1"}))
    assert told == [f"Endcap 0.0.1 then, {__version__} now", f"duckdb 0.1 then, {versions_now()['duckdb']} now"]
    assert other_versions(Plan(__version__, {})) == []  # of a manifest that did not name it
