import pytest

from endcap.testing.leaky_frame import FRAME_MISTAKES, MORE_FRAME_MISTAKES, clean_frame


def test_the_same_seed_gives_the_same_frame():
    assert clean_frame(seed=3).equals(clean_frame(seed=3))
    assert not clean_frame(seed=3).equals(clean_frame(seed=4))


@pytest.mark.parametrize("name", FRAME_MISTAKES | MORE_FRAME_MISTAKES)
def test_each_mistake_changes_the_frame(name):
    clean = clean_frame()
    assert not (FRAME_MISTAKES | MORE_FRAME_MISTAKES)[name].make(clean).equals(clean)
