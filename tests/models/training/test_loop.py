import pytest

from endcap.core.errors import ModelError
from endcap.models.training.loop import pace, train
from endcap.models.training.settings import TrainingRun, TrainingSettings


class Killed(BaseException):
    pass


def fit(task, *, told=None, folder=None, of="data", **settings):
    run = TrainingRun(TrainingSettings(device="cpu", **settings), folder, told)
    with task.context.place.training():
        train(task, run, task.context, of=of)
    return task


def killed_at(example):
    def listen(progress):
        if progress.done >= example:
            raise Killed

    return listen


def test_the_pace_rises_for_a_twentieth_of_the_steps_and_falls_to_nothing():
    paces = [pace(step / 1000) for step in range(1001)]
    assert paces == [*sorted(paces[:50]), *sorted(paces[50:], reverse=True)]
    assert 0 < paces[0] < 0.03
    assert max(paces) > 0.98
    assert paces[-1] == pytest.approx(0)


@pytest.mark.parametrize("example", [4, 12, 40, 64, 116])
@pytest.mark.parametrize("patience", [0, 2])
def test_a_fit_that_is_killed_and_goes_on_is_the_one_that_was_not(line, tmp_path, example, patience):
    whole = fit(line(), patience=patience)
    with pytest.raises(Killed):
        fit(line(), told=killed_at(example), folder=tmp_path, checkpoint_steps=2, patience=patience)
    resumed = fit(line(), folder=tmp_path, checkpoint_steps=2, patience=patience)
    assert resumed.digest() == whole.digest()
    if example > 12:
        assert len(resumed.taken) < len(whole.taken)


def test_a_checkpoint_of_other_data_is_not_gone_on_with(line, tmp_path):
    with pytest.raises(Killed):
        fit(line(), told=killed_at(80), folder=tmp_path, checkpoint_steps=2, of="other data")
    assert fit(line(), folder=tmp_path).digest() == fit(line()).digest()


def test_progress_is_told_to_the_end_and_its_loss_falls(line):
    told = []
    fit(line(), told=told.append)
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert told[-1].done == told[-1].total == 120
    assert told[-1].loss < told[0].loss
    assert all(each.examples_per_s > 0 for each in told)


def test_speed_is_examples_over_seconds_of_the_clock(line):
    told, seconds = [], iter(range(0, 10_000, 2))
    task = line()
    run = TrainingRun(TrainingSettings(device="cpu"), None, told.append, lambda: float(next(seconds)))
    with task.context.place.training():
        train(task, run, task.context, of="")
    assert {each.examples_per_s for each in told} == {2.0}


def test_a_loss_that_is_no_number_stops_names_its_examples_and_leaves_the_last_good_checkpoint(line, tmp_path):
    with pytest.raises(ModelError, match="loss of line is nan at the examples 60 to 64 of 120") as stopped:
        fit(line(spoiled_from=60), folder=tmp_path, checkpoint_steps=5)
    assert "the checkpoint after example 60 is whole" in str(stopped.value)
    assert "lower line's learning_rate, say to 0.013" in str(stopped.value)
    assert fit(line(), folder=tmp_path).digest() == fit(line()).digest()


def test_training_stops_where_passes_no_longer_gain_and_keeps_the_best(line):
    told = []
    best = fit(line(validated=[0.0, 1e6, 1e6]), told=told.append, patience=2)
    losses = [each.validation for each in told if each.validation is not None]
    assert losses[0] < losses[1]
    first_pass = fit(line(validated=[0.0, 1e6]), patience=1)
    assert best.digest() == first_pass.digest()
    assert len(first_pass.taken) < len(best.taken)


@pytest.mark.parametrize("parts", [2, 3])
def test_a_step_in_parts_draws_otherwise_and_learns_about_the_same(line, parts):
    losses = []
    for each in (1, parts):
        told = []
        fit(line(), told=told.append, parts=each)
        losses.append(told[-1].loss)
    assert losses[1] == pytest.approx(losses[0], rel=0.5)


def test_a_state_that_is_no_number_is_not_kept_though_the_loss_still_is_one(line, tmp_path):
    """The gradient of step 15 is none; its loss is a number, and the checkpoint that is due after it is not kept."""
    with pytest.raises(ModelError, match="the checkpoint after example 40 is whole"):
        fit(line(bad_gradient_after=14), folder=tmp_path, checkpoint_steps=5)
    (kept,) = [path for path in tmp_path.iterdir() if path.name.endswith("40")]
    assert kept.is_dir()


def test_without_a_validation_part_all_passes_are_trained_and_kept(line):
    alone = fit(line(validated=[None] * 3), patience=1)
    assert alone.digest() == fit(line()).digest()
