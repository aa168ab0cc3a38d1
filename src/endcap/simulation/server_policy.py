"""The policy of a running Endcap server: it is asked for every list, after it was told what led to it.

The server learns what a list's visitor has viewed last, when the list is asked for: no other event reaches it. The
sessions of a day go side by side, so of a visitor's second session on a day it may know before the first one ends.

Shapes: B lists of one page, L places, N items.
"""

import json
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from endcap.core.errors import Code, EndcapError, RequestError, UsageError
from endcap.simulation.policies import Asked, Slates

__all__ = ["ServerPolicy"]

_PLACEMENT = "home"
_HEADERS = {"Content-Type": "application/json"}
_WITHIN_S = 60
_MOST_EVENTS = 1000  # in a request, if the server takes as many
_BEFORE_LIST_US = 1_000  # the view is told as of a millisecond before the list that follows it


@dataclass(eq=False)
class ServerPolicy:
    """Asks a server of a shop that sells the same items.

    What the server recommends that the world does not have, or does not offer that day, is left out, and so is what it
    names twice.

    Args:
        address: Of the server, such as http://127.0.0.1:8000.
        item_ids: N ids of the world's items, as `Catalogue.item_ids`.
        known_as: What tells it from others, where its address does not: that of a server for a while is another each
            time.
    """

    address: str
    item_ids: pa.Array
    known_as: Mapping[str, str] = field(default_factory=dict)
    name: str = "server"

    @property
    def is_repeatable(self) -> bool:
        """It is not: a server draws what it draws, and remembers whom it has seen."""
        return False

    @property
    def settings(self) -> dict[str, Any]:
        """Whom it asks; what that one would answer another time is not known."""
        return dict(self.known_as) or {"address": self.address}

    def __post_init__(self) -> None:
        """Nobody has been seen yet."""
        self._day = -1
        self._told: dict[tuple[int, int], int] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process without the connection, which is made there anew."""
        return ServerPolicy, (self.address, self.item_ids, self.known_as)

    def check(self, places: int) -> None:
        """Ask the server whether it can answer, and for a list.

        Args:
            places: Items of a list.

        Raises:
            EndcapError: It cannot, or there is none, or none of what it recommends is in the world.
        """
        self._server.ask("/health/ready")
        told = [each["item_id"] for each in self._server.ask("/v1/recommend", self._question(0, -1, places))["items"]]
        if not any(item_id in self._numbers for item_id in told):
            raise UsageError(
                f"none of the {len(told)} items that the server recommends is among the world's {len(self._ids):,}"
                + (f": {told[0]} is not, {self._ids[0]} is" if told else ""),
                where="--policy",
                fix="simulate the world that its shop was made from (--preset, --items, --scale)",
                code=Code.USAGE,
            )

    def choose(self, asked: Asked, rng: np.random.Generator) -> Slates:  # noqa: ARG002 - the server draws what it draws
        """Choose the lists; see Policy.

        Raises:
            EndcapError: The server cannot be reached, or does not understand.
        """
        self._tell(asked)
        lists = len(asked.visitor)
        is_offered = np.zeros(len(self.item_ids), bool)
        is_offered[asked.offered] = True
        items = np.full((lists, asked.places), -1, np.int32)
        propensity = np.full((lists, asked.places), np.nan, np.float32)
        for row, (cookie, before) in enumerate(zip(asked.cookie.tolist(), asked.before.tolist(), strict=True)):
            answer = self._server.ask("/v1/recommend", self._question(cookie, before, asked.places))
            kept = self._kept(answer["items"][: asked.places], is_offered)
            items[row, : len(kept)] = [number for number, _ in kept]
            propensity[row, : len(kept)] = [told for _, told in kept]
        return Slates(items, propensity)

    def _question(self, cookie: int, before: int, places: int) -> dict[str, Any]:
        looked_at = {"item_ids": [self._ids[before]]} if before >= 0 else {}
        return {"placement": _PLACEMENT, "user_pseudo_id": str(cookie), "n": places, **looked_at}

    def _kept(self, places: Sequence[dict[str, Any]], is_offered: NDArray[np.bool_]) -> list[tuple[int, float]]:
        """Return number and propensity of the items of an answer that the world offers, in order.

        An item that moved up stands where the server did not draw it: its propensity is known only if it is certain.
        """
        kept: dict[int, float] = {}
        for place, each in enumerate(places):
            number = self._numbers.get(each["item_id"], -1)
            if number >= 0 and is_offered[number] and number not in kept:
                told = float(each.get("propensity", np.nan))
                kept[number] = told if told == 1 or place == len(kept) else np.nan
        return list(kept.items())

    def _tell(self, asked: Asked) -> None:
        """Send the server what visitors have viewed since their last list."""
        if asked.day != self._day:
            self._day, self._told = asked.day, {}
        events = []
        columns = (asked.cookie, asked.session_us, asked.at_us, asked.before)
        for cookie, session_us, at_us, before in zip(*(each.tolist() for each in columns), strict=True):
            if before >= 0 and self._told.get((cookie, session_us)) != before:
                self._told[cookie, session_us] = before
                events.append(_view(cookie, session_us, at_us - _BEFORE_LIST_US, self._ids[before]))
        if events:
            self._server.tell(events)

    @cached_property
    def _server(self) -> "_Server":
        return _Server(self.address)

    @cached_property
    def _ids(self) -> list[str]:
        ids: list[str] = self.item_ids.to_pylist()
        return ids

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {item_id: number for number, item_id in enumerate(self._ids)}


class _Server:
    """A connection that is kept; one that has ended is made anew."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._connection = _connection(self._address)
        weakref.finalize(self, self._connection.close)
        self._path = urlsplit(self._address).path

    def ask(self, route: str, question: Any = None) -> dict[str, Any]:
        """Ask and return the answer.

        Args:
            route: The path.
            question: Sent as JSON; None for a GET.

        Raises:
            UsageError: Nobody answers.
            RequestError: The server refuses.
        """
        content = None if question is None else json.dumps(question).encode()
        try:
            status, body = self._once(route, content)
        except (OSError, HTTPException):  # it had mostly ended while nothing was asked; else it logs a list twice
            self._connection.close()
            try:
                status, body = self._once(route, content)
            except (OSError, HTTPException) as error:
                raise _unreachable(self._address, error) from error
        if status != 200:
            raise _refusal(f"{self._address}{route}", status, body)
        answer: dict[str, Any] = json.loads(body)
        return answer

    def tell(self, events: Sequence[dict[str, Any]]) -> None:
        """Send events, in as many requests as the server wants.

        Raises:
            EndcapError: It cannot be reached, or does not take them all.
        """
        for first in range(0, len(events), self._most_events):
            answer = self.ask("/v1/events", events[first : first + self._most_events])
            for rejected in answer["rejected"]:
                raise _rejection(f"{self._address}/v1/events", len(answer["rejected"]), rejected["detail"])

    @cached_property
    def _most_events(self) -> int:
        """The most events that the server takes in one request, as its own document says."""
        body = self.ask("/openapi.json")["paths"]["/v1/events"]["post"]["requestBody"]
        several = [each for each in body["content"]["application/json"]["schema"]["oneOf"] if "maxItems" in each]
        return min(_MOST_EVENTS, *(int(each["maxItems"]) for each in several))

    def _once(self, route: str, content: bytes | None) -> tuple[int, bytes]:
        method = "GET" if content is None else "POST"
        self._connection.request(method, self._path + route, content, _HEADERS)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def _connection(address: str) -> HTTPConnection:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _unreachable(address, error) from error
    if not host or parts.scheme not in {"http", "https"}:
        raise _unreachable(address, ValueError("it is no address of a server"))
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(host, port, timeout=_WITHIN_S)


def _view(cookie: int, session_us: int, at_us: int, item_id: str) -> dict[str, Any]:
    return {
        "event_name": "view_item",
        "event_timestamp": at_us,
        "user_pseudo_id": str(cookie),
        "ga_session_id": str(session_us // 1_000_000),
        "items": [{"item_id": item_id}],
    }


def _unreachable(address: str, error: Exception) -> UsageError:
    return UsageError(
        f"no server answers at {address}: {error}",
        where="--policy",
        fix="start one with `endcap serve SHOP` and name the address it prints",
        code=Code.USAGE,
    )


def _refusal(where: str, status: int, body: bytes) -> EndcapError:
    """Return the server's own error, as far as it tells one."""
    try:
        told = json.loads(body)
        code, what, fix = Code(told["code"]), str(told["detail"]), str(told["fix"])
    except (ValueError, KeyError, TypeError):
        what, fix = "it is no answer of Endcap", "look whether the address is that of `endcap serve`"
        code = Code.REQUEST_INVALID if status < 500 else Code.INTERNAL
    return RequestError(f"the server answers {status}: {what}", where=where, fix=fix, code=code)


def _rejection(where: str, count: int, detail: str) -> EndcapError:
    return RequestError(
        f"the server rejects {count} events; the first: {detail}",
        where=where,
        fix="let the world begin so that its last day is not after today (--start, --days)",
        code=Code.EVENTS_REJECTED,
    )
