import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.errors import UsageError
from endcap.simulation.faults.choice import Faults
from endcap.simulation.policies import Popular, Random
from endcap.simulation.shop import simulate

SOME = Faults(duplicates=0.2, late=0.2)
RUN = """
import sys
from pathlib import Path
from endcap.simulation.policies import Popular
from endcap.simulation.settings import World
from endcap.simulation.shop import simulate

if __name__ == "__main__":
    tell = lambda line: print(line, flush=True)
    simulate(WORLD, Path(sys.argv[1]), Popular(), workers=int(sys.argv[2]), tell=tell)
"""


class StoppedError(Exception):
    """What stops a run from outside."""


@pytest.fixture(scope="module")
def tiny(lively):
    return replace(lively, days=16, visitors=40, block=20)


@pytest.fixture(scope="module")
def little(tmp_path_factory, tiny):
    """A world of few people with faults, and how many files and folders took their places meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        renamed = stop_before(patch, None)
        whole = simulate(tiny, tmp_path_factory.mktemp("little") / "shop", Random(), faults=SOME)
    return whole, len(renamed)


def stop_before(patch, number):
    """Raise when a finished file or folder takes its place for the time `number`, as if the process died there."""
    renamed, rename = [], Path.replace

    def replace_or_stop(self, target):
        renamed.append(target)
        if len(renamed) == number:
            raise StoppedError
        return rename(self, target)

    patch.setattr(Path, "replace", replace_or_stop)
    return renamed


@pytest.mark.parametrize("stop_after", [1, 7, 8, 9, 15, 19])
def test_a_run_that_was_stopped_goes_on_and_writes_the_same_bytes(made, lively, bytes_of, tmp_path, stop_after):
    told = []

    def stop(line):
        told.append(line)
        if len(told) == stop_after:
            raise StoppedError

    with pytest.raises(StoppedError):
        simulate(lively, tmp_path / "shop", Popular(), tell=stop)
    assert not (tmp_path / "shop").exists()
    again = []
    resumed = simulate(lively, tmp_path / "shop", Popular(), tell=again.append)
    assert bytes_of(resumed.out) == bytes_of(made.out)
    assert len(again) <= lively.days - (stop_after // 7) * 7 + 8
    assert list(tmp_path.iterdir()) == [tmp_path / "shop"]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_killed_process_leaves_nothing_that_looks_whole_and_the_next_one_ends_the_work(
    made, lively, bytes_of, tmp_path, workers
):
    script, out = tmp_path / "run.py", tmp_path / "shop"
    script.write_text(RUN.replace("WORLD", repr(lively)))
    command = [sys.executable, script, str(out), str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("2026-01-12"):
                children = children_of(process.pid)
                os.kill(process.pid, signal.SIGKILL)
                break
    assert not out.exists()
    assert len(children) >= (workers if workers > 1 else 0)
    wait_until_gone(children)
    assert bytes_of(simulate(lively, out, Popular(), workers=workers).out) == bytes_of(made.out)
    assert {path.name for path in tmp_path.iterdir()} == {"run.py", "shop"}


def children_of(pid):
    tasks = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in tasks.read_text().split()] if tasks.exists() else []


def wait_until_gone(pids):
    """Wait for the workers of a killed run, which nobody asks any more and which end by themselves."""
    for _ in range(200):
        if not any(is_alive(pid) for pid in pids):
            return
        time.sleep(0.05)
    pytest.fail(f"{pids} are still there 10 seconds after the run that they worked for")


def is_alive(pid):
    """Say whether a process runs; one that has ended and that nobody has asked for is dead too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("share", [*np.linspace(0.01, 0.99, 6).tolist(), 1.0])
def test_a_run_that_stops_before_any_file_is_in_place_goes_on_all_the_same(little, tiny, bytes_of, tmp_path, share):
    whole, num_renamed = little
    with pytest.MonkeyPatch.context() as patch:
        stop_before(patch, round(share * num_renamed))
        with pytest.raises(StoppedError):
            simulate(tiny, tmp_path / "shop", Random(), faults=SOME)
    assert not (tmp_path / "shop").exists()
    with pytest.MonkeyPatch.context() as patch:  # and a second time, on the way
        stop_before(patch, 40)
        if share < 0.5:
            with pytest.raises(StoppedError):
                simulate(tiny, tmp_path / "shop", Random(), faults=SOME)
    assert bytes_of(simulate(tiny, tmp_path / "shop", Random(), faults=SOME).out) == bytes_of(whole.out)
    assert list(tmp_path.iterdir()) == [tmp_path / "shop"]


def test_a_run_that_stops_while_it_tidies_up_goes_on_all_the_same(little, tiny, bytes_of, tmp_path):
    """Every folder that is removed is removed half, once each, until the run comes through."""
    whole, removed, stops = little[0], set(), 0
    rmtree = shutil.rmtree

    def half(path, *args, **kwargs):
        if str(path) in removed:
            rmtree(path, *args, **kwargs)
            return
        removed.add(str(path))
        for each in sorted(Path(path).rglob("*"), reverse=True)[::2]:
            rmtree(each) if each.is_dir() else each.unlink(missing_ok=True)
        raise StoppedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "rmtree", half)
        while not (tmp_path / "shop").exists():
            try:
                simulate(tiny, tmp_path / "shop", Random(), faults=SOME)
            except StoppedError:
                stops += 1
    assert stops > 0
    assert bytes_of(tmp_path / "shop") == bytes_of(whole.out)
    assert list(tmp_path.iterdir()) == [tmp_path / "shop"]


def test_what_is_there_already_is_not_written_again(made, lively):
    for path in made.out.rglob("*"):
        os.utime(path, (1, 1))  # long ago: whatever is written again has another time
    before = {path: path.stat().st_mtime_ns for path in made.out.rglob("*")}
    again = simulate(lively, made.out, Popular())
    assert not again.is_new
    assert again.counts == made.counts
    assert {path: path.stat().st_mtime_ns for path in made.out.rglob("*")} == before


def test_another_world_in_the_folder_is_left_alone(made, lively, bytes_of):
    before = bytes_of(made.out)
    with pytest.raises(UsageError, match="another world in the folder"):
        simulate(replace(lively, seed=9), made.out, Popular())
    with pytest.raises(UsageError, match="another world in the folder"):
        simulate(lively, made.out, Random())
    assert bytes_of(made.out) == before


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, lively):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="something in the folder"):
        simulate(lively, tmp_path, Popular())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path, lively):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made"):
        simulate(lively, tmp_path / "file" / "shop", Popular())


def test_a_stopped_run_of_other_settings_is_not_lost(tmp_path, lively):
    one_day = replace(lively, days=1)
    with pytest.raises(StoppedError):
        simulate(lively, tmp_path / "shop", Popular(), tell=stop)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="days is 20 there, 1 asked"):
        simulate(one_day, tmp_path / "shop", Popular())
    assert set(tmp_path.rglob("*")) == before


def stop(_line):
    raise StoppedError


def test_no_more_than_two_states_are_kept_and_where_it_goes_on_is_told(tmp_path, lively):
    with pytest.raises(StoppedError):
        simulate(lively, tmp_path / "shop", Popular(), tell=stop_at("2026-01-16"))
    assert [path.name for path in (tmp_path / ".shop.part" / "kept").iterdir()] == ["00014"]
    told = []
    simulate(lively, tmp_path / "shop", Popular(), tell=told.append)
    assert told[:2] == ["going on from 2026-01-15, day 15 of 20", "2026-01-16, day 16 of 20"]


class Moody(Popular):
    """Chooses as it likes, as a server does: its lists do not follow from what it is asked."""

    is_repeatable = False

    def choose(self, asked, _rng):
        return super().choose(asked, MOOD)


MOOD = np.random.default_rng(5)


def test_a_run_whose_lists_cannot_be_had_again_starts_over_and_is_of_one_piece(tmp_path, lively):
    """Every refund is of a line that was bought, and no morning has fewer pieces than the day before has left."""
    policy = Moody(0.5)
    with pytest.raises(StoppedError):
        simulate(lively, tmp_path / "shop", policy, tell=stop_at("2026-01-10"))
    told = []
    made = simulate(lively, tmp_path / "shop", policy, tell=told.append)
    assert told[0] == "2026-01-01, day 1 of 20"
    events = pa.concat_tables(pq.read_table(path) for path in sorted(made.export.glob("events_*"))).to_pylist()
    bought = {
        (event["ecommerce"]["transaction_id"], item["item_id"])
        for event in events
        if event["event_name"] == "purchase"
        for item in event["items"]
    }
    back = [
        (event["ecommerce"]["transaction_id"], event["items"][0]["item_id"])
        for event in events
        if event["event_name"] == "refund"
    ]
    assert len(back) > 30
    assert set(back) <= bought


def stop_at(day):
    def stop(line):
        if line.startswith(day):
            raise StoppedError

    return stop


def test_of_two_runs_at_once_one_writes_and_the_other_is_refused_or_finds_it_done(tmp_path, lively, made, bytes_of):
    script, out = tmp_path / "run.py", tmp_path / "shop"
    script.write_text(RUN.replace("WORLD", repr(lively)))
    command = [sys.executable, script, str(out), "1"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=60) for process in both]
    assert 0 in [process.returncode for process in both]
    for process, (_, said) in zip(both, told, strict=True):
        assert process.returncode == 0 or "another run is writing this shop" in said
    assert bytes_of(out) == bytes_of(made.out)


def test_a_link_stays_a_link_and_what_it_leads_to_is_made(tmp_path, lively):
    one_day = replace(lively, days=1)
    (tmp_path / "big").mkdir()
    for name in ("empty", "missing"):
        (tmp_path / name).symlink_to(tmp_path / "big" / name)
    (tmp_path / "big" / "empty").mkdir()
    for name in ("empty", "missing"):
        assert simulate(one_day, tmp_path / name, Popular()).is_new
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "big" / name / "truth" / "world.json").exists()
        assert not simulate(one_day, tmp_path / name, Popular()).is_new
