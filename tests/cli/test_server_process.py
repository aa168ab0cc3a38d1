import shutil
import subprocess
import sys
import time

import httpx
import pytest

from endcap.cli.server_process import server_process
from endcap.core.errors import BundleError, Code
from endcap.flows.shop import find_shop
from endcap.flows.stand_in import stand_in


def test_a_shop_is_served_for_the_length_of_the_block(tmp_path, tiny_shop):
    served = shutil.copytree(tiny_shop, tmp_path / "served")
    with server_process(served) as address:
        assert httpx.get(f"{address}/health/ready").json()["status"] == "ready"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/health/ready")
    assert "bundle.taken" in (served / "serve.log").read_text()


def test_a_server_that_does_not_come_up_is_told_with_its_log(fresh_shop):
    with pytest.raises(BundleError, match="did not come up: ") as caught, server_process(fresh_shop):
        raise AssertionError("there is no server")
    assert (caught.value.code, caught.value.where) == (Code.BUNDLE_DAMAGED, str(fresh_shop))
    assert "there is no bundle" in (fresh_shop / "serve.log").read_text()


def test_a_stand_in_is_served_with_the_shops_key_and_told_by_the_shops_name(tiny_shop):
    shop = find_shop(tiny_shop)
    with stand_in(shop, shop.bundle_in_force()) as root, server_process(root, of=shop) as address:
        answer = httpx.post(f"{address}/v1/recommend", json={"placement": "home", "user_pseudo_id": "c", "n": 3})
        assert len(answer.json()["items"]) == 3
        assert not (root / "keys").exists()
    with stand_in(shop, shop.bundle_in_force()) as root:
        (root / "bundles" / "current").write_text("nothing")
        with pytest.raises(BundleError) as caught, server_process(root, of=shop):
            pass
    assert (caught.value.where, caught.value.fix) == (str(shop.root), f"try `endcap serve {shop.root}`")


def test_a_server_ends_with_the_process_that_started_it_however_that_ends(tmp_path, tiny_shop):
    served = shutil.copytree(tiny_shop, tmp_path / "served")
    script = tmp_path / "run.py"
    script.write_text(
        "import sys, time\nfrom pathlib import Path\nfrom endcap.cli.server_process import server_process\n"
        "with server_process(Path(sys.argv[1])) as address:\n    print(address, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, script, served], stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        assert httpx.get(f"{address}/health/ready").status_code == 200
        process.kill()
    for _ in range(200):
        try:
            httpx.get(f"{address}/health/ready")
        except httpx.TransportError:
            return
        time.sleep(0.1)
    pytest.fail("the server is still there 20 seconds after who started it was killed")
