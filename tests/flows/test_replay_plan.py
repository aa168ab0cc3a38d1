import pytest

from endcap.core.errors import Code, LedgerError
from endcap.core.manifest import RunManifest, SnapshotRef
from endcap.flows.replay_plan import NOT_REPLAYED, plan_replay
from endcap.flows.steps import STEPS

DAYS = ["2026-01-01", "2026-01-02"]
TABLES = [SnapshotRef(name, version, "digest", 1) for name, version in (("events", 4), ("items", 2), ("sessions", 3))]


def attempt(step, partitions, outcome="done", left_out=(), inputs=()):
    detail = {"left_out": dict.fromkeys(left_out, "why")} if left_out else {}
    return {"step": step, "partitions": partitions, "outcome": outcome, "detail": detail, "outputs": {},
            "inputs": dict.fromkeys(inputs, "digest")}  # fmt: skip


def manifest(*attempts, **values):
    told = {
        "run_id": "r", "organisation": "local", "project": "p", "region": "local", "actor": "a", "started_at_us": 0,
        "outcome": "done", "through": DAYS[-1], "bundle_id": "", "seed": 1, "code_version": "1", "versions": {},
        "config_digest": "", "settings": {"models": {"train": ["popular", "two_tower"]}}, "attempts": list(attempts),
        "tables": TABLES,
    }  # fmt: skip
    return RunManifest(**{**told, **values})


def plan(*attempts, latest=None, **values):
    return plan_replay(manifest(*attempts, **values), latest=latest or {})


def test_what_the_run_did_from_files_and_what_failed_is_left_out():
    made = plan(
        attempt("ingest", DAYS),
        attempt("daily", DAYS[:1], "failed"),
        attempt("sessions", DAYS, left_out=DAYS[:1], inputs=["events/2026-01-02"]),
        attempt("items", [""], inputs=["item_mentions/2026-01-02"]),
    )
    assert made.partitions == {"items": [""], "sessions": DAYS[1:]}
    assert [step.name for step in made.steps] == ["items", "sessions"]
    assert made.owned == {"items": [""], "sessions": DAYS[1:]}
    assert made.read == ["events"]  # items are made again whole, mentions held no rows
    assert {*NOT_REPLAYED} < {step.name for step in STEPS}


def test_only_the_partitions_of_the_run_are_done_however_many_are_pending():
    made = plan(attempt("sessions", DAYS[:1]))
    (step,) = made.steps
    assert made(None, step, {day: {} for day in DAYS}) == DAYS[:1]


def test_models_that_a_bundle_found_made_are_lent_as_far_as_the_settings_name_them():
    outputs = {"train": {name: {"version": f"v-{name}"} for name in ("popular", "two_tower", "old")}}
    made = plan(attempt("train", ["popular"]), attempt("bundle", [""]), outputs=outputs)
    assert made.lent["train"] == {"two_tower": "v-two_tower"}
    assert made.read == ["events", "items"]
    assert plan(attempt("train", ["popular"]), outputs=outputs).lent["train"] == {}


def test_once_people_were_forgotten_no_older_version_is_read():
    made = plan(attempt("sessions", DAYS), erasure="erased(3)", latest={"events": 9, "sessions": 8, "items": -1})
    assert made.versions == {"events": 9, "sessions": 8}


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (manifest(attempt("ingest", DAYS)), "has done nothing that can be made again"),
        (manifest(attempt("sessions", DAYS, "failed"), outcome="failed"), "it failed before"),
        (manifest(attempt("sessions", DAYS), tables=[]), "does not tell which versions"),
        (manifest(attempt("sessions", DAYS), settings={"engine": {"name": "spark"}}), "was computed by spark"),
    ],
)
def test_a_run_that_cannot_be_made_again_is_told_with_the_reason(run, told):
    with pytest.raises(LedgerError, match=told) as caught:
        plan_replay(run, latest={})
    assert caught.value.code == Code.RUN_NOT_REPLAYABLE
