"""The server's own process: `python -m endcap.serving.server TARGET HOST PORT WORKERS`.

It loads Granian and no more, so that the workers, which are forks of it, begin light.
"""

import contextlib
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from importlib import import_module
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from endcap.core.errors import EndcapError
from endcap.serving.process import ENDS_WITH_STDIN

__all__ = ["main"]

# As in `meters`, which must not be loaded before the variable is set.
_MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_STOP_WITHIN_S = 20


def main(arguments: Sequence[str]) -> None:
    """Serve until TERM or INT; requests in progress are answered first.

    A worker that dies is replaced. Workers that cannot begin end the server: with 2 where the user can mend it.

    Args:
        arguments: `module:function` that makes the application; host; port; number of workers.
    """
    target, host, port, workers = arguments
    if os.environ.pop(ENDS_WITH_STDIN, ""):
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    scratch = Path(tempfile.mkdtemp(prefix="endcap-serving-"))
    (scratch / "meters").mkdir()
    os.environ[_MULTIPROCESS_VARIABLE] = str(scratch / "meters")
    refused = scratch / "refused"
    server = Granian(
        target,
        address=host,
        port=int(port),
        interface=Interfaces.ASGI,
        workers=int(workers),
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=_STOP_WITHIN_S,
    )
    try:
        server.serve(target_loader=lambda: _application(target, refused), wrap_loader=False)
    except SystemExit as ended:
        if ended.code and refused.exists():
            sys.exit(EndcapError.exit_code)
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _application(target: str, refused: Path) -> Any:
    """Make a worker's application, or say once what is wrong and end this worker.

    Args:
        target: `module:function`.
        refused: File by which the workers tell each other that it has been said.
    """
    threading.Thread(target=_end_with_the_server, name="end-with-the-server", daemon=True).start()
    module, function = target.split(":")
    try:
        return getattr(import_module(module), function)()
    except EndcapError as error:
        with contextlib.suppress(FileExistsError):
            refused.touch(exist_ok=False)
            sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


def _end_with_the_server() -> None:
    """End this worker as TERM does when the server's process is gone: killed, it could not say so.

    A worker left alone would keep the port, and answer by the settings of a server that nobody can stop.
    """
    server = multiprocessing.parent_process()
    if server is not None:
        wait([server.sentinel])
        while True:  # one that has not begun yet still has the server's own handler, which would swallow the signal
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)


def _end_with_stdin() -> None:
    """End as TERM does when the standard input ends; read without a buffer, whose lock the forks would share."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])
