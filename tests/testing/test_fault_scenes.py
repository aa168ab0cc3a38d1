import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

MAKE = """
import json, sys, threading
from pathlib import Path
from endcap.testing.fault_scenes import make_scene

scene = make_scene(Path(sys.argv[1]) / "one", is_backfill=True)
print(json.dumps([scene.days, scene.words(scene.fresh)[0], threading.active_count()]))
"""


def test_a_shop_for_a_backfill_has_days_that_wait_and_its_maker_no_threads(tmp_path):
    ended = subprocess.run([sys.executable, "-c", MAKE, str(tmp_path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert json.loads(ended.stdout) == [["2026-01-03", "2026-01-06"], "backfill", 1]
    shop = tmp_path / "one" / "tiny"
    assert "pseudo_user_id" in (shop / "endcap.toml").read_text()
    assert (shop / "bundles" / "current").read_text().startswith("2026-01-03")
    assert not list((shop / "lake" / "events").glob("date_partition=2026-01-04"))
