import shutil
import sqlite3
from contextlib import closing

import pytest

from endcap.cli.main import main
from endcap.core.clock import fixed_clock
from endcap.core.errors import Code, DataError, UsageError
from endcap.core.ids import digest_of
from endcap.core.tables import SESSIONS
from endcap.flows.backfill import backfill, steps_named
from endcap.flows.deploy import promote
from endcap.flows.refresh import refresh
from endcap.testing.content import shop_content

pytestmark = pytest.mark.slow

NOON = fixed_clock("2026-03-10T12:00:00")
FROM, TO = "2026-03-04", "2026-03-09"


@pytest.fixture
def shop(tmp_path, hand):
    """A copy of the hand-made shop whose sessions end after 20 minutes now."""
    root = shutil.copytree(hand, tmp_path / "hand")
    with (root / "endcap.toml").open("a") as file:
        file.write("[sessions]\ngap_minutes = 20\n")
    return root


def run(root, **options):
    return backfill(root, first=FROM, last=TO, clock=NOON, **options)


def on_disk(root):
    """All files but the ledger's, and all rows of the ledger but of the audit log."""
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*")
             if path.is_file() and not path.name.startswith("endcap.db") and "scratch" not in path.parts}  # fmt: skip
    with closing(sqlite3.connect(root / "endcap.db")) as connection:
        rows = [line for line in connection.iterdump() if 'INTO "audit"' not in line]
    return {name: hash(content) for name, content in files.items()}, digest_of(rows)


def test_a_dry_run_tells_what_why_and_what_it_costs_and_changes_nothing(shop):
    before = on_disk(shop)
    plan = run(shop, is_dry_run=True).plan
    assert on_disk(shop) == before
    told = {step.step: step for step in plan.steps}
    assert list(told["sessions"].partitions) == ["2026-03-05", "2026-03-09"]
    assert set(told["sessions"].partitions.values()) == {"settings changed: sessions.gap_minutes"}
    assert plan.left["sessions"] == 1
    assert told["sessions"].cpu_s > 0
    assert "ingest" not in told
    assert told["daily"].partitions["2026-03-05"].startswith("settings changed")
    assert told["train"].follows == ["item_markov", "popular"]


def test_only_the_days_asked_for_are_done_and_a_refresh_does_the_rest(shop, tmp_path, hand, flow_of):
    done = run(shop)
    assert not done.failed
    again = run(shop)
    assert {report.state for report in again.steps} == {"unchanged"}
    sessions = next(step for step in again.plan.steps if step.step == "sessions")
    assert (dict(sessions.partitions), sessions.left) == ({}, 1)
    refresh(shop, clock=NOON)
    flow = flow_of(shop)
    promote(flow, flow.ledger.outputs("bundle")[""]["bundle_id"])
    other = shutil.copytree(hand, tmp_path / "other")
    shutil.copy2(shop / "endcap.toml", other)
    refresh(other, clock=NOON)
    assert shop_content(shop) == shop_content(other)


def test_the_new_bundle_is_made_and_measured_and_not_put_in_force(shop, manifest_of):
    before = manifest_of(shop).bundle_id
    done = run(shop)
    assert done.built not in {"", before}
    assert (shop / "bundles" / done.built / "manifest.json").is_file()
    assert manifest_of(shop).bundle_id == done.in_force == before
    assert done.regression.verdict in {"better", "worse", "same", "cannot tell"}
    assert (shop / "reports" / "regression.txt").read_text().startswith(f"regression: {done.regression.verdict}")


def test_a_refresh_with_nothing_to_do_names_the_bundle_that_is_held_back(shop, capsys, manifest_of):
    backfill(shop, first="2026-03-01", last=TO, clock=NOON)
    again = refresh(shop, clock=NOON)
    assert again.held_back not in {"", again.bundle_id}
    assert again.bundle_id == manifest_of(shop).bundle_id
    capsys.readouterr()
    assert main(["refresh", str(shop), "--through", again.through]) == 0
    assert f"endcap promote {shop} {again.held_back}" in capsys.readouterr().out


def test_a_day_that_fails_stops_only_what_needs_it_and_the_same_command_goes_on(shop, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("endcap.flows.session_steps.check_sessions", bad_day("2026-03-05"))
        done = run(shop)
    assert list(done.failed) == ["sessions"]
    assert list(done.failed["sessions"]) == ["2026-03-05"]
    assert "2026-03-09" not in done.waiting.get("daily", {})
    assert done.waiting["exposures"]["2026-03-05"] == "sessions 2026-03-05"
    assert (done.built, done.regression) == ("", None)
    again = run(shop)
    assert not again.failed
    assert {step.step: list(step.partitions) for step in again.plan.steps}["sessions"] == ["2026-03-05"]
    assert again.built


def bad_day(day):
    def check(_engine, _rows, _events, *, days):
        if day in days:
            raise DataError("this day always fails", fix="mend it", code=Code.CONTRACT_BROKEN)

    return check


def test_a_table_that_is_gone_is_told_and_made_again(tmp_path, hand, rows_of):
    shop = shutil.copytree(hand, tmp_path / "hand")
    before = rows_of(shop, SESSIONS)
    shutil.rmtree(shop / "lake" / "sessions")
    done = backfill(shop, first="2026-03-01", last=TO, clock=NOON)
    planned = next(step for step in done.plan.steps if step.step == "sessions")
    assert set(planned.partitions.values()) == {"its table is gone"}
    assert rows_of(shop, SESSIONS) == before


def test_steps_go_by_their_names_or_verbs_and_a_wrong_one_is_told():
    assert [step.name for step in steps_named(["sessionize", "train"])] == ["sessions", "exposures", "train"]
    assert not {"pull", "monitor", "track"} & {step.name for step in steps_named([])}
    with pytest.raises(UsageError, match="did you mean 'sessions'"):
        steps_named(["session"])


def test_days_in_the_wrong_order_are_told(shop):
    with pytest.raises(UsageError, match="is later than"):
        backfill(shop, first=TO, last=FROM)


def test_spark_computes_in_parallel_by_itself_and_says_so(shop, monkeypatch):
    monkeypatch.setenv("ENDCAP__ENGINE__NAME", "spark")
    with pytest.raises(UsageError, match="2 processes were asked for, and the engine is spark"):
        backfill(shop, first=FROM, last=TO, parallel=2)
