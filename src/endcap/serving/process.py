"""Starting the server: checks the address first, then turns this process into the server's.

The workers must not inherit what the command line has loaded (torch, duckdb, ...). So the process is replaced by a
fresh interpreter that loads the server alone; its number, and with it what signals reach it, stays.
"""

import os
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

from endcap.core.errors import Code, UsageError

__all__ = ["ENDS_WITH_STDIN", "free_port", "serve", "server_command"]

ENDS_WITH_STDIN = "ENDCAP_ENDS_WITH_STDIN"
"""Environment variable of a server that ends when its standard input does: with the process that started it."""

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def serve(target: str, *, host: str, port: int, workers: int, on_listening: Callable[[str], None]) -> NoReturn:
    """Become a server, until TERM or INT.

    Args:
        target: `module:function` that makes the application, called in each worker.
        host: Address to listen on.
        port: Port; 0 takes a free one.
        workers: Processes, at least 1.
        on_listening: Is told the server's URL when the address is known to be free; the server listens there soon.

    Raises:
        UsageError: The address cannot be used (PORT_UNUSABLE).
    """
    address, port = _listening_address(host, port)  # Granian takes no name such as localhost, only an address
    shown = f"[{host}]" if ":" in host else host
    on_listening(f"http://{shown}:{port}")
    sys.stdout.flush()
    sys.stderr.flush()
    command = server_command(target, host=address, port=port, workers=workers)
    os.execve(command[0], command, os.environ | _ONE_THREAD)  # noqa: S606 - no shell is wanted


def server_command(target: str, *, host: str, port: int, workers: int) -> list[str]:
    """Return the command of the server's own process."""
    return [sys.executable, "-m", "endcap.serving.server", target, host, str(port), str(workers)]


def free_port(host: str, port: int) -> int:
    """Return the port, or for 0 one that is free, if this process may listen on it.

    Raises:
        UsageError: It is out of range, taken, or not allowed, or there is no such address (PORT_UNUSABLE).
    """
    return _listening_address(host, port)[1]


def _listening_address(host: str, port: int) -> tuple[str, int]:
    """Return the numeric address of a host and the port, as `free_port` does."""
    if not 0 <= port <= 65_535:
        raise _unusable(host, port, "ports are 0 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # Without it a port whose last connections are still fading would count as taken. One that somebody
            # listens on is refused all the same.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            found: int = probe.getsockname()[1]
    except OSError as error:
        raise _unusable(host, port, error.strerror or str(error)) from error
    except ValueError as error:  # what cannot even be written as a name: a label of 64 letters, two dots
        raise _unusable(host, port, "this is no name of a host") from error
    return str(address[0]), found


def _unusable(host: str, port: int, why: str) -> UsageError:
    return UsageError(
        f"the server cannot listen on {host}, port {port}: {why}",
        where="serving.host and serving.port, or --host and --port",
        fix="choose another port, or 0 for a free one, on an address of this machine such as 127.0.0.1; "
        "`ss -ltnp` shows who holds a port",
        code=Code.PORT_UNUSABLE,
    )
