"""Contract checks: what is wrong with a read event or row, as one stable reason code each; nothing is thrown away here.

A fault of the event (time, user, name, value) takes the whole event; a fault of one item takes that item's row alone.
Reasons are tried in the order written, the first that holds is told.
"""

from typing import Any

import ibis

from endcap.core.clock import DAY_US, day_start_us
from endcap.core.currency import CURRENCIES
from endcap.events.config import EventsConfig
from endcap.events.money import minor_units
from endcap.events.reading import number, unreadable_number

__all__ = [
    "EVENT_REASONS",
    "FIRST_US",
    "NAMES_A_PERSON",
    "ROW_REASONS",
    "believed_day",
    "judge_events",
    "judge_rows",
    "with_plain_names",
]

EVENT_REASONS = (
    "line_unreadable",
    "event_name_missing",
    "event_name_unknown",
    "at_missing",
    "at_out_of_range",
    "at_too_late",
    "at_in_future",
    "user_missing",
    "currency_unknown",
    "value_not_a_number",
    "value_out_of_range",
    "currency_missing",
)
"""Why a whole event is quarantined."""

ROW_REASONS = (
    "item_missing",
    "price_not_a_number",
    "price_negative",
    "price_out_of_range",
    "quantity_not_a_number",
    "quantity_not_whole",
    "quantity_out_of_range",
    "currency_missing",
)
"""Why one item row is quarantined."""

FIRST_US = day_start_us("2000-01-01")
"""No shop logged events before: such instants are seconds or milliseconds taken for microseconds."""

# What says nothing without its item; a list, a checkout or an order without items still tells that it was there.
_OF_ONE_ITEM = ("select_item", "view_item", "add_to_wishlist", "add_to_cart", "remove_from_cart")
_KEYED = "^[0-9a-f]{32}$"
_SHOWN = 60
_LONGEST_NAME = 100
_TELLING = 6  # characters: a shorter id may be a part of any number
_HIDDEN = "(hidden)"
NAMES_A_PERSON = r"@|%40|\d{1,3}(\.\d{1,3}){3}"
_BETWEEN = "\x1f"
_MISSING = ibis.null("string")
_NO = ibis.literal(value=False)


def believed_day(at_us: Any, file_day: Any, *, last_us: int, first_us: Any = FIRST_US) -> Any:
    """Return the UTC day of an instant, or the day of its file where the instant is missing or not to be believed.

    Args:
        at_us: Instants, microseconds UTC, a column.
        file_day: Days of the files, a column.
        last_us: The latest instant that is believed.
        first_us: The earliest one, a number or a column.
    """
    seconds = ibis.ifelse(at_us.between(first_us, last_us), at_us, ibis.null("int64")) // 1_000_000
    return ibis.coalesce(seconds.as_timestamp("s").strftime("%Y-%m-%d"), file_day)


def with_plain_names(events: ibis.Table, config: EventsConfig) -> ibis.Table:
    """Hide event names that may name a person: what is quarantined, counted and shown of an event is its name.

    Args:
        events: Columns of EVENT_COLUMNS.
        config: Which names are understood or left out on purpose; they stay as they are, as no person made them up.

    Returns:
        The events; a name with an e-mail or network address or the event's own user or device id in it, or of more than
        100 characters, has become `(hidden)`, and a session's id that is or holds one of these is missing.
    """
    name = events.event_name_read
    known = name.isin(sorted({*config.canonical_names, *config.ignored_event_names}))
    is_hidden = ~known & (_may_name(name, events.raw_user_id, events.raw_device_id) | (name.length() > _LONGEST_NAME))
    session = events.source_session_id
    is_raw = session.re_search(NAMES_A_PERSON)
    for raw_id in (events.raw_user_id, events.raw_device_id):
        is_raw |= ((session == raw_id) | (session.contains(raw_id) & (raw_id.length() >= _TELLING))).fill_null(_NO)
    return events.mutate(
        event_name_read=ibis.ifelse(is_hidden, _HIDDEN, name),
        source_session_id=ibis.ifelse(is_raw, _MISSING, session),
    )


def judge_events(events: ibis.Table, config: EventsConfig, *, now_us: int) -> ibis.Table:
    """Judge read events.

    Args:
        events: Columns of EVENT_COLUMNS.
        config: What is believed.
        now_us: The present instant.

    Returns:
        The events with `event_name` (as understood; names that are folded keep their own), `date_partition`,
        `currency`, `value_minor`, `ignored` (why the event is left out), `reason` and `detail` (why it is quarantined).
    """
    names = config.canonical_names
    currency = ibis.coalesce(events.currency.upper(), ibis.literal(config.default_currency, "string"))
    last_us, first_us = now_us + config.future_tolerance_s * 1_000_000, _first_us(events.file_day, config)
    named = events.mutate(
        event_name=ibis.cases(
            *[(events.event_name_read == read, name) for read, name in names.items()], else_=_MISSING
        ),
        date_partition=believed_day(events.at_us, events.file_day, last_us=last_us, first_us=first_us),
        currency=currency,
        value_minor=minor_units(number(events.value), currency),
        ignored=ibis.ifelse(events.event_name_read.isin(config.ignored_event_names), "event_not_of_shop", _MISSING),
    )
    fault = _event_fault(named, events.value, config, (first_us, last_us))
    return named.mutate(reason=_reason_in(fault), detail=_detail_in(fault)).drop("fault", "value", "file_day")


def _first_us(file_day: Any, config: EventsConfig) -> Any:
    """Return the earliest instant that is believed: no file is named by a day so long after its events.

    A file whose name tells no day has that of its earliest row, and nothing in it lies before.
    """
    # By way of float64: see `reading.instant_us`.
    start_s = file_day.cast("date").cast("timestamp").epoch_seconds().cast("float64").cast("int64")
    return ibis.greatest(ibis.literal(FIRST_US, "int64"), start_s * 1_000_000 - config.max_lateness_days * DAY_US)


def _event_fault(events: ibis.Table, value: Any, config: EventsConfig, believed_us: tuple[Any, int]) -> Any:
    first_us, last_us = believed_us
    has_user = events.raw_user_id.notnull() | events.raw_device_id.notnull() | events.user_key.re_search(_KEYED)
    amount = number(value)
    most = min(config.max_price * config.max_quantity, 1e10)

    def shown(column: str, value: Any) -> Any:
        return _shown(column, value, events.raw_user_id, events.raw_device_id)

    return ibis.cases(
        (events.fault.notnull(), _fault(events.fault, "the line")),
        (events.event_name_read.isnull(), _fault("event_name_missing", "event_name")),
        (events.event_name.isnull(), _fault("event_name_unknown", shown("event_name", events.event_name_read))),
        (events.at_us.isnull(), _fault("at_missing", "at_us")),
        (events.at_us < FIRST_US, _fault("at_out_of_range", shown("at_us", events.at_us))),
        (events.at_us < first_us, _fault("at_too_late", shown("at_us", events.at_us))),
        (events.at_us > last_us, _fault("at_in_future", shown("at_us", events.at_us))),
        (~has_user.fill_null(_NO), _fault("user_missing", "user_id, user_pseudo_id")),
        (events.currency.notin(sorted(CURRENCIES)), _fault("currency_unknown", shown("currency", events.currency))),
        (unreadable_number(value).notnull(), _fault("value_not_a_number", shown("value", value))),
        (~amount.between(0, most), _fault("value_out_of_range", shown("value", value))),
        (amount.notnull() & events.currency.isnull(), _fault("currency_missing", "value, and no default_currency")),
        else_=_MISSING,
    )


def judge_rows(rows: ibis.Table, events: ibis.Table, config: EventsConfig) -> ibis.Table:
    """Judge the item rows of events; rows whose event is not among them are left out.

    Args:
        rows: Columns of ROW_COLUMNS.
        events: Judged events.
        config: What is believed.

    Returns:
        event_no, item_ordinal, row, item_id (the name where the source has no id), item_name, item_variant,
        price_minor, quantity (int64), item_list_id, place, ignored, is_duplicate, reason and detail.
    """
    context = events.select(
        "event_no", "event_name", currency_of_event="currency", user=events.raw_user_id, device=events.raw_device_id
    )
    joined = rows.join(context, "event_no")
    item_id = ibis.coalesce(joined.item_id, joined.item_name)
    fault = _row_fault(joined, item_id, config)
    whole = ibis.ifelse(joined.quantity.abs() < 1e15, joined.quantity, ibis.null("float64"))
    return joined.select(
        "event_no",
        "item_ordinal",
        "row",
        "item_name",
        "item_variant",
        "item_list_id",
        "place",
        "ignored",
        "is_duplicate",
        item_id=item_id,
        price_minor=minor_units(joined.price, joined.currency_of_event),
        quantity=whole.cast("int64"),
        reason=_reason_in(fault),
        detail=_detail_in(fault),
    )


def _row_fault(rows: ibis.Table, item_id: Any, config: EventsConfig) -> Any:
    def shown(column: str, value: Any) -> Any:
        return _shown(column, value, rows.user, rows.device)

    price, quantity = shown("price", rows.price), shown("quantity", rows.quantity)
    is_outside = (rows.quantity > config.max_quantity) | (rows.quantity < 1)
    needs_item = (rows.item_ordinal > 0) | rows.event_name.isin(_OF_ONE_ITEM)
    return ibis.cases(
        (needs_item & item_id.isnull(), _fault("item_missing", "item_id, item_name")),
        (rows.price_text.notnull(), _fault("price_not_a_number", shown("price", rows.price_text))),
        (rows.price < 0, _fault("price_negative", price)),
        (rows.price > config.max_price, _fault("price_out_of_range", price)),
        (rows.quantity_text.notnull(), _fault("quantity_not_a_number", shown("quantity", rows.quantity_text))),
        (is_outside, _fault("quantity_out_of_range", quantity)),
        (rows.quantity != rows.quantity.floor(), _fault("quantity_not_whole", quantity)),
        (
            rows.price.notnull() & rows.currency_of_event.isnull(),
            _fault("currency_missing", "price, and no default_currency"),
        ),
        else_=_MISSING,
    )


# A fault is one text, reason and detail: Ibis writes an expression out wherever it is used, and conditions are long.


def _fault(reason: Any, detail: Any) -> Any:
    return ibis.literal("").concat(reason, _BETWEEN, detail)


def _reason_in(fault: Any) -> Any:
    return fault.split(_BETWEEN)[0]


def _detail_in(fault: Any) -> Any:
    return fault.split(_BETWEEN)[1]


def _shown(column: str, value: Any, user: Any, device: Any) -> Any:
    """Show a value of a column, hidden where it may name a person."""
    written = value if value.type().is_string() else value.cast("string")
    return f"{column} = " + ibis.ifelse(_may_name(written, user, device), _HIDDEN, written.substr(0, _SHOWN))


def _may_name(written: Any, user: Any, device: Any) -> Any:
    """Return where a text may name a person: an address, or the row's own user or device id in it."""
    has_id = written.contains(user).fill_null(_NO) | written.contains(device).fill_null(_NO)
    return written.re_search(NAMES_A_PERSON) | has_id
