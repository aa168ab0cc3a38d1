import json
import re

from endcap.serving.openapi import openapi
from endcap.serving.problems import ROUTES
from endcap.serving.wire import EventItem, EventRequest, RecommendRequest


def test_the_document_has_every_route_and_every_field():
    document = openapi(max_events=1000)
    assert document["openapi"].startswith("3.1")
    assert {path: next(iter(methods)).upper() for path, methods in document["paths"].items()} == ROUTES
    schemas = document["components"]["schemas"]
    for message in (EventItem, EventRequest, RecommendRequest):
        assert set(schemas[message.__name__]["properties"]) == set(message.__struct_fields__)
        assert schemas[message.__name__]["additionalProperties"] is False


def test_every_reference_leads_somewhere():
    document = openapi(max_events=7)
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert names <= set(document["components"]["schemas"])
    assert document["paths"]["/v1/events"]["post"]["requestBody"]["content"]["application/json"]["schema"]["oneOf"][1][
        "maxItems"
    ] == 7  # fmt: skip


def test_every_answer_is_described():
    for methods in openapi(max_events=7)["paths"].values():
        for operation in methods.values():
            assert "200" in operation["responses"]
            assert all(response["description"] for response in operation["responses"].values())


def test_the_server_tells_it(client):
    told = json.loads(json.dumps(openapi(max_events=1000)))
    assert client.get("/openapi.json").json() == told


def test_the_headers_that_are_understood_are_described():
    paths = openapi(max_events=7)["paths"]
    named = {
        path: [each["name"] for operation in methods.values() for each in operation["parameters"]]
        for path, methods in paths.items()
    }
    assert named == {path: ["traceparent"] for path in ROUTES} | {"/v1/events": ["Idempotency-Key", "traceparent"]}


def test_the_other_names_of_a_slate_are_described():
    told = openapi(max_events=7)["components"]["schemas"]["EventRequest"]["properties"]
    systems = {
        "RECOMMENDATION_ID": "Personalize", "attributionToken": "Vertex", "recommId": "Recombee", "ranking": "Metarank"
    }  # fmt: skip
    for name, system in systems.items():
        assert system in json.dumps(told[name])
