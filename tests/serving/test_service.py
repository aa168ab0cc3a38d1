import asyncio
import json

import pytest

from endcap.core.errors import Code, StoreError
from endcap.serving.config import ServingConfig
from endcap.serving.service import Service, Setting
from endcap.serving.state import VisitorState


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


def letters(body):
    return "".join(item["item_id"] for item in json.loads(body)["items"])


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


def test_a_store_that_fails_does_not_lose_an_event(shop, setting, monkeypatch):
    shop.bundle()
    service = Service(setting())

    def fail(_self, _events):
        raise StoreError("full", fix="look", code=Code.STORE_UNUSABLE)

    monkeypatch.setattr(VisitorState, "record", fail)
    assert run(service, lambda: service.take(view("G"))).accepted == 1
    assert len(shop.landed("events")) == 1


def test_without_a_store_a_visitor_is_known_by_the_bundle_alone(shop, setting):
    shop.bundle()
    service = Service(setting(kv=None))

    async def use():
        assert (await service.take(view("G"))).accepted == 1
        return service.recommend(HOME)

    assert letters(run(service, use)) == "A"


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

    slate = json.loads(run(service, use))
    assert slate["model_version"] == bundle_id
    assert slate["explanation"] == {
        "model": "item_markov",
        "num_history": 0,
        "num_candidates": {"popular": 7},
        "removed": {"F": "out_of_stock"},
        "fallbacks": [],
    }
    assert service.model_of("/v1/recommend") == "item_markov"
    assert service.model_of("/metrics") == ""


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
