import ibis
import pyarrow as pa
import pytest

from endcap.core.clock import day_start_us
from endcap.events.reading import EVENT_COLUMNS, ROW_COLUMNS
from endcap.events.validate import EVENT_REASONS, ROW_REASONS, judge_events, judge_rows, with_plain_names

DAY = "2026-08-01"
AT = day_start_us(DAY) + 1
NOW_US = day_start_us("2026-08-05")
GOOD = {"event_no": 1, "file": "f", "row": 0, "file_day": DAY, "event_name_read": "purchase", "at_us": AT,
        "raw_user_id": "ann"}  # fmt: skip
GOOD_ROW = {"event_no": 1, "item_ordinal": 1, "row": 0, "item_id": "mug", "price": 9.5, "quantity": 1.0,
            "is_duplicate": False}  # fmt: skip


def _table(engine, columns, rows):
    schema = ibis.schema(columns).to_pyarrow()
    return engine.read_arrow(pa.Table.from_pylist(rows, schema=schema))


@pytest.fixture
def judged(engine, config, arrow_rows):
    def judge(event=None, row=None, **settings):
        own = config.model_copy(update=settings)
        events = engine.materialise(
            judge_events(_table(engine, EVENT_COLUMNS, [GOOD | (event or {})]), own, now_us=NOW_US)
        )
        rows = judge_rows(_table(engine, ROW_COLUMNS, [GOOD_ROW | (row or {})]), events, own)
        return arrow_rows(events)[0], arrow_rows(rows)[0]

    return judge


def test_a_good_event_has_no_reason(judged):
    event, row = judged()
    assert (event["reason"], row["reason"], event["date_partition"], row["price_minor"]) == (None, None, DAY, 950)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"fault": "line_unreadable"}, "line_unreadable"),
        ({"event_name_read": None}, "event_name_missing"),
        ({"event_name_read": "dance"}, "event_name_unknown"),
        ({"at_us": None}, "at_missing"),
        ({"at_us": AT // 1000}, "at_out_of_range"),
        ({"at_us": day_start_us("2026-07-02") - 1}, "at_too_late"),
        ({"at_us": day_start_us("2000-01-02")}, "at_too_late"),
        ({"at_us": NOW_US + 2 * 86_400_000_000}, "at_in_future"),
        ({"raw_user_id": None}, "user_missing"),
        ({"raw_user_id": None, "user_key": "raw-cookie"}, "user_missing"),
        ({"currency": "XXX"}, "currency_unknown"),
        ({"value": "much"}, "value_not_a_number"),
        ({"value": "-1"}, "value_out_of_range"),
        ({"value": "inf"}, "value_out_of_range"),
        ({"value": "1e300"}, "value_out_of_range"),
    ],
)
def test_a_fault_of_an_event_is_told(judged, event, reason):
    assert judged(event)[0]["reason"] == reason
    assert reason in EVENT_REASONS


@pytest.mark.parametrize(
    ("event_name", "reason"),
    [
        *((name, "item_missing") for name in ("select_item", "view_item", "add_to_wishlist", "add_to_cart")),
        *[("remove_from_cart", "item_missing"), ("view_item_list", None), ("begin_checkout", None), ("purchase", None)],
    ],
)
def test_what_says_nothing_without_an_item_needs_one(judged, event_name, reason):
    row = judged({"event_name_read": event_name}, {"item_ordinal": 0, "item_id": None, "price": None})[1]
    assert row["reason"] == reason


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"item_id": None}, "item_missing"),
        ({"price_text": "free", "price": None}, "price_not_a_number"),
        ({"price": -1.0}, "price_negative"),
        ({"price": 2e6}, "price_out_of_range"),
        ({"quantity_text": "two", "quantity": None}, "quantity_not_a_number"),
        ({"quantity": 1e16}, "quantity_out_of_range"),
        ({"quantity": 0.0}, "quantity_out_of_range"),
        ({"quantity": 1.5}, "quantity_not_whole"),
    ],
)
def test_a_fault_of_an_item_is_told_and_its_event_is_good(judged, row, reason):
    event, bad = judged(row=row)
    assert (event["reason"], bad["reason"]) == (None, reason)
    assert reason in ROW_REASONS


def test_an_event_that_is_late_but_not_too_late_stands_on_its_own_day(judged):
    event, _ = judged({"at_us": day_start_us("2026-07-02")})
    assert (event["reason"], event["date_partition"]) == (None, "2026-07-02")
    event, _ = judged({"at_us": day_start_us("2026-07-31")}, max_lateness_days=0)
    assert (event["reason"], event["date_partition"]) == ("at_too_late", DAY)
    event, _ = judged({"at_us": day_start_us("2000-01-02")}, max_lateness_days=36_500)
    assert (event["reason"], event["date_partition"]) == (None, "2000-01-02")


def test_money_without_any_currency_is_quarantined(judged):
    event, row = judged({"value": "5"}, default_currency=None)
    assert (event["reason"], row["reason"]) == ("currency_missing", "currency_missing")
    assert judged(row={"price": None}, default_currency=None)[1]["reason"] is None


def test_an_item_without_an_id_goes_by_its_name(judged):
    assert judged(row={"item_id": None, "item_name": "Mug"})[1]["item_id"] == "Mug"


def test_automatic_events_are_ignored_and_not_quarantined(judged):
    assert judged({"event_name_read": "page_view"})[0]["ignored"] == "event_not_of_shop"


@pytest.mark.parametrize("text", ["ann", "ann@example.org", "x-ann-x"])
def test_a_value_that_may_name_a_person_is_hidden(judged, text):
    assert judged(row={"price_text": text, "price": None})[1]["detail"] == "price = (hidden)"


def test_renamed_events_are_known(judged):
    event, _ = judged({"event_name_read": "Order Completed"}, renames={"Order Completed": "purchase"})
    assert (event["event_name"], event["reason"]) == ("purchase", None)


@pytest.mark.parametrize(
    ("session", "told"),
    [("7", "7"), ("alice@example.com", None), ("ann", None), ("s-cookie-abc-1", None), ("1767225600", "1767225600")],
)
def test_a_sessions_id_that_is_or_holds_the_users_is_missing(engine, config, arrow_rows, session, told):
    event = GOOD | {"source_session_id": session, "raw_device_id": "cookie-abc"}
    table = _table(engine, EVENT_COLUMNS, [event])
    assert arrow_rows(with_plain_names(table, config))[0]["source_session_id"] == told
