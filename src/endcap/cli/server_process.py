"""A server of a shop as a process of its own, for as long as a command needs one."""

import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

from endcap.core.errors import BundleError, Code

__all__ = ["server_process"]

_STARTS_WITHIN_S = 60
_ENDS_WITHIN_S = 20


@contextmanager
def server_process(shop: Path) -> Iterator[str]:
    """Start `endcap serve` on a free port and give its address; end it after the block.

    What it says on its way is in `SHOP/serve.log`.

    Args:
        shop: The shop's folder, with a bundle in force.

    Raises:
        BundleError: It did not come up.
    """
    command = [sys.executable, "-m", "endcap", "serve", str(shop), "--port", "0", "--workers", "1"]
    log = shop / "serve.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)  # noqa: S603 - our own command
    limit = Timer(_STARTS_WITHIN_S, process.kill)  # of the wait for its first line
    try:
        limit.start()
        lines = iter(process.stdout or ())
        address = next((line.split()[-1] for line in lines if line.startswith("listening")), None)
        limit.cancel()
        if address is None or not _is_ready(address, process):
            raise BundleError(
                "the server did not come up", where=str(log), fix=f"try `endcap serve {shop}`", code=Code.BUNDLE_DAMAGED
            )
        yield address
    finally:
        limit.cancel()
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _is_ready(address: str, process: subprocess.Popen[str]) -> bool:
    until = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health/ready", timeout=5) as answer:  # noqa: S310 - our own server
                return bool(answer.status == 200)
        except OSError:
            time.sleep(0.1)
    return False
