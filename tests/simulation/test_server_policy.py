"""Against real servers: `endcap serve` of a tiny simulated shop, and one that only says what a test wants."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.cli.server_process import server_process
from endcap.core.errors import Code, RequestError, UsageError
from endcap.flows.init import init_shop
from endcap.flows.refresh import refresh
from endcap.simulation.catalogue import make_catalogue
from endcap.simulation.policies import Asked, Popular
from endcap.simulation.server_policy import ServerPolicy
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate

pytestmark = pytest.mark.slow

IDS = pa.array(["P0001", "P0002", "P0003", "P0004"])
RNG = np.random.default_rng(1)
LIVELY = {"visitors": 60, "items": 40}


def asked_by(cookies, before, *, day=0, page=1, offered=(0, 1, 2, 3), places=3):
    count = len(cookies)
    return Asked(
        day=day,
        page=page,
        visitor=np.arange(count),
        cookie=np.array(cookies),
        session_us=np.full(count, 1_767_225_600_000_000),
        at_us=np.full(count, 1_767_225_660_000_000) + page,
        before=np.array(before),
        offered=np.array(offered),
        popular=np.array(offered[:places]),
        places=places,
    )


class Scripted:
    """A server that recommends what it is told to, and remembers what it was asked."""

    def __init__(
        self,
        *,
        item_ids=("P0003", "P0001", "X", "P0002"),
        propensities=(),
        cuts=True,
        refuses=None,
        rejects=(),
        most_events=1000,
        hangs_up=False,
    ):
        self.requests = []
        script = self

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                events = {"schema": {"oneOf": [{}, {"type": "array", "maxItems": most_events}]}}
                post = {"requestBody": {"content": {"application/json": events}}}
                self.answer(200, {"status": "ready", "paths": {"/v1/events": {"post": post}}})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                script.requests.append((self.path, body))
                if refuses:
                    self.answer(*refuses)
                elif self.path == "/v1/events":
                    self.answer(200, {"accepted": len(body), "duplicates": 0, "rejected": list(rejects)})
                else:
                    told = propensities or (1.0,) * len(item_ids)
                    items = [{"item_id": each, "propensity": p} for each, p in zip(item_ids, told, strict=True)]
                    self.answer(200, {"items": items[: body["n"]] if cuts else items})

            def answer(self, status, content):
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = hangs_up

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def asked(self, route):
        return [body for path, body in self.requests if path == route]


@pytest.fixture
def script():
    made = []

    def start(**how):
        made.append(Scripted(**how))
        return made[-1]

    yield start
    for each in made:
        each.server.shutdown()
        each.server.server_close()


def test_a_slate_is_what_the_server_says_without_what_the_world_does_not_offer(script):
    slates = ServerPolicy(script().address, IDS).choose(asked_by([5, 6], [-1, -1], offered=(0, 1, 2), places=4), RNG)
    assert slates.items.tolist() == [[2, 0, 1, -1]] * 2
    np.testing.assert_array_equal(slates.propensity, [[1, 1, 1, np.nan]] * 2)
    assert (slates.items.dtype, slates.propensity.dtype) == (np.int32, np.float32)


def test_more_than_was_asked_for_and_what_is_named_twice_is_left_out(script):
    server = script(item_ids=("P0003", "P0003", "P0001", "P0002", "P0004"), cuts=False)
    slates = ServerPolicy(server.address, IDS).choose(asked_by([5], [-1], places=3), RNG)
    assert slates.items.tolist() == [[2, 0, -1]]


def test_a_propensity_holds_for_the_place_that_it_was_told_of_unless_it_is_certain(script):
    """X is not of this world: what stands behind it moves up."""
    server = script(item_ids=("P0003", "X", "P0001", "P0002"), propensities=(0.5, 0.5, 0.25, 1.0))
    slates = ServerPolicy(server.address, IDS).choose(asked_by([5], [-1], places=4), RNG)
    assert slates.items.tolist() == [[2, 0, 1, -1]]
    np.testing.assert_array_equal(slates.propensity, [[0.5, np.nan, 1, np.nan]])


def test_what_a_visitor_viewed_last_is_told_again_on_another_day(script):
    server = script()
    policy = ServerPolicy(server.address, IDS)
    for day in (0, 0, 1):
        policy.choose(asked_by([5], [3], day=day), RNG)
    assert [len(each) for each in server.asked("/v1/events")] == [1, 1]


def test_a_server_of_a_shop_that_sells_something_else_is_refused(script):
    server = script(item_ids=("A-1", "A-2"))
    with pytest.raises(
        UsageError, match="none of the 2 items that the server recommends is among the world's 4: A-1 is"
    ):
        ServerPolicy(server.address, IDS).check(3)
    ServerPolicy(script(item_ids=("A-1", "P0002")).address, IDS).check(3)


def test_what_it_is_known_as_takes_the_place_of_its_address(script):
    address = script().address
    assert ServerPolicy(address, IDS).settings == {"address": address}
    known_as = {"shop": "mugs", "bundle": "b1"}
    policy = ServerPolicy(address, IDS, known_as)
    assert policy.settings == known_as
    assert ForkingPickler.loads(ForkingPickler.dumps(policy)).settings == known_as


def test_it_asks_for_each_visitor_with_the_item_looked_at(script):
    server = script()
    ServerPolicy(server.address, IDS).choose(asked_by([5, 6], [3, -1]), RNG)
    asked = {"placement": "home", "n": 3}
    assert server.asked("/v1/recommend") == [
        {**asked, "user_pseudo_id": "5", "item_ids": ["P0004"]},
        {**asked, "user_pseudo_id": "6"},
    ]


def test_a_view_is_told_before_the_list_that_follows_it_and_once(script):
    server = script()
    policy = ServerPolicy(server.address, IDS)
    policy.choose(asked_by([5, 6], [3, -1]), RNG)
    policy.choose(asked_by([5, 6], [3, 0], page=2), RNG)
    assert [path for path, _ in server.requests] == ["/v1/events", *["/v1/recommend"] * 2] * 2
    (first,), (second,) = server.asked("/v1/events")
    assert first == {
        "event_name": "view_item",
        "event_timestamp": 1_767_225_659_999_001,
        "user_pseudo_id": "5",
        "ga_session_id": "1767225600",
        "items": [{"item_id": "P0004"}],
    }
    assert (second["user_pseudo_id"], second["items"]) == ("6", [{"item_id": "P0001"}])


def test_the_events_of_a_page_go_in_requests_as_long_as_the_server_takes_them(script):
    server = script(most_events=2)
    ServerPolicy(server.address, IDS).choose(asked_by([1, 2, 3, 4, 5], [0, 1, 2, 3, 0]), RNG)
    assert [len(each) for each in server.asked("/v1/events")] == [2, 2, 1]


def test_a_connection_that_has_ended_is_made_anew(script):
    policy = ServerPolicy(script(hangs_up=True).address, IDS)
    policy.choose(asked_by([5], [-1]), RNG)
    assert policy.choose(asked_by([5], [-1], page=2), RNG).items.tolist() == [[2, 0, -1]]


def test_it_goes_to_another_process_without_its_connection(script):
    policy = ServerPolicy(script().address, IDS)
    policy.choose(asked_by([5], [0]), RNG)
    there = ForkingPickler.loads(ForkingPickler.dumps(policy))
    assert (there.address, there.item_ids, there.name) == (policy.address, IDS, "server")
    assert there.choose(asked_by([5], [0]), RNG).items.tolist() == [[2, 0, -1]]


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://", "http://a:b", "ftp://127.0.0.1:9"])
def test_a_server_that_is_not_there_is_told(address):
    with pytest.raises(UsageError, match="no server answers") as caught:
        ServerPolicy(address, IDS).check(3)
    assert caught.value.code is Code.USAGE
    assert "endcap serve" in caught.value.fix


def test_what_the_server_refuses_is_told_in_its_own_words(script):
    problem = {"code": "bundle-missing", "detail": "there is no bundle", "fix": "run `endcap refresh`"}
    server = script(refuses=(503, problem))
    with pytest.raises(RequestError) as caught:
        ServerPolicy(server.address, IDS).choose(asked_by([5], [-1]), RNG)
    error = caught.value
    assert (error.what, error.code) == ("the server answers 503: there is no bundle", Code.BUNDLE_MISSING)
    assert (error.fix, error.where) == ("run `endcap refresh`", f"{server.address}/v1/recommend")


@pytest.mark.parametrize(("status", "code"), [(404, Code.REQUEST_INVALID), (502, Code.INTERNAL)])
@pytest.mark.parametrize("body", [b"<html>", b'{"message": "?"}', b"[]", b'{"code": "?", "detail": "", "fix": ""}'])
def test_a_server_of_somebody_else_is_told(script, status, code, body):
    with pytest.raises(RequestError, match="no answer of Endcap") as caught:
        ServerPolicy(script(refuses=(status, body)).address, IDS).choose(asked_by([5], [-1]), RNG)
    assert caught.value.code is code


def test_events_that_are_not_taken_are_told(script):
    rejects = [{"row": 0, "code": "at_in_future", "detail": "event_timestamp is after now"}]
    with pytest.raises(RequestError, match="rejects 1 events; the first: event_timestamp is after now") as caught:
        ServerPolicy(script(rejects=rejects).address, IDS).choose(asked_by([5], [0]), RNG)
    assert caught.value.code is Code.EVENTS_REJECTED


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A shop of four days of a tiny world, refreshed, with two models."""
    folder = tmp_path_factory.mktemp("served")
    made = simulate(make_world("small", days=4, **LIVELY), folder / "world", Popular())
    init_shop(folder / "shop", source=made.export)
    settings = folder / "shop" / "endcap.toml"
    settings.write_text(
        settings.read_text().replace("\n[models]\n", '\n[models]\ntrain = ["popular", "item_markov"]\n')
    )
    refresh(folder / "shop")
    return folder / "shop"


def test_a_day_can_be_lived_through_with_a_real_server(shop, tmp_path):
    world = make_world("small", days=1, start="2026-01-05", **LIVELY)
    with server_process(shop) as address:
        policy = ServerPolicy(address, make_catalogue(world).item_ids)
        made = simulate(world, tmp_path / "out", policy)
    pages = pq.read_table(made.truth / "pages" / "pages_20260105.parquet")
    lists = pages.filter(pages["is_list"]).to_pylist()
    shown = [[number for number in each["slate"] if number >= 0] for each in lists]
    mornings = pq.read_table(made.truth / "mornings" / "morning_20260105.parquet")
    offered = set(np.flatnonzero(mornings["is_offered"].to_numpy()).tolist())
    logged = [
        json.loads(line) for path in (shop / "landing" / "slates").iterdir() for line in path.read_text().splitlines()
    ]
    ids = make_catalogue(world).item_ids.to_pylist()
    answered = [[ids.index(each["item_id"]) for each in slate["items"]] for slate in logged]
    assert len(lists) == len(logged) > 20
    assert sorted(shown) == sorted([number for number in slate if number in offered] for slate in answered)
    assert all(0 < len(slate) <= 20 and len(set(slate)) == len(slate) for slate in shown)
    assert all(each["before"] not in each["slate"] for each in lists if each["before"] >= 0)
    assert len({tuple(slate) for slate in shown}) > 10  # not the popular ones for everybody


def test_visitors_do_better_with_the_server_than_with_the_popular_items(shop, tmp_path):
    world = make_world("small", days=1, start="2026-01-06", **LIVELY | {"visitors": 200})
    with server_process(shop) as address:
        served = simulate(world, tmp_path / "served", ServerPolicy(address, make_catalogue(world).item_ids))
    popular = simulate(world, tmp_path / "popular", Popular())
    per_list = [made.counts["expected_clicks"] / made.counts["view_item_list"] for made in (served, popular)]
    assert per_list[0] > per_list[1]
