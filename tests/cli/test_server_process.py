import shutil

import httpx
import pytest

from endcap.cli.server_process import server_process
from endcap.core.errors import BundleError, Code


def test_a_shop_is_served_for_the_length_of_the_block(tmp_path, tiny_shop):
    served = shutil.copytree(tiny_shop, tmp_path / "served")
    with server_process(served) as address:
        assert httpx.get(f"{address}/health/ready").json()["status"] == "ready"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/health/ready")
    assert "bundle.taken" in (served / "serve.log").read_text()


def test_a_server_that_does_not_come_up_is_told_with_its_log(fresh_shop):
    with pytest.raises(BundleError, match="did not come up") as caught, server_process(fresh_shop):
        raise AssertionError("there is no server")
    assert (caught.value.code, caught.value.where) == (Code.BUNDLE_DAMAGED, str(fresh_shop / "serve.log"))
    assert "there is no bundle" in (fresh_shop / "serve.log").read_text()
