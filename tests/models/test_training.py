import pytest
import torch

from endcap.models.training import one_thread, pace


def test_training_takes_one_thread_and_gives_the_others_back_also_when_it_fails():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), one_thread():
        assert 1 / (torch.get_num_threads() - 1)
    assert torch.get_num_threads() == before


def test_the_pace_rises_for_a_twentieth_of_the_steps_and_falls_to_nothing():
    paces = [pace(step / 1000) for step in range(1001)]
    assert paces == [*sorted(paces[:50]), *sorted(paces[50:], reverse=True)]
    assert 0 < paces[0] < 0.03
    assert max(paces) > 0.98
    assert paces[-1] == pytest.approx(0)
