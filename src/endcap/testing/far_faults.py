"""A proxy before an object store, in a process of its own, that kills who asks, loses answers, or is away for a moment.

Clients' own retries, and what they make of an answer that did not come, are in Rust: only what stands between them and
the store can try them. Every request is an operation: `s3/put/log` (a commit of a table), `s3/put/data`,
`s3/put/current`, `s3/put/manifest`, `s3/put/bundle`, `s3/put/check`, `s3/delete`, `s3/get` or `s3/list`.
"""

import os
import re
import signal
import socket
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

import psutil

from endcap.testing.faults import FaultKind, Operations

__all__ = ["PROXY_VARIABLE", "request_name", "start_proxy"]

PROXY_VARIABLE = "ENDCAP__STORES__ENDPOINT"
"""Where a shop's setting `stores.endpoint` is overridden."""

_AWAY_S = 1.5
"""Longer than the tries of a client take that is refused: a step has to be tried again."""

_SLOW_ANSWERS = 2
"""Fewer than a client tries."""

_SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"

_PLACES = {
    "/_delta_log/": "log",
    "/_check/": "check",
    "/lake/": "data",
    "/current": "current",
    "/manifest.json": "manifest",
}
"""Part of a key -> what lies there; the first that is found says it."""


def request_name(method: str, path: str) -> str:
    """Return the name of a request as an operation.

    >>> request_name("PUT", "/bucket/seed/lake/events/_delta_log/00000000000000000001.json")
    's3/put/log'
    >>> request_name("GET", "/bucket?list-type=2&prefix=seed"), request_name("POST", "/bucket?delete")
    ('s3/list', 's3/delete')
    """
    key, _, query = path.partition("?")
    if method == "DELETE" or (method == "POST" and query.startswith("delete")):
        return "s3/delete"
    if method in {"GET", "HEAD"}:
        return "s3/list" if re.search(r"(^|&)list-type=", query) else "s3/get"
    return f"s3/put/{next((told for part, told in _PLACES.items() if part in key), 'bundle')}"


def start_proxy(endpoint: str, operations: Operations, alive: int) -> str:
    """Start the proxy of this process, which must have no threads; it ends with this process and its workers.

    Args:
        endpoint: Where the store is.
        operations: Counts requests and says which one goes wrong.
        alive: A file that the proxy must not hold open: somebody waits for its end.

    Returns:
        The proxy's own endpoint.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    reading, writing = os.pipe()  # its end is the end of the last process that may ask
    client = os.getpid()
    if os.fork() == 0:
        try:
            os.close(alive)
            os.close(writing)
            proxy = _Proxy(urlsplit(endpoint).netloc, operations, listener, client)
            threading.Thread(target=proxy.serve, daemon=True).start()
            os.read(reading, 1)
        finally:
            os._exit(0)
    os.close(reading)
    listener.close()
    return f"http://127.0.0.1:{port}"


class _Proxy:
    """Takes connections, and for some time none.

    Args:
        store: Host and port of the store.
        operations: Counts requests.
        listener: Where clients come.
        client: The process that asks; its children may, too.
    """

    def __init__(self, store: str, operations: Operations, listener: socket.socket, client: int) -> None:
        self.store, self.operations = store, operations
        self.slow_answers, self.away_until_s = 0, 0.0
        self._listener, self._client = listener, client

    def serve(self) -> None:
        """Take connections until this process ends."""
        address = self._listener.getsockname()
        while True:
            try:
                connection, told = self._listener.accept()
            except OSError:  # shut: from now on the system itself refuses
                self._listener.close()
                time.sleep(max(0.0, self.away_until_s - time.monotonic()))
                self._listener = socket.create_server(address)
                continue
            threading.Thread(target=self._answer, args=(connection, told), daemon=True).start()

    def go_away(self) -> None:
        """Refuse connections for a moment."""
        self.away_until_s = time.monotonic() + _AWAY_S
        self._listener.shutdown(socket.SHUT_RDWR)

    def kill_client(self, port: int) -> None:
        """Kill the process that asks from a port: it must not see an answer."""
        first = psutil.Process(self._client)
        for each in [first, *first.children()]:
            with suppress(psutil.Error):
                if any(found.laddr and found.laddr.port == port for found in each.net_connections("tcp4")):
                    each.send_signal(signal.SIGKILL)
                    return

    def _answer(self, connection: socket.socket, told: Any) -> None:
        with connection, suppress(OSError, HTTPException):
            _Handler(connection, told, self)  # type: ignore[arg-type] # it asks its server for nothing


class _Handler(BaseHTTPRequestHandler):
    """Passes the requests of one connection on."""

    protocol_version = "HTTP/1.1"
    server: Any

    def setup(self) -> None:
        super().setup()
        self._store = HTTPConnection(self.server.store)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def finish(self) -> None:
        self._store.close()
        super().finish()

    def do_any(self) -> None:
        """Pass one request on, if no fault is in its way."""
        proxy: _Proxy = self.server
        length = int(self.headers.get("Content-Length") or 0)
        kind = proxy.operations.count(request_name(self.command, self.path))
        if kind is FaultKind.TORN:
            self.rfile.read(length // 2)
        if kind in {FaultKind.TORN, FaultKind.KILL_BEFORE}:
            proxy.kill_client(self.client_address[1])
        if kind is FaultKind.REFUSED:
            proxy.go_away()
        if kind in {FaultKind.TORN, FaultKind.KILL_BEFORE} or time.monotonic() < proxy.away_until_s:
            self.close_connection = True
            return
        body = self.rfile.read(length)
        if kind is FaultKind.SLOW_DOWN:
            proxy.slow_answers = _SLOW_ANSWERS
        if proxy.slow_answers:
            proxy.slow_answers -= 1
            self._tell(503, {"Content-Type": "application/xml"}, _SLOW_DOWN)
            return
        self._store.request(self.command, self.path, body, dict(self.headers.items()))
        answer = self._store.getresponse()
        content = answer.read()
        if kind is FaultKind.KILL_AFTER:
            proxy.kill_client(self.client_address[1])
        if kind in {FaultKind.KILL_AFTER, FaultKind.ANSWER_LOST}:
            self.close_connection = True
            return
        self._tell(answer.status, dict(answer.getheaders()), content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any

    def _tell(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        is_bare = self.command == "HEAD" or status in {204, 304}
        for name, value in headers.items():
            if name.lower() not in {"connection", "transfer-encoding"} | (set() if is_bare else {"content-length"}):
                self.send_header(name, value)
        if not is_bare:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not is_bare:
            self.wfile.write(content)
