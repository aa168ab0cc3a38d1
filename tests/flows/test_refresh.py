import shutil

import pytest

from endcap.core.clock import fixed_clock
from endcap.core.errors import AccessError, Code, DataError, SourceError, UsageError
from endcap.core.tables import ITEM_FEATURES, USER_FEATURES
from endcap.flows.refresh import refresh
from endcap.flows.steps import STEPS
from endcap.governance.access import ALLOWED, Role
from endcap.testing.content import shop_content

FOURTH_DAY = "events_20260104.parquet"
DATA = ("events", "quarantine", "sessions", "exposures", "user_features", "item_features", "sequences", "examples")
DATA_VERBS = ("ingest", "sessionize", "featurize")
STEPS_OF_A_FOLDER = [step.name for step in STEPS if step.name not in ("pull", "track")]


def files_of(root):
    """Every file that a refresh makes but the ledger, with its time of change."""
    made = [path for room in ("lake", "models", "bundles", "reports", "index") for path in (root / room).rglob("*")]
    return {path.relative_to(root).as_posix(): path.stat().st_mtime_ns for path in made if path.is_file()}


def done(refreshed):
    return [report.step for report in refreshed.steps if report.state == "done"]


def test_a_second_refresh_writes_no_table_version_no_model_and_no_bundle(own_shop, versions, morning):
    before, written = files_of(own_shop), versions(own_shop)
    again = refresh(own_shop, clock=morning)
    assert {report.state for report in again.steps} == {"unchanged"}
    assert [report.step for report in again.steps] == STEPS_OF_A_FOLDER
    assert (files_of(own_shop), versions(own_shop)) == (before, written)
    assert written["events"] == 0
    assert len(before) > 30


def test_a_new_day_puts_a_new_bundle_in_force_and_keeps_the_old_one(tiny_shop, grown_shop, manifest_of):
    old, new = manifest_of(tiny_shop), manifest_of(grown_shop)
    assert (old.through, new.through) == ("2026-01-03", "2026-01-04")
    assert new.bundle_id.startswith("2026-01-04-")
    folders = {path.name for path in (grown_shop / "bundles").iterdir() if path.is_dir()}
    assert folders == {old.bundle_id, new.bundle_id}


def test_features_of_earlier_days_do_not_change_when_a_day_is_appended(tiny_shop, grown_shop, flow_of):
    before, after = flow_of(tiny_shop), flow_of(grown_shop)
    for table in (USER_FEATURES, ITEM_FEATURES):
        known = before.ledger.parts(table.name)
        assert list(known)[-1] == "2026-01-04"
        grown = after.ledger.parts(table.name)
        assert {day: grown[day] for day in known} == known  # the same rows, written by the same version
        assert "2026-01-05" in grown


def test_days_taken_in_one_after_the_other_give_the_tables_of_all_days_at_once(
    tmp_path, fresh_shop, grown_shop, simulated, flow_of, morning
):
    at_once = shutil.copytree(fresh_shop, tmp_path / "tiny")
    shutil.copy2(simulated / FOURTH_DAY, at_once / "export")
    refresh(at_once, verbs=DATA_VERBS, clock=morning)
    left, right = flow_of(at_once), flow_of(grown_shop)
    for table in (*DATA, "catalogue", "item_mentions", "items"):
        found, wanted = left.ledger.parts(table), right.ledger.parts(table)
        assert {day: part.digest for day, part in found.items() if part.rows} == {
            day: part.digest for day, part in wanted.items() if part.rows
        }, table


def test_through_an_earlier_day_its_bundle_is_put_in_force_and_no_table_of_days_changes(
    own_shop, versions, manifest_of, morning
):
    written = versions(own_shop)
    told = refresh(own_shop, through="2026-01-02", clock=morning)
    manifest = manifest_of(own_shop)
    assert (told.through, manifest.through) == ("2026-01-02", "2026-01-02")
    assert told.bundle_id == manifest.bundle_id
    assert {name: versions(own_shop)[name] for name in DATA} == {name: written[name] for name in DATA}
    assert done(told) == ["items", "train", "evaluate", "bundle", "monitor"]


def test_the_steps_of_some_verbs_alone_are_run(own_shop, morning):
    told = refresh(own_shop, verbs=("ingest", "bundle"), clock=morning)
    assert [report.step for report in told.steps] == [
        "ingest",
        "logins",
        "identities",
        "catalogue",
        "mentions",
        "items",
        "slates",
        "quality",
        "bundle",
    ]


def test_a_step_asked_for_again_is_done_and_makes_the_same(own_shop, manifest_of, morning):
    before, bundle = files_of(own_shop), manifest_of(own_shop)
    told = refresh(own_shop, again=("sessions", "train"), clock=morning)
    assert done(told) == ["sessions", "train"]
    assert (files_of(own_shop), manifest_of(own_shop)) == (before, bundle)


def test_an_unknown_step_is_told_with_the_near_one_before_anything_is_done(own_shop, flow_of):
    with pytest.raises(UsageError, match="no step 'sesions'; did you mean 'sessions'") as caught:
        refresh(own_shop, again=("train", "sesions"))
    assert caught.value.code is Code.USAGE
    assert set(flow_of(own_shop).ledger.fingerprints("train")) == {"popular", "item_markov"}


def test_a_day_before_all_data_is_told_with_the_days_there_are(own_shop, tmp_path, make_hand_made):
    with pytest.raises(DataError) as caught:
        refresh(own_shop, through="2025-12-31")
    assert caught.value.code is Code.DAY_NOT_READY
    assert caught.value.where == "table events, which has 2026-01-01 to 2026-01-03"
    empty = make_hand_made(tmp_path / "hand", {"2026-03-01": "10:00 u1 view_item A"})
    with pytest.raises(DataError, match="no events through 2026-02-28") as caught:
        refresh(empty, through="2026-02-28")
    assert caught.value.where == "table events, which has no day yet"


def test_a_day_behind_all_data_is_refused_and_items_do_not_change_from_then_on(own_shop, flow_of, morning):
    items = flow_of(own_shop).ledger.parts("items")
    with pytest.raises(DataError, match="no events as late as 2099-01-01") as caught:
        refresh(own_shop, through="2099-01-01", clock=morning)
    assert caught.value.code is Code.DAY_NOT_READY
    assert flow_of(own_shop).ledger.parts("items") == items


@pytest.mark.parametrize("table", ["events", "sessions", "sequences", "catalogue", "items"])
def test_a_table_that_is_gone_is_made_again(own_shop, morning, table):
    before = shop_content(own_shop)
    shutil.rmtree(own_shop / "lake" / table)
    refresh(own_shop, clock=morning)
    assert shop_content(own_shop) == before


def test_a_step_is_done_again_only_for_whoever_may_do_it(own_shop, flow_of, morning, monkeypatch):
    before = flow_of(own_shop).ledger.fingerprints("train")
    monkeypatch.setitem(ALLOWED, Role.OWNER, ALLOWED[Role.MERCHANDISER])
    with pytest.raises(AccessError):
        refresh(own_shop, again=("train",), clock=morning)
    assert flow_of(own_shop).ledger.fingerprints("train") == before


def test_a_source_file_cut_short_is_told_and_leaves_everything_in_force(own_shop, simulated, manifest_of, morning):
    before, bundle = files_of(own_shop), manifest_of(own_shop)
    whole = (simulated / FOURTH_DAY).read_bytes()
    (own_shop / "export" / FOURTH_DAY).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="cut off or damaged; 2026-01-04 waits for it") as caught:
        refresh(own_shop, clock=morning)
    assert (caught.value.code, caught.value.where) == (Code.SOURCE_UNREADABLE, FOURTH_DAY)
    now = files_of(own_shop)
    assert {name for name in before if now.get(name) != before[name]} <= {"reports/health.json", "reports/health.txt"}
    assert manifest_of(own_shop) == bundle
    assert "the source cannot be read" in (own_shop / "reports" / "health.txt").read_text()
    (own_shop / "export" / FOURTH_DAY).unlink()
    told = {report.step: report.state for report in refresh(own_shop, clock=morning).steps}
    assert {step for step, state in told.items() if state != "unchanged"} == {"monitor"}  # it has good news


def test_progress_tells_each_step_and_the_ledger_keeps_the_run(own_shop, flow_of):
    told = []
    refreshed = refresh(own_shop, again=("bundle",), progress=told.append, clock=fixed_clock("2026-02-03T04:05:06"))
    states = [(report.step, report.state) for report in told]
    assert states[states.index(("bundle", "started")) + 1] == ("bundle", "done")
    assert [step for step, state in states if state != "started"] == STEPS_OF_A_FOLDER
    assert refreshed.run_id.startswith("2026-02-03-")
    attempts = flow_of(own_shop).ledger.attempts(run_id=refreshed.run_id)
    assert [(attempt["step"], attempt["outcome"]) for attempt in attempts] == [("monitor", "done"), ("bundle", "done")]
