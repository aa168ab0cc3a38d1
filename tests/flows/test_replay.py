import shutil

import msgspec
import pytest

from endcap.core.clock import fixed_clock
from endcap.core.errors import Code, DataError, EndcapError
from endcap.core.manifest import read_manifest
from endcap.core.tables import EVENTS
from endcap.flows.refresh import refresh
from endcap.flows.replay import REPORT, replay
from endcap.flows.shop import find_shop

pytestmark = pytest.mark.slow

FIRST_DAYS = {
    "2026-03-01": "10:00 u1 view_item A\n10:05 u1 view_item B",
    "2026-03-05": "10:00 u1 view_item C\n10:25 u1 add_to_cart C\n11:00 u2 view_item A\n11:01 u2 view_item B",
}
LATE_DAY = "10:00 u2 view_item B\n10:01 u2 view_item C\n10:02 u2 dance A"


@pytest.fixture(scope="module")
def played(tmp_path_factory, make_hand_made, write_day):
    """A shop of two runs: before the second came a day, a late file for an old one, and other settings."""
    root = make_hand_made(tmp_path_factory.mktemp("played") / "hand", FIRST_DAYS)
    first = refresh(root, clock=fixed_clock("2026-03-06T12:00:00"))
    write_day(root, "2026-03-09", LATE_DAY)
    write_day(root, "2026-03-05", "15:00 u3 view_item A\n15:01 u3 view_item C", name="late")
    with (root / "endcap.toml").open("a") as file:
        file.write("[sessions]\ngap_minutes = 20\n")
    second = refresh(root, clock=fixed_clock("2026-03-10T12:00:00"))
    return root, first, second


@pytest.fixture
def shop(tmp_path, played):
    return shutil.copytree(played[0], tmp_path / "hand"), *played[1:]


def stamps(folder, *, leave_out=()):
    """When each file of a folder was written, and its size."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    wanted = {name: path.stat() for name, path in files.items() if not {*leave_out} & {*name.parts}}
    return {str(name): (stat.st_mtime_ns, stat.st_size) for name, stat in wanted.items()}


def change(root, run_id, **values):
    path = root / "runs" / f"{run_id}.json"
    path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | values))


def test_the_first_run_is_made_again_to_the_byte_though_data_and_settings_have_changed_since(shop, flow_of):
    root, first, second = shop
    before = stamps(root, leave_out=("replays", "endcap.db", "scratch"))
    found = replay(root, first.run_id)
    assert found.verdict.is_equal, found.verdict.lines()
    assert found.verdict.num_compared > 20
    assert found.bundle == first.bundle_id != second.bundle_id
    then, now = root / "bundles" / first.bundle_id, found.place / "bundles" / first.bundle_id
    assert read_manifest(now) == read_manifest(then)
    for name in read_manifest(then).files:
        assert (now / name).read_bytes() == (then / name).read_bytes()
    assert stamps(root, leave_out=("replays", "endcap.db", "scratch")) == before
    assert find_shop(root).bundle_in_force() == second.bundle_id
    (row,) = [row for row in flow_of(root).ledger.audit.rows(limit=500) if row["action"] == "run.replay"]
    assert (row["resource"], row["outcome"]) == (f"run/{first.run_id}", "allowed")
    told = msgspec.json.decode((found.place / REPORT).read_bytes())
    assert told["verdict"]["equal"] is True
    again = stamps(found.place / "lake")
    twice = replay(root, first.run_id)
    assert {report.state for report in twice.steps} == {"unchanged"}
    assert stamps(found.place / "lake") == again
    assert twice.verdict == found.verdict


def test_a_later_run_is_named_by_its_bundle_and_reads_what_it_did_not_make_as_it_was(shop):
    root, _, second = shop
    found = replay(root, second.bundle_id)
    assert found.verdict.is_equal, found.verdict.lines()
    assert found.plan.partitions["logins"] == ["2026-03-05", "2026-03-09"]  # the day of March 1 is read as it was
    assert found.bundle == second.bundle_id


def test_a_replay_that_stopped_goes_on_where_it_was(shop, monkeypatch):
    root, first, _ = shop

    def stop(*_args, **_kwargs):
        raise DataError("stopped here", fix="go on", code=Code.CONTRACT_BROKEN)

    with monkeypatch.context() as patch:
        patch.setattr("endcap.flows.feature_steps.check_sequences", stop)
        with pytest.raises(EndcapError, match="stopped here"):
            replay(root, first.run_id)
    found = replay(root, first.run_id)
    states = {report.step: report.state for report in found.steps}
    assert (states["sessions"], states["sequences"], states["bundle"]) == ("unchanged", "done", "done")
    assert found.verdict.is_equal


def test_a_version_that_is_gone_is_told_before_anything_is_done(shop):
    root, first, _ = shop
    day = root / "lake" / EVENTS.name / f"{EVENTS.partition}=2026-03-01"
    for path in day.glob("*.parquet"):
        path.unlink()
    with pytest.raises(EndcapError, match="events is no longer there") as caught:
        replay(root, first.run_id)
    assert caught.value.code == Code.VERSION_GONE
    assert not (root / "replays").exists()


def test_after_people_were_forgotten_what_is_there_now_is_read_and_the_verdict_says_why_it_differs(shop, flow_of):
    root, first, _ = shop
    flow = flow_of(root)
    rows = flow.read(EVENTS, ["2026-03-05"])
    person = flow.engine.to_arrow(rows.order_by("at_us"))["user_key"][0].as_py()
    kept = rows.filter(rows.user_key != person)
    flow.tables.replace(EVENTS, ["2026-03-05"], flow.engine.stream(kept.order_by(list(EVENTS.key))))
    change(root, first.run_id, erasure="erased(2)")
    found = replay(root, first.run_id)
    assert found.plan.versions["events"] == flow.tables.version(EVENTS)
    assert not found.verdict.is_equal
    assert {each.why for each in found.verdict.differences} == {"erased(2): rows of people were forgotten since"}
    assert "sessions/2026-03-05" in {each.part for each in found.verdict.differences}
    assert "sessions/2026-03-01" not in {each.part for each in found.verdict.differences}


def test_what_another_version_of_the_code_has_made_is_named_with_both_versions(shop):
    root, first, _ = shop
    change(root, first.run_id, code_version="0.0.1")
    path = root / "runs" / f"{first.run_id}.json"
    told = msgspec.json.decode(path.read_bytes())
    sessions = next(each for each in told["attempts"] if each["step"] == "sessions")
    sessions["outputs"]["sessions"]["digests"]["2026-03-05"] = "f" * 32
    sessions["code_digest"] = "another"
    change(root, first.run_id, attempts=told["attempts"])
    (difference,) = replay(root, first.run_id).verdict.differences
    assert (difference.part, difference.then) == ("sessions/2026-03-05", "f" * 32)
    assert difference.why.startswith("Endcap 0.0.1 then, ")
    assert difference.why.endswith("the code of this step has changed")


def test_a_run_that_failed_is_made_again_as_far_as_it_came(tmp_path, make_hand_made, monkeypatch):
    root = make_hand_made(tmp_path / "hand", FIRST_DAYS)

    def stop(*_args, **_kwargs):
        raise DataError("stopped here", fix="go on", code=Code.CONTRACT_BROKEN)

    with monkeypatch.context() as patch:
        patch.setattr("endcap.flows.feature_steps.check_days", stop)
        with pytest.raises(EndcapError, match="stopped here"):
            refresh(root, clock=fixed_clock("2026-03-06T12:00:00"))
    (run,) = (root / "runs").glob("*.json")
    found = replay(root, run.stem)
    assert (found.bundle, found.plan.manifest.outcome) == ("", "failed")
    assert "daily" not in found.plan.partitions
    assert found.verdict.is_equal
    assert found.verdict.num_compared >= len(FIRST_DAYS)


def test_models_that_the_run_found_made_are_lent_and_fitted_anew_where_they_are_gone(shop):
    root, _, second = shop
    third = refresh(root, again=("bundle",), clock=fixed_clock("2026-03-10T13:00:00"))
    assert "train" not in replay(root, third.run_id).plan.partitions
    shutil.rmtree(root / "replays")
    shutil.rmtree(root / "models")
    for bundle in (root / "bundles").glob("*/models"):
        shutil.rmtree(bundle)
    found = replay(root, third.run_id)
    assert found.plan.partitions["train"] == ["item_markov", "popular"]
    assert found.verdict.is_equal, found.verdict.lines()
    assert found.bundle == second.bundle_id


def test_settings_of_then_that_nobody_understands_any_more_are_told(shop):
    root, first, _ = shop
    told = msgspec.json.decode((root / "runs" / f"{first.run_id}.json").read_bytes())
    change(root, first.run_id, settings=told["settings"] | {"sessions": {"gap": 3}})
    with pytest.raises(EndcapError, match="none that this version understands") as caught:
        replay(root, first.run_id)
    assert caught.value.code == Code.RUN_NOT_REPLAYABLE
