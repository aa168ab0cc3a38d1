import msgspec
import pytest

from endcap.serving.wire import EventRequest, Problem, RecommendRequest


def test_a_question_needs_a_placement_and_nothing_else():
    asked = msgspec.json.decode(b'{"placement":"home"}', type=RecommendRequest)
    assert (asked.n, asked.item_ids, asked.exclude, asked.explain) == (10, [], [], False)


def test_an_event_takes_what_ga4_sends():
    body = b"""{"event_name": "purchase", "event_timestamp": 1473897601000000,
        "user_pseudo_id": "c", "ga_session_id": 7,
        "currency": "USD", "value": 9, "transaction_id": "T1", "coupon": "X", "shipping": 1.5, "tax": 0.2, "items": [
        {"item_id": "A", "item_name": "Ant", "item_brand": "b", "item_category": "c", "item_category5": "d",
         "price": 9, "quantity": 1, "index": 0, "discount": 1.0, "promotion_id": "p", "location_id": "l"}]}"""
    assert msgspec.json.decode(body, type=EventRequest).items[0].price == 9


@pytest.mark.parametrize("field", ["user_id", "event_id", "transaction_id"])
def test_ids_have_a_length(field):
    for text in ("", "x" * 513):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"event_name": "search", field: text}, EventRequest)


def test_a_problem_leaves_out_what_it_does_not_know():
    problem = Problem(type="t", title="t", status=400, detail="d", code="c", fix="f")
    assert "where" not in msgspec.json.encode(problem).decode()
