"""A few moments here; the twenty of the benchmark `crash` run in CI."""

import time

import pytest

from endcap.flows.init import init_shop
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.testing.content import shop_content
from endcap.testing.crash import crash_and_refresh, refresh_in_a_process

pytestmark = pytest.mark.slow

MOMENTS = range(3)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A fresh tiny shop, the content of its refreshed copy, and how long that refresh took."""
    folder = tmp_path_factory.mktemp("crash")
    export = simulate(make_world("small", days=3, visitors=60, items=40), folder / "world", Popular()).export
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENDCAP_USER_KEY", "5e" * 32)
        for place in ("fresh", "whole"):
            init_shop(folder / place / "tiny", source=export)
        began = time.perf_counter()
        assert refresh_in_a_process(folder / "whole" / "tiny") == 0
        yield folder, shop_content(folder / "whole" / "tiny"), time.perf_counter() - began


@pytest.mark.parametrize("seed", MOMENTS)
def test_a_killed_refresh_is_completed_by_the_next_one_as_if_nothing_had_happened(undisturbed, seed):
    folder, content, took_s = undisturbed
    fresh = folder / "fresh" / "tiny"
    crash = crash_and_refresh(fresh, folder / f"crash-{seed}" / "tiny", content, seed=seed, longest_s=took_s)
    assert crash.differences == {}
