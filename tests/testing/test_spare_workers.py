import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_spares_that_nobody_asks_end_with_their_pipes(tmp_path):
    told = f"""
from pathlib import Path
from endcap.testing.faults import Operations
from endcap.testing.spare_workers import SpareWorker
operations, spares = Operations(Path({str(tmp_path / "log")!r}), None), []
for _ in range(2):
    spares.append(SpareWorker(["no shop", "1"], operations, spares))
with spares[0], spares[1]:
    pass
print([each.returncode for each in spares])
"""
    ended = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.strip() == "[0, 0]"


def test_one_that_cannot_open_its_shop_says_so(tmp_path):
    told = f"""
import json
from pathlib import Path
from endcap.testing.faults import Operations
from endcap.testing.spare_workers import SpareWorker
with SpareWorker([{str(tmp_path)!r}, "1"], Operations(Path({str(tmp_path / "log")!r}), None), []) as spare:
    print(json.dumps({{"step": "sessions"}}), file=spare.stdin, flush=True)
    print(json.loads(spare.stdout.readline())["error"]["code"])
    spare.kill()
"""
    ended = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.strip() == "config-missing"
