import msgspec

from endcap.core.slate import Reason, Slate, SlateItem


def test_a_slate_survives_json():
    item = SlateItem(item_id="A", place=1, score=0.5, source="popular", reasons=(Reason("goes_with", "B"),))
    slate = Slate(
        recommendation_id="r", placement="home", items=(item,), variant=None, model_version="b", fallback=None
    )
    assert msgspec.json.decode(msgspec.json.encode(slate), type=Slate) == slate
    (told,) = msgspec.to_builtins(slate)["items"]
    assert list(told["reasons"]) == [{"code": "goes_with", "item_id": "B"}]
