"""A PostgreSQL server of one's own, for tests and benchmarks, in a temporary folder; both go with the block.

Where the block is killed, too: a watcher waits for the end of a pipe that goes with this process.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endcap.serving.process import free_port

__all__ = ["PASSWORD", "Server", "initdb", "own_server"]

PASSWORD = "a:long@word/with%20signs"  # noqa: S105 - of a server that lives for a test
"""The server's password; its signs break whoever puts it into a URL as it is."""


_WATCH = """
read -r _
"$0" stop -m immediate -D "$1/data"
rm -rf "$1"
"""
"""What ends the server and its folder when nobody holds the watcher's input any more."""


@dataclass(frozen=True)
class Server:
    """A running server.

    Args:
        url: SQLAlchemy URL without the password.
        control: pg_ctl.
        place: Its folder.
        as_user: How a process of it is started.
        options: What the server is started with.
    """

    url: str
    control: str
    place: Path
    as_user: dict[str, Any]
    options: str

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._run("start", "-w", "-D", self.place / "data", "-l", self.place / "log", "-o", self.options)

    def stop(self) -> None:
        """Stop it at once: all connections are lost."""
        self._run("stop", "-m", "immediate", "-D", self.place / "data")

    def _run(self, *words: object) -> None:
        command = [self.control, *map(str, words)]
        subprocess.run(command, **self.as_user, cwd=self.place, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own


def initdb() -> str:
    """Return the path of PostgreSQL's initdb, "" where it is not installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return shutil.which("initdb") or (str(programs[-1]) if programs else "")


@contextmanager
def own_server() -> Iterator[Server]:
    """Make and start a server for the length of the block; `initdb` must be there."""
    # The server refuses to run as root.
    other: dict[str, Any] = (
        {"user": "postgres" if shutil.which("pg_lsclusters") else "nobody"} if os.geteuid() == 0 else {}
    )
    place = Path(tempfile.mkdtemp(prefix="endcap-postgres-"))
    (place / "password").write_text(PASSWORD, encoding="ascii")
    for path in (place, place / "password"):
        shutil.chown(path, other.get("user", os.getuid()))
    options = ["-D", str(place / "data"), "-U", "reader", "-A", "scram-sha-256", "--pwfile", str(place / "password")]
    command = [initdb(), *options, "--no-sync", "--no-locale", "-E", "UTF8"]
    subprocess.run(command, **other, cwd=place, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    port = free_port("127.0.0.1", 0)
    server = Server(
        url=f"postgresql+psycopg://reader@127.0.0.1:{port}/postgres",
        control=str(Path(initdb()).with_name("pg_ctl")),
        place=place,
        as_user=other,
        options=f"-p {port} -h 127.0.0.1 -k '' -c fsync=off",
    )
    watcher = subprocess.Popen(  # noqa: S603 - our own
        ["/bin/sh", "-c", _WATCH, server.control, str(place)],
        **other, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    assert watcher.stdin is not None
    try:
        server.start()
        yield server
    finally:
        watcher.stdin.close()
        watcher.wait()
