import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from structlog.testing import capture_logs

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Queries
from endcap.models.fitting import fitted, trained
from endcap.models.sequence import SequenceModel
from endcap.models.shared_fit import _cause, fit_together, is_a_rank
from endcap.models.training.settings import TrainingRun, TrainingSettings
from endcap.models.training.source import InMemory
from endcap.models.two_tower import TwoTower
from endcap.testing.worlds import planted_catalogue, planted_sequences

TINY = {"sequence": SequenceModel(epochs=2, dim=16, tokens=64), "two_tower": TwoTower(epochs=2)}


def run_of(ranks, *, parts=1, folder=None, told=None, scratch=None, **settings):
    how = TrainingSettings(device="cpu", ranks=ranks, parts=parts, checkpoint_steps=5, **settings)
    return TrainingRun(how, folder, told, scratch=scratch)


def fit(recipe, run):
    return fitted(recipe, planted_sequences(), planted_catalogue(), seed=3, run=run)


def bytes_of(scorer):
    with tempfile.TemporaryDirectory() as place:
        scorer.save(Path(place))
        return [path.read_bytes() for path in sorted(Path(place).iterdir())]


def ranks_now():
    found = {
        each.environ()["RANK"]: each for each in psutil.Process().children() if "endcap.models.rank" in each.cmdline()
    }
    return [found[rank] for rank in sorted(found)]


def test_two_ranks_fit_the_model_of_one_process_with_as_many_parts_and_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0})
    told, scratch = [], tmp_path / "shop #1?"
    with capture_logs() as logs:
        shared = fit(TINY["sequence"], run_of(2, told=told.append, scratch=scratch))
    alone = fit(TINY["sequence"], run_of(1, parts=2))
    assert bytes_of(shared) == bytes_of(alone)
    assert [each.done for each in told] == sorted({each.done for each in told})
    assert told[-1].done == told[-1].total
    assert (list(scratch.iterdir()), ranks_now()) == ([], [])
    assert [path.name for path in tmp_path.iterdir()] == ["shop #1?"]
    assert [(each["event"], each["ranks"], each["cores"]) for each in logs] == [("ranks.more_than_cores", 2, 1)]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "ranks", "parts"), [("two_tower", 2, 2), ("two_tower", 3, 3), ("sequence", 2, 4)])
def test_every_model_is_shared_and_more_parts_than_two_differ_by_the_order_of_sums_alone(kind, ranks, parts):
    shared = fit(TINY[kind], run_of(ranks))
    alone = fit(TINY[kind], run_of(1, parts=ranks))
    queries = Queries.of([[3], [0, 1], []])
    np.testing.assert_allclose(shared.score(queries), alone.score(queries), rtol=1e-3, atol=1e-4)
    assert (bytes_of(shared) == bytes_of(alone)) or parts > 2


class Killed(BaseException):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 2)])
def test_a_fit_that_was_killed_goes_on_with_another_number_of_ranks_to_the_same_model(tmp_path, before, after):
    def stop(progress):
        if progress.done * 2 > progress.total:
            raise Killed

    whole, begun = fit(TINY["sequence"], run_of(1, parts=2)), []
    with pytest.raises(Killed):
        fit(TINY["sequence"], run_of(before, parts=2, folder=tmp_path, told=stop))
    assert ranks_now() == []
    assert bytes_of(fit(TINY["sequence"], run_of(after, parts=2, folder=tmp_path, told=begun.append))) == bytes_of(
        whole
    )
    assert begun[0].done * 3 > begun[0].total


def test_a_rank_that_is_killed_ends_the_others_with_one_error_and_leaves_the_checkpoints(tmp_path):
    def kill(_progress):
        for rank in ranks_now()[1:]:
            rank.kill()

    recipe = SequenceModel(epochs=50, dim=16, tokens=64)
    with pytest.raises(ModelError, match=r"rank 1 of the 2 that fit sequence was ended by signal 9 \(Killed\)") as lost:
        fit(recipe, run_of(2, folder=tmp_path / "kept", told=kill, scratch=tmp_path / "scratch"))
    assert lost.value.code == Code.RANK_LOST
    assert "latest checkpoint" in lost.value.fix
    assert ranks_now() == list((tmp_path / "scratch").iterdir()) == []
    assert list((tmp_path / "kept").glob("[0-9]*"))


SCRIPT = """
import signal
import sys
from pathlib import Path
import psutil
from endcap.models.fitting import fitted
from endcap.models.training.settings import TrainingRun, TrainingSettings
from endcap.models.two_tower import TwoTower
from endcap.testing.worlds import planted_catalogue, planted_sequences

signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell started this in the background

def tell(_progress):
    print(*(each.pid for each in psutil.Process().children()), flush=True)

run = TrainingRun(TrainingSettings(device="cpu", ranks=2), None, tell, scratch=Path(sys.argv[1]))
fitted(TwoTower(epochs=1000), planted_sequences(), planted_catalogue(), seed=3, run=run)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_ranks_end_with_whoever_started_them(tmp_path, number):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        ranks = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(ranks) == 2
        parent.send_signal(number)
        try:
            assert parent.wait(timeout=60) != 0
            assert psutil.wait_procs(ranks, timeout=60)[1] == []
        finally:
            parent.kill()
        assert ("KeyboardInterrupt" in parent.stderr.read()) == (number == signal.SIGINT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_error_within_ranks_is_the_error_of_one_process():
    whole = planted_sequences()
    drawn = {"pool_negatives": np.int32(0), "pool_weights": np.float32(np.nan)}
    spoiled = replace(whole, **{name: np.full((len(whole.items), 1), value) for name, value in drawn.items()})
    errors = []
    for run in (run_of(2), run_of(1, parts=2)):
        with pytest.raises(ModelError, match="the loss of two_tower is nan at the examples 0 to") as caught:
            trained(TINY["two_tower"], InMemory(spoiled), planted_catalogue(), seed=3, run=run)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


@pytest.mark.slow
def test_an_algorithm_of_another_package_is_shared_by_its_entry_point(shelf, tmp_path):
    told = []
    scorer = fit(shelf(), run_of(2, told=told.append, scratch=tmp_path))
    counts = np.bincount(planted_sequences().items, minlength=len(planted_catalogue()))
    assert scorer.score(Queries.of([[]])).tolist() == [(3 * counts).tolist()]
    assert [each.examples_per_s for each in told] == [0.0]  # rank 0 tells


@pytest.mark.slow
def test_what_nobody_foresaw_in_a_rank_is_raised_here_with_where_it_came_from(shelf):
    with pytest.raises(RuntimeError, match="rank 1 of 2: KeyError: 'no such shelf'") as fault:
        fit(shelf(trouble="fault"), run_of(2))
    assert "endcap_shelf.py" in fault.value.__notes__[0]


@pytest.mark.slow
def test_a_rank_that_ends_without_an_answer_is_told_by_its_last_words(shelf):
    with pytest.raises(ModelError, match="rank 1 of the 2 that fit shelf ended with 7") as lost:
        fit(shelf(trouble="exit"), run_of(2))
    assert lost.value.code == Code.RANK_LOST


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "how"), [("late kill", r"was ended by signal 9 \(Killed\)"), ("late exit", "ended with 7")]
)
def test_a_rank_whose_death_led_to_the_error_of_another_is_told_though_it_is_heard_of_later(shelf, trouble, how):
    with pytest.raises(ModelError, match=f"rank 1 of the 2 that fit shelf {how}") as lost:
        fit(shelf(trouble=trouble), run_of(2))
    assert lost.value.code == Code.RANK_LOST


FIRST, LATER = {"at_s": 2.0, "fault": {"text": "no such shelf"}}, {"at_s": 3.0, "fault": {"text": "reset by peer"}}


@pytest.mark.parametrize(
    ("ends", "heard", "cause"),
    [
        ([1, 1], [(0, LATER), (0, {}), (1, FIRST), (1, {})], (1, FIRST)),
        ([1, 1], [(1, FIRST), (0, LATER), (1, {}), (0, {})], (1, FIRST)),
        ([1, 7], [(0, LATER), (0, {}), (1, {})], (1, {})),
        ([1, -9], [(0, LATER), (0, {}), (1, {})], (1, {})),
        ([1, -6], [(1, {}), (0, LATER), (0, {})], (0, LATER)),
        ([-6, -9], [(0, {}), (1, {})], (1, {})),
        ([-6, -6], [(1, {}), (0, {})], (0, {})),
    ],
)
def test_the_failure_that_led_to_the_others_is_told_in_whatever_order_they_were_heard_of(ends, heard, cause):
    assert _cause(heard, ends) == cause


def test_a_kind_that_nobody_could_load_is_refused_before_the_work(shelf):
    recipe = shelf.model_construct(kind="shelves")
    with pytest.raises(ModelError, match="nobody knows how to load a model of kind 'shelves'"):
        fit_together(recipe, InMemory(planted_sequences()), planted_catalogue(), seed=1, run=run_of(2))


def test_a_rank_starts_no_ranks(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert is_a_rank()
    monkeypatch.delenv("WORLD_SIZE")
    assert not is_a_rank()
