"""An S3 server of one's own (moto) for tests and benchmarks; it goes with the block, also where that is killed."""

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from endcap.serving.process import free_port

__all__ = ["CREDENTIALS", "make_bucket", "own_s3", "s3_program"]

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
"""What its clients need in their environment; it takes any."""

_STARTS_WITHIN_S = 60

_WATCH = """
"$0" "$@" < /dev/null &
read -r _
kill -9 $!
"""
"""What ends the server when nobody holds the watcher's input any more."""


def s3_program() -> str:
    """Return the path of the server's program, "" where it is not installed (`make build/s3/ready`)."""
    built = Path(__file__).parents[3] / "build/s3/bin"
    return shutil.which("moto_server", path=f"{built}:{os.environ['PATH']}") or ""


@contextmanager
def own_s3() -> Iterator[str]:
    """Start a server for the length of the block, without a thread in this process; yield its endpoint."""
    port = free_port("127.0.0.1", 0)
    watcher = subprocess.Popen(  # noqa: S603 - our own
        ["/bin/sh", "-c", _WATCH, s3_program(), "-H", "127.0.0.1", "-p", str(port)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert watcher.stdin is not None
    try:
        _wait(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        watcher.stdin.close()
        watcher.wait()


def make_bucket(endpoint: str, name: str) -> None:
    """Make an empty bucket."""
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT")).close()  # noqa: S310 - our own


def _wait(port: int) -> None:
    until_s = time.monotonic() + _STARTS_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > until_s:
                raise RuntimeError("the S3 server did not start") from None
            time.sleep(0.05)
        else:
            return
