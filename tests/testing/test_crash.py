import shutil
import signal

import pytest

from endcap.testing.content import shop_content
from endcap.testing.crash import crash_and_refresh, refresh_in_a_process

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def content(whole):
    return shop_content(whole)


def test_the_exit_code_of_a_refresh_is_told(tmp_path):
    assert refresh_in_a_process(tmp_path / "no shop") == 2


def test_a_refresh_can_be_killed(whole):
    assert refresh_in_a_process(whole, kill_after_s=0.0) == -signal.SIGKILL


def test_what_is_equal_after_a_kill_is_no_difference_and_what_is_not_is_told_with_both(whole, content, tmp_path):
    wanted = content | {"table items": "40 other", "table of nothing": "1 row"}
    crash = crash_and_refresh(whole, tmp_path / "copy", wanted, seed=1, longest_s=0.0)
    assert crash.was_killed
    assert crash.differences == {
        "table items": ("40 other", content["table items"]),
        "table of nothing": ("1 row", None),
    }
    assert (tmp_path / "copy" / "endcap.toml").exists()  # left to be looked at


def test_a_refresh_that_ended_before_its_moment_was_not_killed(whole, content, tmp_path):
    crash = crash_and_refresh(whole, tmp_path / "copy", content, seed=1, longest_s=1e6)
    assert (crash.was_killed, crash.differences) == (False, {})
    assert 0 < crash.killed_after_s < 60


def test_a_shop_that_the_next_refresh_cannot_complete_differs_in_everything(copy, content, tmp_path):
    shutil.rmtree(copy / "export")
    crash = crash_and_refresh(copy, tmp_path / "other", content, seed=1, longest_s=0.0)
    assert crash.differences["refresh"] == (None, "ended with 2")
    assert set(crash.differences) == {"refresh", *content}
