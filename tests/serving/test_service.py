import asyncio
import json

import pytest
import structlog

from endcap.core.clock import fixed_clock
from endcap.core.errors import Code, StoreError
from endcap.serving.config import ServingConfig
from endcap.serving.service import Service, Setting
from endcap.serving.state import VisitorState
from endcap.stores.adapters.lmdb import LmdbKeyValues


@pytest.fixture
def setting(shop):
    def made(**changes):
        parts = {
            "bundles": shop.bundles,
            "landing": shop.landing,
            "kv": shop.kv(),
            "config": ServingConfig(),
            "user_key": shop.key,
            "clock": shop.clock,
            "new_id": shop.ids(),
            "load_scorer": shop.load_scorer,
        }
        return Setting(**(parts | changes))

    return made


def view(item, **more):
    event = {"event_name": "view_item", "user_pseudo_id": "c", "items": [{"item_id": item}]}
    return json.dumps(event | more).encode()


HOME = b'{"placement":"home","user_pseudo_id":"c","n":1}'


def letters(answered):
    return "".join(item["item_id"] for item in json.loads(answered.body)["items"])


def run(service, use):
    async def whole():
        await service.start()
        try:
            return await use()
        finally:
            await service.stop()

    return asyncio.run(whole())


def test_state_that_was_lost_is_made_again_from_the_log(shop, setting):
    shop.bundle()
    service = Service(setting())
    run(service, lambda: service.take(view("G")))
    (shop.root / "kv" / "data.mdb").unlink()
    (shop.root / "kv" / "lock.mdb").unlink()
    again = Service(setting())

    async def use():
        return again.recommend(HOME)

    assert letters(run(again, use)) == "H"


@pytest.mark.parametrize(
    ("begun", "is_known"),
    [("2026-09-20T11:00:00", True), ("2026-09-19T23:59:30", True), ("2026-09-19T20:00:00", False)],
)
def test_what_the_bundle_cannot_know_of_its_last_day_is_read_from_the_log(begun, is_known, shop, setting):
    shop.bundle(through="2026-09-20")  # the refresh was at noon of that day, which goes on
    earlier = Service(setting(clock=fixed_clock(begun)))
    run(earlier, lambda: earlier.take(view("G")))
    (shop.root / "kv" / "data.mdb").unlink()
    (shop.root / "kv" / "lock.mdb").unlink()
    again = Service(setting(clock=fixed_clock("2026-09-20T18:00:00")))

    async def use():
        return again.recommend(HOME)

    assert letters(run(again, use)) == ("H" if is_known else "A")


def test_a_store_that_fails_does_not_lose_an_event(shop, setting, monkeypatch):
    shop.bundle()
    service = Service(setting())

    def fail(_self, _events):
        raise StoreError("full", fix="look", code=Code.STORE_UNUSABLE)

    monkeypatch.setattr(VisitorState, "record", fail)
    assert run(service, lambda: service.take(view("G"))).accepted == 1
    assert len(shop.landed("events")) == 1
    told = service.meters.text().decode()
    assert "endcap_events_ingested_total 1.0" in told
    assert "endcap_events_unfelt_total 1.0" in told
    assert "endcap_event_to_recommendation_lag_seconds_count 0.0" in told


def test_without_a_store_a_visitor_is_known_by_the_bundle_alone(shop, setting):
    shop.bundle()
    service = Service(setting(kv=None))

    async def use():
        assert (await service.take(view("G"))).accepted == 1
        return service.recommend(HOME)

    assert letters(run(service, use)) == "A"
    assert "endcap_event_to_recommendation_lag_seconds_count 0.0" in service.meters.text().decode()


def test_events_that_cannot_be_written_are_not_taken(shop, setting):
    shop.bundle()
    shop.landing.mkdir()
    (shop.landing / "events").touch()  # a file where the folder should be
    service = Service(setting())
    with pytest.raises(StoreError) as caught:
        run(service, lambda: service.take(view("G")))
    assert caught.value.code is Code.LOG_UNUSABLE


def test_many_at_once_are_all_taken(shop, setting):
    shop.bundle()
    service = Service(setting())

    async def use():
        return await asyncio.gather(*[service.take(view("A", event_id=f"{number:032x}")) for number in range(100)])

    assert sum(answer.accepted for answer in run(service, use)) == 100
    assert sorted(event["event_id"] for event in shop.landed("events")) == [f"{each:032x}" for each in range(100)]


def test_a_slate_names_what_it_was_made_of(shop, setting):
    bundle_id = shop.bundle()
    service = Service(setting())

    async def use():
        return service.recommend(HOME[:-1] + b',"explain":true}')

    answered = run(service, use)
    assert answered.model == "popular"
    slate = json.loads(answered.body)
    assert slate["model_version"] == bundle_id
    told = slate["explanation"]
    assert (told.pop("features")["num_views_30d"], told.pop("features_approximate")[0]) == (0, "num_sessions_1d")
    assert told == {
        "model": "popular",
        "num_history": 0,
        "num_candidates": {"popular": 7},
        "removed": {"F": "out_of_stock"},
        "fallbacks": [],
    }


class Ticking:
    def __init__(self, at):
        self.at_us = fixed_clock(at)()

    def __call__(self):
        return self.at_us


async def kept(service):
    """Have the chores done, the pruning to its end."""
    await service.keep(is_adopting=False)
    if service._pruning:  # noqa: SLF001 - it goes on by itself
        await service._pruning  # noqa: SLF001


def known(service, user):
    question = {"placement": "home", "user_pseudo_id": user, "n": 1, "explain": True}
    return json.loads(service.recommend(json.dumps(question).encode()).body)["explanation"]["num_history"] > 0


def test_a_new_bundle_lets_the_state_forget_whom_its_histories_know(shop, setting):
    shop.bundle(through="2026-09-18")
    clock = Ticking("2026-09-18T12:00:00")
    service = Service(setting(clock=clock))

    async def use():
        await service.take(view("G", user_pseudo_id="old"))
        clock.at_us = fixed_clock("2026-09-19T23:59:59")()
        await service.take(view("G", user_pseudo_id="late"))  # may be in a segment that the refresh did not see
        clock.at_us = fixed_clock("2026-09-20T12:00:00")()
        await service.take(view("G", user_pseudo_id="new"))
        await kept(service)
        before = [known(service, user) for user in ("old", "late", "new")]
        shop.bundle(through="2026-09-20")
        clock.at_us += 60_000_000
        await kept(service)
        return before, [known(service, user) for user in ("old", "late", "new")]

    assert run(service, use) == ([True, True, True], [False, True, True])


def test_a_full_store_forgets_whom_the_bundle_knows_and_takes_events_again(shop, setting):
    shop.bundle(through="2026-09-20")
    clock = Ticking("2026-09-19T12:00:00")
    kv = LmdbKeyValues(shop.root / "small", size_mb=1)
    service = Service(setting(kv=kv, clock=clock))

    async def crowd(name):
        """Twenty visitors with long histories; return whether they are known to the next answer."""
        items = [{"item_id": "G" if number == 0 else f"{number}" * 100} for number in range(50)]
        rows = [view("", items=items, user_pseudo_id=f"{name}{number}") for number in range(20)]
        assert (await service.take(b"[" + b",".join(rows) + b"]")).accepted == 20
        return known(service, f"{name}19")

    async def use():
        await kept(service)
        felt = [await crowd(f"old{number}-") for number in range(10)]
        clock.at_us = fixed_clock("2026-09-20T13:00:00")()
        await kept(service)
        return felt, await crowd("new")

    felt, is_felt = run(service, use)
    assert (felt[0], felt[-1], is_felt) == (True, False, True)
    told = service.meters.text().decode()
    assert f"endcap_events_unfelt_total {20.0 * felt.count(False)}" in told
    assert f"endcap_event_to_recommendation_lag_seconds_count {felt.count(True) + 1.0}" in told


def test_a_store_that_cannot_be_pruned_is_told_and_serving_goes_on(shop, setting, monkeypatch):
    shop.bundle()
    service = Service(setting())

    def fail(_self, **_more):
        raise StoreError("full", fix="look", code=Code.STORE_UNUSABLE)

    monkeypatch.setattr(VisitorState, "prune", fail)

    async def use():
        with structlog.testing.capture_logs() as logs:
            await kept(service)
        return [each["event"] for each in logs], service.recommend(HOME)

    told, answered = run(service, use)
    assert told == ["state.not_pruned"]
    assert letters(answered) == "A"


def test_a_segment_that_cannot_be_read_does_not_keep_a_server_from_starting(shop, setting):
    shop.bundle(through="2026-09-18")
    service = Service(setting())
    run(service, lambda: service.take(view("G")))
    kv = LmdbKeyValues(shop.root / "new", size_mb=8)
    (shop.landing / "events" / "0000000000000001-1-1.jsonl.open").mkdir()
    (shop.landing / "events" / "9000000000000000-1-1.jsonl").mkdir()
    (shop.landing / "events" / "9000000000000000-1-2.jsonl").write_bytes(b'{"event_id":"\xff"}\n')
    again = Service(setting(kv=kv))

    async def use():
        return again.recommend(HOME)

    assert letters(run(again, use)) == "H"


def test_a_request_sent_again_under_its_key_brings_no_event_twice(shop, setting):
    shop.bundle()
    clock = Ticking("2026-09-20T12:00:00")
    service = Service(setting(clock=clock))
    body = b"[" + view("A") + b"," + view("A") + b"]"

    async def use():
        first = await service.take(body, idempotency_key="k1")
        clock.at_us += 5_000_000
        again = await service.take(body, idempotency_key="k1")
        other = await service.take(body, idempotency_key="k2")
        return [(answer.accepted, answer.duplicates) for answer in (first, again, other)]

    assert run(service, use) == [(2, 0), (0, 2), (2, 0)]
    assert len(shop.landed("events")) == 4


def test_a_chore_that_fails_does_not_keep_the_others_from_being_done(shop, setting, monkeypatch):
    shop.bundle()
    service = Service(setting())

    def fail():
        raise OSError("the disk is gone")

    async def use():
        service.recommend(HOME)
        monkeypatch.setattr(service.current, "look", fail)
        await service.keep(is_adopting=True)
        return shop.landed("slates")

    assert len(run(service, use)) == 1
