import shutil
import signal
import subprocess
import sys
import urllib.request

import httpx
import pytest

from endcap.cli.server_process import server_process
from endcap.core.clock import fixed_clock
from endcap.core.errors import Code, StoreError
from endcap.flows.refresh import refresh
from endcap.flows.shop import find_shop
from endcap.flows.wiring.serving import open_recommender
from endcap.flows.wiring.stores import check_stores, open_far_bundles, open_tables, pull_bundle
from endcap.testing.content import shop_content

pytestmark = pytest.mark.slow

LATER = fixed_clock("2026-01-05T18:00:00")


def place_in(root, endpoint, bucket, **more):
    """Say in a shop's endcap.toml that its lake and its bundles lie in a bucket."""
    told = {"lake": f"s3://{bucket}/tiny/lake", "bundles": f"s3://{bucket}/tiny/bundles", "endpoint": endpoint} | more
    lines = "".join(f"{name} = {value!r}\n" for name, value in told.items())
    text = (root / "endcap.toml").read_text()
    assert "\n[stores]\n" in text
    (root / "endcap.toml").write_text(text.replace("\n[stores]\n", f"\n[stores]\n{lines}"))
    return root


@pytest.fixture(scope="module")
def s3_shop(tmp_path_factory, fresh_shop, morning, s3_server):
    """A shop whose lake and bundles lie in a bucket, refreshed as `tiny_shop`; not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "secret"), ("REGION", "us-east-1")):
            patch.setenv(f"AWS_{name}", value)
        urllib.request.urlopen(urllib.request.Request(f"{s3_server}/whole", method="PUT")).close()  # noqa: S310
        root = shutil.copytree(fresh_shop, tmp_path_factory.mktemp("s3") / "tiny")
        refresh(place_in(root, s3_server, "whole"), clock=morning)
        yield root


def test_a_shop_in_a_bucket_is_made_equal_to_one_in_folders_and_nothing_is_pending_then(s3_shop, tiny_shop):
    assert shop_content(s3_shop) == shop_content(tiny_shop)
    assert not (s3_shop / "lake").exists()
    assert not (s3_shop / "bundles").exists()
    again = refresh(s3_shop, clock=LATER)
    assert {report.state for report in again.steps} == {"unchanged"}


def test_a_bundle_of_a_bucket_answers_in_this_process_and_from_a_server_of_another_machine(s3_shop, tmp_path):
    elsewhere = tmp_path / "server"
    (elsewhere / "keys").mkdir(parents=True)
    for name in ("endcap.toml", "keys/user.key"):
        shutil.copy2(s3_shop / name, elsewhere / name)
    asked = {"placement": "home", "user_pseudo_id": "c", "n": 3}
    with server_process(elsewhere) as address:
        ready = httpx.get(f"{address}/health/ready").json()
        told = httpx.post(f"{address}/v1/recommend", json=asked).json()
    assert ready["model_version"] == find_shop(s3_shop).bundle_in_force()
    assert "bundles_away_s" not in ready
    slate = open_recommender(find_shop(s3_shop)).recommend(user_pseudo_id="c", n=3)
    assert [item["item_id"] for item in told["items"]] == [item.item_id for item in slate.items]


def test_while_the_bucket_is_away_a_server_starts_with_its_copy_and_says_so(s3_shop, tmp_path):
    away = shutil.copytree(s3_shop, tmp_path / "away", ignore=shutil.ignore_patterns("export", "kv", "landing"))
    text = (away / "endcap.toml").read_text()
    (away / "endcap.toml").write_text(text.replace(find_shop(s3_shop).config.stores.endpoint, "http://127.0.0.1:1"))
    with server_process(away) as address:
        ready = httpx.get(f"{address}/health/ready").json()
    assert ready["model_version"] == find_shop(s3_shop).bundle_in_force()
    assert float(ready["bundles_away_s"]) >= 0
    shutil.rmtree(away / "cache" / "bundles")
    with pytest.raises(StoreError) as caught:
        pull_bundle(find_shop(away))
    assert caught.value.code == Code.STORAGE_UNREACHABLE


def test_a_refresh_says_what_is_wrong_with_a_bucket_before_it_does_anything(fresh_shop, s3, tmp_path, morning):
    root = place_in(shutil.copytree(fresh_shop, tmp_path / "tiny"), s3[0], "no-such-bucket")
    with pytest.raises(StoreError) as caught:
        refresh(root, clock=morning)
    assert caught.value.code == Code.STORAGE_MISSING
    assert not (root / "runs").exists()
    check_stores(find_shop(fresh_shop), "probe")  # of folders there is nothing to try


def test_a_refresh_that_was_killed_in_the_midst_is_completed_by_the_next(fresh_shop, s3, tmp_path, morning, s3_shop):
    root = place_in(shutil.copytree(fresh_shop, tmp_path / "tiny"), *s3)
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom endcap.core.clock import fixed_clock\n"
        "from endcap.flows.refresh import refresh\nfrom endcap.stores.adapters.cached import CachedTables\n"
        "replace = CachedTables.replace\n"
        "def dies(self, table, *rest, **named):\n"
        "    version = replace(self, table, *rest, **named)\n"
        "    if table.name == 'sessions':\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return version\n"
        "CachedTables.replace = dies\nrefresh(Path(sys.argv[1]), clock=fixed_clock('2026-01-05T06:00:00'))\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, root], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    refresh(root, clock=morning)
    assert shop_content(root) == shop_content(s3_shop)


def test_folders_elsewhere_are_places_too(fresh_shop, tmp_path, morning, tiny_shop):
    root = shutil.copytree(fresh_shop, tmp_path / "tiny")
    place_in(root, "", "unused", lake="tables", bundles=str(tmp_path / "served"))
    told = refresh(root, clock=morning)
    assert shop_content(root) == shop_content(tiny_shop)
    assert (tmp_path / "served" / "current").read_text().strip() == told.bundle_id
    assert (root / "tables" / "events" / "_delta_log").is_dir()
    assert open_far_bundles(find_shop(root)) is None
    with open_tables(find_shop(root)) as tables:
        assert type(tables).__name__ == "DeltaTables"
