import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PUT = """
import os, sys
from pathlib import Path
from endcap.core.errors import StoreError
from endcap.stores.adapters.bucket import S3Bucket
from endcap.testing.far_faults import PROXY_VARIABLE
from endcap.testing.faults import Fault, FaultKind
from endcap.testing.forked import run_forked
import json

endpoint, bucket = sys.argv[1:]

def put(name):
    def work():
        store = S3Bucket(f"s3://{bucket}/{name}/bundles", endpoint=os.environ[PROXY_VARIABLE])
        try:
            store.put_if("current", b"one", None)
        except StoreError as error:
            return 4 if error.code == "storage-unreachable" else 5
        return 0 if store.read("current")[0] == b"one" else 3
    return work

def there(name):
    def work():
        return 0 if S3Bucket(f"s3://{bucket}/{name}/bundles", endpoint=endpoint).read("current") else 3
    return run_forked(work)[0] == 0

told = {}
for kind in sys.stdin.read().split():
    code, operations = run_forked(put(kind), Fault(FaultKind(kind), "s3/put/current"), far=endpoint)
    told[kind] = [code, operations.count("s3/put/current"), there(kind)]
print(json.dumps(told))
"""


def test_a_put_is_killed_torn_slowed_down_not_answered_or_refused(s3):
    kinds = "kill_before kill_after torn answer_lost slow_down refused"
    # In a process without threads: it is forked.
    ended = subprocess.run([sys.executable, "-c", PUT, *s3], input=kinds, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    told = json.loads(ended.stdout)
    assert {kind: (code, is_there) for kind, (code, _, is_there) in told.items()} == {
        "kill_before": (-9, False),
        "kill_after": (-9, True),
        "torn": (-9, False),
        "answer_lost": (0, True),
        "slow_down": (0, True),
        "refused": (4, False),  # away for longer than a client tries: whoever asked has to try again
    }
    assert told["slow_down"][1] == 3
