import json

import pytest
import structlog
from litestar.routes import HTTPRoute
from litestar.testing import TestClient

from endcap.core.errors import AccessError, Code
from endcap.serving.problems import ROUTES


def ask(client, **question):
    answer = client.post("/v1/recommend", json={"placement": "home", "user_pseudo_id": "c1", "n": 3, **question})
    assert answer.status_code == 200, answer.text
    return answer.json()


def items(slate):
    return "".join(item["item_id"] for item in slate["items"])


def view(item, **more):
    return {"event_name": "view_item", "user_pseudo_id": "c1", "items": [{"item_id": item}], **more}


def test_a_new_visitor_gets_what_is_popular_and_in_stock(client):
    slate = ask(client)
    assert items(slate) == "ABD"  # F is as popular as D and sold out
    assert slate["fallback"] is None
    assert slate["variant"] is None
    assert slate["recommendation_id"] == f"{1:032x}"
    assert slate["items"][0] == {
        "item_id": "A",
        "place": 1,
        "score": 5.0,
        "source": "popular",
        "reasons": [{"code": "popular", "item_id": None}],
        "propensity": 1.0,
        "title": "Item A",
        "price_minor": 1065,
        "currency": "USD",
        "availability": "in_stock",
    }


def test_an_event_is_felt_by_the_next_answer(client):
    assert items(ask(client)) == "ABD"
    assert client.post("/v1/events", json=view("G")).json() == {"accepted": 1, "duplicates": 0, "rejected": []}
    slate = ask(client)
    assert slate["items"][0]["item_id"] == "H"
    assert slate["items"][0]["source"] == "item_markov"
    assert slate["items"][0]["reasons"] == [{"code": "goes_with", "item_id": "G"}]
    assert "G" not in items(slate)  # the visitor is looking at it
    assert items(ask(client, user_pseudo_id="another")) == "ABD"


def test_a_product_page_shows_what_goes_with_its_item(client):
    slate = ask(client, placement="product", item_ids=["B"], n=8)
    assert slate["items"][0]["item_id"] == "D"
    assert set(items(slate)) == set("ACDEGH")  # not B itself, and F is sold out


def test_events_are_in_the_log_with_hashed_ids_and_minor_units(shop, client):
    event = view("A", user_id="u@x.org", currency="usd", value=15.99, event_timestamp=1_789_900_000_000_000)
    event["items"][0] |= {"price": 15.99, "quantity": 2, "index": 4}
    client.post("/v1/events", json=event)
    text = json.dumps(shop.landed("events"))
    assert "u@x.org" not in text
    assert '"c1"' not in text
    (landed,) = shop.landed("events")
    assert (landed["value_minor"], landed["currency"], landed["at_us"]) == (1599, "USD", 1_789_900_000_000_000)
    assert landed["items"][0] == {
        "item_id": "A", "item_name": None, "item_variant": None, "price_minor": 1599, "quantity": 2, "place": 4
    }  # fmt: skip
    assert len(landed["user_key"]) == len(landed["device_key"]) == len(landed["event_id"]) == 32


def test_rows_are_judged_one_by_one(client):
    rows = [view("A"), {"event_name": "view_itm", "user_id": "u"}, view("B", wat=1), view("C")]
    answer = client.post("/v1/events", json=rows)
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2
    assert [(each["row"], each["code"]) for each in answer.json()["rejected"]] == [
        (1, "event_name_unknown"),
        (2, "field_unknown"),
    ]
    assert "did you mean 'view_item'" in answer.json()["rejected"][0]["detail"]


def test_an_event_sent_twice_counts_once(shop, client):
    event = view("A", event_id="8b0dbe3f-0c22-4b7e-9f8b-7d9a1c2b3d4e")
    assert client.post("/v1/events", json=[event, event]).json()["duplicates"] == 1
    assert client.post("/v1/events", json=event).json() == {"accepted": 0, "duplicates": 1, "rejected": []}
    assert [each["event_id"] for each in shop.landed("events")] == ["8b0dbe3f0c224b7e9f8b7d9a1c2b3d4e"]


def test_explain_tells_what_was_removed_and_why(client):
    found = ask(client, placement="product", item_ids=["A"], exclude=["B"], explain=True)["explanation"]
    assert found["removed"] == {"A": "current", "B": "excluded", "F": "out_of_stock"}
    assert found["model"] == "item_markov"
    assert found["num_history"] == 1


def test_slates_are_logged_as_the_batch_side_reads_them(shop):
    shop.bundle()
    with TestClient(shop.app()) as client:
        slate = ask(client)
    (landed,) = shop.landed("slates")
    assert landed["recommendation_id"] == slate["recommendation_id"]
    assert landed["model_version"] == slate["model_version"]
    assert [item["item_id"] for item in landed["items"]] == list("ABD")
    assert landed["items"][0]["propensity"] == 1.0
    assert len(landed["user_key"]) == 32


FAULTS = {
    "malformed": ("POST", "/v1/recommend", b'{"placement": ', 400, "body-malformed"),
    "nothing": ("POST", "/v1/recommend", b"", 400, "body-malformed"),
    "not text": ("POST", "/v1/recommend", b'{"placement": "\xff\xfe"}', 400, "body-malformed"),
    "a list": ("POST", "/v1/recommend", b"[]", 400, "field-type"),
    "unknown field": ("POST", "/v1/recommend", b'{"placement":"home","usr_id":"a"}', 400, "field-unknown"),
    "missing field": ("POST", "/v1/recommend", b'{"n":3}', 400, "field-missing"),
    "wrong type": ("POST", "/v1/recommend", b'{"placement":"home","n":"three"}', 400, "field-type"),
    "deep type": ("POST", "/v1/recommend", b'{"placement":"home","exclude":[1]}', 400, "field-type"),
    "placement": ("POST", "/v1/recommend", b'{"placement":"hom"}', 400, "placement-unknown"),
    "n too large": ("POST", "/v1/recommend", b'{"placement":"home","n":101}', 400, "slate-size"),
    "n too small": ("POST", "/v1/recommend", b'{"placement":"home","n":0}', 400, "slate-size"),
    "no item": ("POST", "/v1/recommend", b'{"placement":"product"}', 400, "items-missing"),
    "events malformed": ("POST", "/v1/events", b"[{]", 400, "body-malformed"),
    "events no object": ("POST", "/v1/events", b"7", 422, "events-rejected"),
    "too many events": ("POST", "/v1/events", b"[" + b",".join([b"{}"] * 1001) + b"]", 413, "too-many-events"),
    "all events bad": ("POST", "/v1/events", b'[{"event_name":"view_item"}]', 422, "events-rejected"),
    "too large": ("POST", "/v1/events", b'"' + b"x" * (1 << 20) + b'"', 413, "body-too-large"),
    "no such route": ("GET", "/v1/recomend", b"", 404, "route-unknown"),
    "method": ("GET", "/v1/recommend", b"", 405, "method-not-allowed"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_request_is_told_what_is_wrong_and_what_to_do(fault, shop):
    method, path, body, status, code = FAULTS[fault]
    shop.bundle()
    with TestClient(shop.app(max_body_mb=1), raise_server_exceptions=False) as client:
        answer = client.request(method, path, content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["code"], problem["status"]) == (code, status)
    assert problem["fix"]
    assert problem["detail"]
    assert code in set(Code)


def test_near_names_and_paths_are_told(client):
    problem = client.post("/v1/recommend", content=FAULTS["unknown field"][2]).json()
    assert "did you mean 'user_id'" in problem["detail"]
    problem = client.post("/v1/recommend", content=FAULTS["deep type"][2]).json()
    assert problem["where"] == "$.exclude[0]"
    assert "did you mean 'home'" in client.post("/v1/recommend", content=FAULTS["placement"][2]).json()["detail"]
    assert "did you mean '/v1/recommend'" in client.get("/v1/recomend").json()["detail"]
    assert client.get("/v1/recommend").headers["allow"] == "POST"


def test_without_a_bundle_the_server_lives_but_is_not_ready(shop):
    with TestClient(shop.app()) as client:
        assert client.get("/health/live").status_code == 200
        for answer in (client.get("/health/ready"), client.post("/v1/recommend", json={"placement": "home"})):
            assert answer.status_code == 503
            assert answer.json()["code"] == "bundle-missing"
        assert client.post("/v1/events", json=view("A")).json()["accepted"] == 1


def test_every_route_passes_the_door(shop):
    asked = []

    def door(actor, action, _resource):
        asked.append((actor, action))
        raise AccessError("no", fix="ask", code=Code.ACCESS_DENIED)

    shop.bundle()
    app = shop.app(door=door)
    routes = {
        (method, route.path) for route in app.routes for method in route.methods if isinstance(route, HTTPRoute)
    } - {("OPTIONS", path) for path in ROUTES}  # the framework's own, which does nothing
    assert routes == {(method, path) for path, method in ROUTES.items()}
    with TestClient(app) as client:
        for method, path in sorted(routes):
            answer = client.request(method, path, content=b'{"placement":"home"}')
            assert (path, answer.status_code, answer.json()["code"]) == (path, 403, "access-denied")
    assert asked == [("api", "serving.read")] * 4 + [("api", "serving.events"), ("api", "serving.recommend")]


def test_meters_have_the_names_of_the_conventions(client):
    client.post("/v1/events", json=view("A"))
    ask(client)
    text = client.get("/metrics").text
    for line in (
        "endcap_events_ingested_total 1.0",
        'endcap_request_duration_seconds_count{code="200",model="item_markov",route="/v1/recommend"} 1.0',
        'endcap_stage_duration_seconds_count{stage="scorer"} 1.0',
        "endcap_event_to_recommendation_lag_seconds_count 1.0",
        'endcap_index_recall_ratio{model="two_tower"} 1.0',
        'endcap_feature_freshness_seconds{view="histories"} 43200.0',
    ):
        assert line in text, text


def test_a_mistake_of_ours_is_a_problem_too(shop):
    def door(*_):
        raise ZeroDivisionError

    shop.bundle()
    with TestClient(shop.app(door=door), raise_server_exceptions=False) as client:
        answer = client.post("/v1/recommend", json={"placement": "home"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "ZeroDivision" not in answer.text


def test_the_same_questions_get_the_same_answers(make_shop):
    told = []
    for _ in range(2):
        shop = make_shop()
        shop.bundle()
        with TestClient(shop.app()) as client:
            client.post("/v1/events", json=[view("A"), view("B")])
            told.append([client.post("/v1/recommend", json={"placement": "home", "user_pseudo_id": "c1"}).content])
    assert told[0] == told[1]


def test_requests_are_timed_under_the_model_that_ordered_their_slate(shop):
    shop.bundle()
    with TestClient(shop.app(placements={"product": {"model": "two_tower"}})) as client:
        ask(client)
        ask(client, placement="product", item_ids=["A"])
        client.post("/v1/events", json=view("A"))
        ask(client)
        client.post("/v1/recommend", json={"placement": "hom"})
        text = client.get("/metrics").text
    for code, model, route in (
        (200, "popular", "/v1/recommend"),
        (200, "two_tower", "/v1/recommend"),
        (200, "item_markov", "/v1/recommend"),
        (400, "", "/v1/recommend"),
        (200, "", "/v1/events"),
    ):
        line = f'endcap_request_duration_seconds_count{{code="{code}",model="{model}",route="{route}"}} 1.0'
        assert line in text, text


def test_what_is_logged_of_a_request_names_its_trace(shop):
    def door(*_):
        structlog.get_logger().info("asked")

    shop.bundle()
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    merge = structlog.contextvars.merge_contextvars
    with TestClient(shop.app(door=door)) as client, structlog.testing.capture_logs(processors=[merge]) as logs:
        client.get("/health/live", headers={"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"})
        client.get("/health/live", headers={"traceparent": "nonsense"})
        client.get("/health/live")
    assert [each.get("trace_id") for each in logs if each["event"] == "asked"] == [trace_id, None, None]


def test_an_idempotency_key_makes_a_request_count_once(client):
    for accepted in (1, 0):
        answer = client.post("/v1/events", json=view("A"), headers={"Idempotency-Key": "a-text-of-its-own"})
        assert answer.json() == {"accepted": accepted, "duplicates": 1 - accepted, "rejected": []}
    assert client.post("/v1/events", json=view("A"), headers={"Idempotency-Key": " "}).json()["accepted"] == 1
