import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import httpx
import pytest

from endcap.cli.server_process import server_process
from endcap.core.clock import fixed_clock
from endcap.core.errors import Code, LedgerError, StoreError
from endcap.flows.refresh import refresh
from endcap.flows.shop import find_shop
from endcap.flows.wiring.serving import open_recommender
from endcap.flows.wiring.stores import check_stores, open_bundles, open_far_bundles, open_tables, pull_bundle
from endcap.stores.adapters.bucket import S3Bucket
from endcap.testing.content import shop_content

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
