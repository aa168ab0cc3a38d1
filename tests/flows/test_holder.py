from types import SimpleNamespace

import pytest

from endcap.flows.holder import holder_of_this_process, is_held, told


@pytest.mark.parametrize(
    ("holder", "expires_at_us", "wanted"),
    [
        (holder_of_this_process(), 11, True),
        (holder_of_this_process(), 10, False),
        ("elsewhere|boot|1|1.00", 11, True),
        (holder_of_this_process()[:-4] + "9999", 11, False),
        (None, 11, False),
    ],
    ids=["living", "run out", "of another machine", "dead", "nobody"],
)
def test_a_lease_is_held_until_it_runs_out_or_its_holder_of_this_machine_is_dead(holder, expires_at_us, wanted):
    assert is_held(SimpleNamespace(holder=holder, expires_at_us=expires_at_us), 10) is wanted


def test_nobody_is_told_as_nobody():
    assert told(None) == "process  on nobody"
