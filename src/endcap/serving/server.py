"""The server's own process: `python -m endcap.serving.server TARGET HOST PORT WORKERS`.

It loads Granian and no more, so that the workers, which are forks of it, begin light.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence

from granian import Granian
from granian.constants import Interfaces

__all__ = ["main"]

# As in `meters`, which must not be loaded before the variable is set.
_MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_STOP_WITHIN_S = 20


def main(arguments: Sequence[str]) -> None:
    """Serve until TERM or INT; requests in progress are answered first.

    Args:
        arguments: `module:function` that makes the application; host; port; number of workers.
    """
    target, host, port, workers = arguments
    meters = tempfile.mkdtemp(prefix="endcap-meters-")
    os.environ[_MULTIPROCESS_VARIABLE] = meters
    try:
        Granian(
            target,
            address=host,
            port=int(port),
            interface=Interfaces.ASGI,
            workers=int(workers),
            factory=True,
            websockets=False,
            log_enabled=False,
            respawn_failed_workers=True,
            workers_kill_timeout=_STOP_WITHIN_S,
        ).serve()
    finally:
        shutil.rmtree(meters, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
