import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from endcap.testing.s3_server import make_bucket

pytestmark = pytest.mark.slow


def test_a_bucket_is_made_once(s3_server):
    make_bucket(s3_server, "once")
    assert urllib.request.urlopen(f"{s3_server}/once").status == 200  # noqa: S310
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{s3_server}/never")  # noqa: S310


KILLED = """
import os, signal
from endcap.testing.s3_server import own_s3
with own_s3() as endpoint:
    print(endpoint, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.usefixtures("s3_server")
def test_the_server_ends_with_a_process_that_is_killed():
    ended = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    port = int(ended.stdout.rpartition(":")[2])
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    pytest.fail("it still runs")
