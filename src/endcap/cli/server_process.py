"""A server of a shop as a process of its own, for as long as a command needs one."""

import os
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
from endcap.flows.shop import USER_KEY_VARIABLE, Shop
from endcap.serving.process import ENDS_WITH_STDIN

__all__ = ["server_process"]

_STARTS_WITHIN_S = 60
_ENDS_WITHIN_S = 20
_SHOWN = 200


@contextmanager
def server_process(root: Path, *, of: Shop | None = None) -> Iterator[str]:
    """Start `endcap serve` on a free port and give its address; end it after the block.

    It ends with this process too, however that ends. What it says on its way is in `serve.log`.

    Args:
        root: The shop's folder, with a bundle in force.
        of: The shop that the folder stands in for, whose key it is served with.

    Raises:
        BundleError: It did not come up.
    """
    command = [sys.executable, "-m", "endcap", "serve", str(root), "--port", "0", "--workers", "1"]
    environment = os.environ | {ENDS_WITH_STDIN: "1"}
    if of is not None:
        environment[USER_KEY_VARIABLE] = of.user_key().hex()
        environment["ENDCAP__STORES__BUNDLES"] = (
            '""'  # a stand-in serves the bundle in its folder, and follows no bucket
        )
    log = root / "serve.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
    limit = Timer(_STARTS_WITHIN_S, process.kill)  # of the wait for its first line
    try:
        limit.start()
        lines = iter(process.stdout or ())
        address = next((line.split()[-1] for line in lines if line.startswith("listening")), None)
        limit.cancel()
        if address is None or not _is_ready(address, process):
            raise _not_up(log, root if of is None else of.root)
        yield address
    finally:
        limit.cancel()
        _end(process)


def _not_up(log: Path, shop: Path) -> BundleError:
    """Return the error with what the server said last: a stand-in's log is gone when a user reads this."""
    said = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    why = f": {said[-1][:_SHOWN]}" if said else ""
    return BundleError(
        f"the server did not come up{why}", where=str(shop), fix=f"try `endcap serve {shop}`", code=Code.BUNDLE_DAMAGED
    )


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for line in (process.stdin, process.stdout):
        if line is not None:
            line.close()


def _is_ready(address: str, process: subprocess.Popen[str]) -> bool:
    until = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health/ready", timeout=5) as answer:  # noqa: S310 - our own server
                return bool(answer.status == 200)
        except OSError:
            time.sleep(0.1)
    return False
