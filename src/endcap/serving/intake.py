"""Intake: what a sender calls an event becomes a line of the log, or a rejection with its reason.

Raw ids are hashed here, first of all; nothing that is logged or answered holds one.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from endcap.core.clock import day_start_us
from endcap.core.currency import CURRENCIES, minor_units_of
from endcap.core.errors import near
from endcap.core.ids import user_key
from endcap.core.landed import LandedEvent, LandedItem
from endcap.core.tables import CANONICAL_EVENT_NAMES
from endcap.serving.reading import fault_of
from endcap.serving.wire import EventItem, EventRequest, Rejected

__all__ = ["Intake", "Taken"]

_FIRST_US = day_start_us("2000-01-01")
_HEX = re.compile(r"[0-9a-f]{32}")
_decoder = msgspec.json.Decoder(EventRequest)


class _RefusedError(Exception):
    """One event is not taken.

    Args:
        code: The reason.
        detail: What is wrong.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Taken:
    """What became of the rows of a request.

    Args:
        events: Events to be logged, each event_id once.
        num_twice: Events left out because an earlier row has their event_id.
        rejected: Rows that are not taken.
    """

    events: list[LandedEvent]
    num_twice: int
    rejected: list[Rejected]


@dataclass(frozen=True)
class Intake:
    """How events are taken in.

    Args:
        key: The shop's key, 32 bytes.
        default_currency: Of amounts whose event names none; None where the shop has no default.
        future_tolerance_us: How far ahead of the clock an event may be.
    """

    key: bytes
    default_currency: str | None
    future_tolerance_us: int

    def take(self, rows: Sequence[bytes | msgspec.Raw], *, now_us: int, idempotency_key: str = "") -> Taken:
        """Take the rows of a request.

        Args:
            rows: JSON of one event each.
            now_us: When they arrived.
            idempotency_key: Of the request; gives ids to events that have none. "" where it has none.
        """
        events: dict[str, LandedEvent] = {}
        rejected = []
        num_taken = 0
        for row, raw in enumerate(rows):
            try:
                event = self._event(raw, row, now_us, idempotency_key)
            except _RefusedError as refused:
                rejected.append(Rejected(row=row, code=refused.code, detail=refused.detail))
            else:
                num_taken += 1
                events.setdefault(event.event_id, event)
        return Taken(list(events.values()), num_taken - len(events), rejected)

    def _event(self, raw: bytes | msgspec.Raw, row: int, now_us: int, idempotency_key: str) -> LandedEvent:
        try:
            told = _decoder.decode(raw)
        except msgspec.MsgspecError as error:
            fault = fault_of(error, EventRequest)
            raise _RefusedError(fault.code.replace("-", "_"), f"{fault.what} at {fault.where}") from error
        except UnicodeDecodeError as error:
            raise _RefusedError("body_malformed", "it is not UTF-8") from error
        at_us = now_us if told.event_timestamp is None else told.event_timestamp
        who = user_key(user_id=told.user_id, user_pseudo_id=told.user_pseudo_id, key=self.key)
        if who is None:
            raise _RefusedError("user_missing", "user_id or user_pseudo_id is needed")
        self._check(told, at_us, now_us)
        currency = self._currency(told)
        event = LandedEvent(
            event_id="",
            event_name=told.event_name,
            at_us=at_us,
            received_us=now_us,
            user_key=who,
            device_key=user_key(user_id=None, user_pseudo_id=told.user_pseudo_id, key=self.key),
            source_session_id=None if told.ga_session_id is None else str(told.ga_session_id),
            currency=currency,
            value_minor=_minor(told.value, currency),
            transaction_id=told.transaction_id,
            item_list_id=told.item_list_id or told.item_list_name or _list_of(told.items),
            search_term=told.search_term,
            recommendation_id=told.slate_id(),
            country=told.country,
            device_category=told.device_category,
            items=tuple(_item(item, currency) for item in told.items),
        )
        if told.event_id is None and idempotency_key:
            return msgspec.structs.replace(event, event_id=_repeatable_id(idempotency_key, row, event))
        # Without an instant of the sender's own, two equal events are two: they differ by arrival and row.
        salt = f"{now_us}:{row}" if told.event_timestamp is None else ""
        return msgspec.structs.replace(event, event_id=_event_id(told.event_id, event, salt))

    def _check(self, told: EventRequest, at_us: int, now_us: int) -> None:
        """Refuse what the tables would put into quarantine."""
        if told.event_name not in CANONICAL_EVENT_NAMES:
            hint = near(told.event_name[:80], CANONICAL_EVENT_NAMES)
            raise _RefusedError("event_name_unknown", f"unknown event_name '{told.event_name[:80]}'; {hint}")
        if at_us < _FIRST_US:
            raise _RefusedError("at_out_of_range", f"event_timestamp {at_us} is before 2000; it counts microseconds")
        if at_us > now_us + self.future_tolerance_us:
            raise _RefusedError("at_in_future", f"event_timestamp {at_us} is after now, {now_us}, in microseconds")
        for place, item in enumerate(told.items):
            if item.item_id is None and not item.item_name:
                raise _RefusedError("item_missing", f"item_id or item_name is needed at $.items[{place}]")

    def _currency(self, told: EventRequest) -> str | None:
        """Return the currency of an event's amounts."""
        currency = told.currency.upper() if told.currency else self.default_currency
        has_amounts = told.value is not None or any(item.price is not None for item in told.items)
        if has_amounts and currency is None:
            raise _RefusedError("currency_missing", "value and price need a currency")
        if currency is not None and currency not in CURRENCIES:
            raise _RefusedError("currency_unknown", f"'{currency[:8]}' is no currency of ISO 4217")
        return currency


def _item(item: EventItem, currency: str | None) -> LandedItem:
    return LandedItem(
        item_id=item.item_id or item.item_name,
        item_name=item.item_name,
        item_variant=item.item_variant,
        price_minor=_minor(item.price, currency),
        quantity=item.quantity,
        place=item.index,
    )


def _minor(amount: float | None, currency: str | None) -> int | None:
    return None if amount is None or currency is None else minor_units_of(amount, currency)


def _list_of(items: Sequence[EventItem]) -> str | None:
    """Return the list that the items name, where the event itself names none."""
    named = (item.item_list_id or item.item_list_name for item in items)
    return next((name for name in named if name), None)


def _event_id(given: str | None, event: LandedEvent, salt: str) -> str:
    """Return 32 hex digits: a UUID as it is, another text digested, and without any the content's digest."""
    if given is not None:
        plain = given.lower().replace("-", "")
        return plain if _HEX.fullmatch(plain) else _digest(b"event_id\x1f" + given.encode())
    content = msgspec.json.encode(msgspec.structs.replace(event, received_us=0))
    return _digest(content + b"\x1f" + salt.encode())


def _repeatable_id(idempotency_key: str, row: int, event: LandedEvent) -> str:
    """Return the id of an event by its place in a request that may be sent again.

    Who did what is in it, so that senders who hit upon the same key do not lose their events to each other.
    """
    parts = ("idempotency_key", idempotency_key, str(row), event.user_key, event.event_name)
    return _digest("\x1f".join(parts).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
