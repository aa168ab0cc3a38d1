import io
import json
import logging

import pytest
import structlog

from endcap.governance.logging import configure_logging, drop_raw_ids, log_as_a_library

SECRETS = ("ann@shop.example", "10.1.2.3", "cookie-4711", "customer-99")


@pytest.fixture
def lines():
    """Configure JSON logging into a stream; everything is put back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(json=True, stream=stream, clock=lambda: 5)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers, root.level = before
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_an_event_has_its_keys_its_level_and_its_instant(lines):
    structlog.get_logger().info("snapshot.written", table="events", rows=3, took_s=0.5)
    assert lines() == [
        {"at_us": 5, "event": "snapshot.written", "level": "info", "rows": 3, "table": "events", "took_s": 0.5}
    ]


def test_less_severe_events_are_not_told(lines):
    structlog.get_logger().debug("detail")
    assert lines() == []


def fail(error, cause=None):
    raise error from cause


def leak_by_key(log):
    log.info("x", user_id="customer-99", user_pseudo_id="cookie-4711", email="a", ip="b", client_ip="10.1.2.3")


def leak_by_camel_case(log):
    log.info("x", userId="customer-99", clientIP="c", rawUserIds=["cookie-4711"])


def leak_by_nested_key(log):
    log.info("x", request={"body": [{"user_pseudo_id": "cookie-4711", "more": {"user": "ann@shop.example"}}]})


def leak_by_value(log):
    log.info("x", note="written by ann@shop.example from 10.1.2.3")


def leak_by_event(log):
    log.info("ann@shop.example came")


def leak_by_key_name(log):
    log.info("x", seen={"ann@shop.example": 1})


def leak_by_positional_text(log):
    log.info("who %s", "ann@shop.example")


def leak_by_text_of_a_mapping(log):
    log.info("x", body=str({"user_id": "customer-99", "user_pseudo_id": "cookie-4711"}))


def leak_by_text_of_json(log):
    log.info("x", body=json.dumps({"userId": "customer-99", "ip": "10.1.2.3"}))


def leak_by_query(log):
    log.info("x", url="/v1/recommend?n=3&user_id=customer-99&client-id=cookie-4711")


def leak_by_object(log):
    class Request:
        def __repr__(self):
            return "Request(user_id='customer-99', client=10.1.2.3)"

    log.info("x", request=Request(), several=(Request(),))


def leak_by_bytes(log):
    log.info("x", body=b'{"user_id": "customer-99"} from ann@shop.example')


def leak_by_exception(log):
    try:
        fail(ValueError("cannot read {'user_id': 'customer-99'} of ann@shop.example"))
    except ValueError:
        log.exception("failed")


def leak_by_cause(log):
    try:
        fail(RuntimeError("user_pseudo_id=cookie-4711"), cause=KeyError("ann@shop.example"))
    except RuntimeError:
        log.exception("failed")


def leak_by_bound_context(log):
    log.bind(user_id="customer-99", who="ann@shop.example").info("x")


def leak_by_context_variable(log):
    structlog.contextvars.bind_contextvars(cookie="cookie-4711", client="10.1.2.3")
    log.info("x")


def leak_by_depth(log):
    deep = "ann@shop.example"
    for _ in range(30):
        deep = {"a": [deep]}
    log.info("x", deep=deep)


def leak_by_another_library(_log):
    logging.getLogger("uvicorn.access").warning('%s - "GET /?user_id=%s"', "10.1.2.3:80", "customer-99")


def leak_by_an_exception_of_another_library(_log):
    try:
        fail(ValueError("ann@shop.example"))
    except ValueError:
        logging.getLogger("other").exception("failed for user_id=customer-99")


ROUTES = [value for name, value in sorted(globals().items()) if name.startswith("leak_by_")]


@pytest.mark.parametrize("leak", ROUTES, ids=lambda leak: leak.__name__.removeprefix("leak_by_"))
def test_no_raw_id_leaks(lines, leak):
    leak(structlog.get_logger())
    told = lines()
    assert told
    assert not [secret for secret in SECRETS if secret in json.dumps(told)]


@pytest.mark.usefixtures("lines")
@pytest.mark.parametrize("leak", ROUTES, ids=lambda leak: leak.__name__.removeprefix("leak_by_"))
def test_no_raw_id_leaks_on_the_console(leak):
    stream = io.StringIO()
    configure_logging(json=False, stream=stream, clock=lambda: 5)
    leak(structlog.get_logger())
    assert stream.getvalue().startswith("at_us=5 level=")
    assert not [secret for secret in SECRETS if secret in stream.getvalue()]


def test_keyed_hashes_and_harmless_keys_stay():
    told = {"user_key": "0db11465", "device_key": "a", "zip": "8001", "event_id": "e", "num_users": 3, "took_s": 0.1}
    assert drop_raw_ids(None, "info", dict(told)) == told


def test_the_text_of_an_error_says_what_failed_without_the_id(lines):
    leak_by_exception(structlog.get_logger())
    assert "ValueError: cannot read {'user_id': [removed]} of [removed]" in lines()[0]["exception"]


def test_a_program_that_uses_us_decides_what_is_told(caplog, capsys):
    structlog.reset_defaults()
    log_as_a_library()
    try:
        structlog.get_logger().info("bundle.taken", items=3)
        assert caplog.messages == []
        with caplog.at_level(logging.INFO, logger="endcap"):
            structlog.get_logger().info("bundle.taken", items=3, email="ann@shop.example")
        assert caplog.messages == ["event='bundle.taken' items=3"]
        assert capsys.readouterr().out == ""
    finally:
        structlog.reset_defaults()


def test_who_has_set_structlog_up_is_left_alone(lines):
    log_as_a_library()
    structlog.get_logger().info("still.json")
    assert lines()[0]["event"] == "still.json"
