import os
from threading import Thread

import pytest
import torch

from endcap.core.errors import ModelError
from endcap.models.training.place import keep_to_own_core, one_thread, place_of, seeded
from endcap.models.training.settings import TrainingSettings


def test_training_takes_one_thread_and_gives_the_others_back_also_when_it_fails():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), one_thread():
        assert 1 / (torch.get_num_threads() - 1)
    assert torch.get_num_threads() == before


def test_training_leaves_the_random_draws_of_the_rest_as_they_were():
    state = torch.random.get_rng_state()
    with place_of(TrainingSettings(device="cpu")).training():
        torch.rand(3)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_draws_depend_on_seed_and_name_and_not_on_what_was_drawn_before():
    found = []
    with place_of(TrainingSettings(device="cpu")).training():
        for seed, name in ((1, 1), (1, 2), (1, 1), (2, 1), (2**40, 2**40)):
            seeded(seed, name)
            found.append(torch.rand(2).tolist())
    assert found[0] == found[2]
    assert len({tuple(each) for each in found}) == 4


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_named_and_auto_takes_the_processor():
    with pytest.raises(ModelError, match="no CUDA device"):
        place_of(TrainingSettings(device="cuda"))
    assert place_of(TrainingSettings()).device.type == "cpu"


def test_the_processor_computes_in_float32_unless_it_is_told_not_to():
    assert place_of(TrainingSettings(device="cpu")).products == torch.float32
    narrow = place_of(TrainingSettings(device="cpu", precision="bfloat16"))
    with narrow.computing():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


KNOWS_CORES = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not place threads")


@KNOWS_CORES
@pytest.mark.parametrize(("cores", "size", "own"), [(2, 2, [{0}, {1}]), (3, 2, []), (8, 2, []), (2, 3, [])])
def test_ranks_keep_to_a_core_each_where_there_are_just_as_many(monkeypatch, cores, size, own):
    kept = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(cores)))
    monkeypatch.setattr(os, "sched_setaffinity", lambda _pid, wanted: kept.append(set(wanted)))
    for rank in range(size):
        keep_to_own_core(rank, size)
    assert kept == own


@KNOWS_CORES
def test_a_system_that_forbids_it_lets_ranks_train_all_the_same(monkeypatch):
    def refuse(_pid, _wanted):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    keep_to_own_core(0, len(os.sched_getaffinity(0)))


@KNOWS_CORES
def test_threads_that_start_later_keep_to_a_ranks_core():
    found = []

    def work():
        keep_to_own_core(0, len(os.sched_getaffinity(0)))
        later = Thread(target=lambda: found.append(os.sched_getaffinity(0)))
        later.start()
        later.join()

    thread = Thread(target=work)  # its cores are its own, and not those of the tests that follow
    thread.start()
    thread.join()
    assert found == [{min(os.sched_getaffinity(0))}]
