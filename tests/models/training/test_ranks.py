import pytest
import torch
from benchmarks.ranks import run_ranks
from hypothesis import given
from hypothesis import strategies as st

from endcap.models.training.place import place_of
from endcap.models.training.ranks import Ranks, gradients_of, joined
from endcap.models.training.settings import TrainingSettings


@given(st.integers(1, 12), st.integers(1, 8))
def test_every_part_of_a_step_is_one_ranks_and_all_ranks_have_equally_many(wanted, size):
    parts = Ranks(0, size).parts(wanted)
    own = [list(Ranks(rank, size).own(parts)) for rank in range(size)]
    assert parts >= wanted
    assert sorted(part for each in own for part in each) == list(range(parts))
    assert len({len(each) for each in own}) == 1


def test_who_was_not_started_with_others_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined(place_of(TrainingSettings(device="cpu")).device) as ranks:
        assert ranks == Ranks(0, 1)
        gradient = torch.ones(2)
        ranks.add_up([gradient])
        assert gradient.tolist() == [1, 1]


def test_a_parameter_that_a_step_did_not_touch_has_a_gradient_of_zero():
    touched, other = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(2))
    (touched * 2).sum().backward()
    assert [each.tolist() for each in gradients_of([touched, other])] == [[2], [0, 0]]


@pytest.mark.slow
@pytest.mark.parametrize("tables", ["dense", "by_rows"])
def test_two_ranks_learn_what_one_learns_and_either_goes_on_with_the_others_checkpoint(tmp_path, tables):
    given = {
        "model": "sequence",
        "num_items": 300,
        "num_tokens": 6_000,
        "epochs": 2,
        "tables": tables,
        "seed": 1,
        "checkpoint_steps": 2,
    }
    whole = run_ranks("train", 1, **given)
    assert run_ranks("train", 2, **given) == {**whole, "examples_per_s": pytest.approx(0, abs=1e9)}
    for before, after in ((1, 2), (2, 1)):
        folder = str(tmp_path / f"{before}")
        assert run_ranks("train", before, **given, checkpoints=folder, kill_at=150) == {}
        assert run_ranks("train", after, **given, checkpoints=folder)["digest"] == whole["digest"]


@pytest.mark.slow
def test_many_ranks_add_up_in_a_ring_and_learn_about_the_same():
    """Five ranks share ten parts; so does one that goes through them, but for the order in which they are added up."""
    given = {"model": "sequence", "num_items": 300, "num_tokens": 6_000, "epochs": 1, "tables": "by_rows", "seed": 1}
    one, five = run_ranks("train", 1, **given, parts=10), run_ranks("train", 5, **given)
    assert five["loss"] == pytest.approx(one["loss"], abs=1e-5)
