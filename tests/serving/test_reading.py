import msgspec
import pytest

from endcap.core.errors import Code, RequestError
from endcap.serving.reading import fault_of, read_rows, request_error
from endcap.serving.wire import EventRequest, RecommendRequest


def fault(body, message):
    with pytest.raises(msgspec.MsgspecError) as caught:
        msgspec.json.decode(body, type=message)
    return fault_of(caught.value, message)


@pytest.mark.parametrize(
    ("body", "code", "where", "told"),
    [
        (b"{", Code.BODY_MALFORMED, "$", "no JSON"),
        (b'{"plcement":1}', Code.FIELD_UNKNOWN, "$", "did you mean 'placement'"),
        (b"{}", Code.FIELD_MISSING, "$", "'placement' is missing"),
        (b'{"placement":1}', Code.FIELD_TYPE, "$.placement", "expected 'str', got 'int'"),
        (b'{"placement":"home","item_ids":["A",""]}', Code.FIELD_TYPE, "$.item_ids[1]", "length >= 1"),
    ],
)
def test_a_fault_has_code_place_and_words(body, code, where, told):
    found = fault(body, RecommendRequest)
    assert (found.code, found.where) == (code, where)
    assert told in found.what


def test_names_inside_items_are_near_those_of_items():
    found = fault(b'{"event_name":"search","items":[{"item_idd":"A"}]}', EventRequest)
    assert "did you mean 'item_id'" in found.what
    assert found.where == "$.items[0]"


def test_every_fault_has_a_fix():
    for body in (b"{", b"{}", b'{"x":1}', b'{"placement":1}'):
        with pytest.raises(msgspec.MsgspecError) as caught:
            msgspec.json.decode(body, type=RecommendRequest)
        assert request_error(caught.value, RecommendRequest).fix


def test_a_body_is_one_row_or_a_list_of_them():
    assert [bytes(row) for row in read_rows(b' {"a": 1} ', most=9)] == [b'{"a": 1}']
    assert [bytes(row) for row in read_rows(b"[1, [2], {}]", most=9)] == [b"1", b"[2]", b"{}"]
    assert read_rows(b"[]", most=9) == []


@pytest.mark.parametrize("body", [b"", b"[1,", b"[1] 2", b"\xff", b"{} {}"])
def test_what_is_no_json_is_refused(body):
    with pytest.raises(RequestError) as caught:
        read_rows(body, most=9)
    assert caught.value.code is Code.BODY_MALFORMED


def test_too_many_rows_are_refused():
    with pytest.raises(RequestError, match="3 events, at most 2"):
        read_rows(b"[1,2,3]", most=2)
