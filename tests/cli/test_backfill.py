import json
import shutil
import signal
import subprocess
import sys

import pytest

from endcap.cli.main import main

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path, tiny_shop):
    root = shutil.copytree(tiny_shop, tmp_path / "tiny")
    text = (root / "endcap.toml").read_text()
    (root / "endcap.toml").write_text(text.replace("# gap_minutes = 30", "gap_minutes = 20"))
    return root


def test_a_dry_run_shows_the_plan_with_reasons_and_estimates(shop, capsys):
    assert main(["backfill", str(shop), "--from", "2026-01-02", "--to", "2026-01-03", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "settings changed: sessions.gap_minutes" in told
    assert "2026-01-02..2026-01-03" in told
    assert "left to the next `endcap refresh`" in told
    assert "CPU seconds" in told


def test_a_backfill_in_processes_ends_with_a_verdict_and_the_command_to_go_on(shop, capsys):
    days = ["--from", "2026-01-02", "--to", "2026-01-03", "--steps", "sessions,daily,bundle", "--parallel", "2"]
    assert main(["backfill", str(shop), *days, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [step["step"] for step in told["steps"]] == ["sessions", "daily", "bundle"]
    assert told["failed"] == told["waiting"] == {}
    assert main(["backfill", str(shop), *days]) == 0
    out = capsys.readouterr().out
    assert f"to put it in force: endcap promote {shop} {told['built']}" in out
    assert main(["promote", str(shop), told["built"]]) == 0
    assert told["in_force"] in capsys.readouterr().out
    assert (shop / "bundles" / "current").read_text().strip() == told["built"]


def test_days_are_needed_and_checked(shop, capsys):
    assert main(["backfill", str(shop), "--from", "2026-01-02"]) == 2
    assert "--to" in capsys.readouterr().err
    assert main(["backfill", str(shop), "--from", "2.1.2026", "--to", "2026-01-03"]) == 2
    assert "is no day" in capsys.readouterr().err


def test_a_replay_in_a_process_that_is_killed_goes_on_and_ends_with_the_verdict(shop, capsys):
    (run,) = (path.stem for path in (shop / "runs").glob("*.json"))
    command = [sys.executable, "-m", "endcap", "backfill", str(shop), "--as-of", run]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    made = shop / "replays" / run
    for _ in process.stderr:  # a line for each step that is done
        if (made / "lake" / "sessions").is_dir():
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (made / "replay.json").exists()
    again = subprocess.run([*command, "--json"], check=False, capture_output=True)
    told = json.loads(again.stdout)
    assert again.returncode == 0, told["verdict"]
    states = {step["step"]: step["state"] for step in told["steps"]}
    assert (states["logins"], states["bundle"]) == ("unchanged", "done")
    assert told["bundle"] == (shop / "bundles" / "current").read_text().strip()
    assert main(["backfill", str(shop), "--as-of", told["bundle"]]) == 0
    out = capsys.readouterr().out
    assert "replay: equal" in out
    assert "nothing to do: it was made again before" in out
    (shop / "replays" / run / "lake").rename(shop / "lost")  # what is gone is made again
    assert main(["backfill", str(shop), "--as-of", run]) == 0


def test_a_dry_run_of_a_replay_writes_nothing_and_what_does_not_go_with_it_is_told(shop, capsys):
    (run,) = (path.stem for path in (shop / "runs").glob("*.json"))
    assert main(["backfill", str(shop), "--as-of", run, "--dry-run"]) == 0
    assert "as they were: " in capsys.readouterr().out
    assert not (shop / "replays").exists()
    assert main(["backfill", str(shop), "--as-of", run, "--from", "2026-01-01", "--parallel", "2"]) == 2
    assert "--from and --parallel cannot be chosen" in capsys.readouterr().err
    assert main(["backfill", str(shop), "--as-of", "nobody"]) == 2
    assert "[run-unknown]" in capsys.readouterr().err
