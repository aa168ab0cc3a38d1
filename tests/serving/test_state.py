import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endcap.core.errors import Code, StoreError
from endcap.core.landed import LandedEvent, LandedItem
from endcap.serving.state import Element, VisitorState


class Memory:
    """The port on a dictionary: laws are tried many times."""

    def __init__(self):
        self.values = {}

    def get(self, key):
        return self.values.get(key)

    def put(self, key, value):
        self.values[key] = value

    def change(self, changes):
        self.values |= {key: change(self.values.get(key)) for key, change in changes.items()}

    def prune(self, is_old):
        old = [key for key, value in self.values.items() if is_old(key, value)]
        for key in old:
            del self.values[key]
        return len(old)

    def close(self):
        pass


def event(at_us, items, name="view_item", user="u1"):
    return LandedEvent(
        event_id=f"{at_us:032x}",
        event_name=name,
        at_us=at_us,
        received_us=at_us,
        user_key=user,
        items=tuple(LandedItem(item_id=item) for item in items),
    )


def state(kv=None, length=3):
    return VisitorState(kv or Memory(), events=("view_item", "purchase"), length=length, num_rows=2000)


def items(found):
    return "".join(element.item_id for element in found)


def test_the_last_items_are_kept_in_order_of_time():
    visitors = state()
    visitors.record([event(2, "B"), event(1, "A"), event(3, "CD"), event(9, "Z", user="u2")])
    assert items(visitors.elements("u1")) == "BCD"
    assert visitors.elements("u2") == [Element(9, "Z", "view_item")]
    assert visitors.elements("nobody") == []


def test_only_events_that_count_are_kept():
    visitors = state()
    visitors.record([event(1, "A", name="view_item_list"), event(2, ""), event(3, "C", name="purchase")])
    assert items(visitors.elements("u1")) == "C"


EVENTS = st.lists(st.builds(event, st.integers(1, 9), st.text("ABC", max_size=2)), max_size=8)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS, st.data())
def test_order_batches_and_repetition_do_not_matter(events, data):
    once, again = state(length=50), state(length=50)
    once.record(events)
    shuffled = data.draw(st.permutations(events))
    cut = data.draw(st.integers(0, len(events)))
    for batch in (shuffled[:cut], shuffled[cut:], shuffled[:cut]):
        again.record(batch)
    assert once.elements("u1") == again.elements("u1")


def test_lost_state_is_made_again_from_the_log_once(tmp_path, shop):
    lines = b"".join(msgspec.json.encode(event(at_us, "ABCD"[at_us])) + b"\n" for at_us in (1, 2))
    (tmp_path / f"{5:016d}-1-1.jsonl").write_bytes(lines + b'{"torn')
    (tmp_path / f"{6:016d}-1-2.jsonl.open").write_bytes(msgspec.json.encode(event(3, "D")) + b"\n")
    (tmp_path / f"{1:016d}-1-1.jsonl").write_bytes(msgspec.json.encode(event(0, "Z")) + b"\n")
    kv = shop.kv()
    visitors = state(kv)
    assert visitors.restore(tmp_path, since_us=5) == 2
    assert items(visitors.elements("u1")) == "BCD"
    assert visitors.restore(tmp_path, since_us=0) == 0
    kv.close()


def test_visitors_who_have_done_nothing_since_are_forgotten(tmp_path):
    visitors = state()
    visitors.record([event(4, "A", user="old"), event(4, "A", user="back"), event(5, "B", user="back")])
    visitors.record([event(5, "B", user="new")])
    visitors.restore(tmp_path, since_us=0)
    assert visitors.prune(until_us=5) == 2  # a list of items, and rows
    assert [items(visitors.elements(user)) for user in ("old", "back", "new")] == ["", "AB", "B"]
    assert visitors.prune(until_us=5) == 0
    (tmp_path / f"{1:016d}-1-1.jsonl").write_bytes(msgspec.json.encode(event(4, "A", user="old")) + b"\n")
    assert visitors.restore(tmp_path, since_us=0) == 0  # that the state was made is not forgotten


def test_a_state_that_cannot_be_read_begins_anew():
    kv = Memory()
    visitors = state(kv)
    visitors.record([event(1, "A"), event(1, "A", user="u2")])
    for damaged in (b"\xc1", b"\x91\x93\x01\xa2\xff\xff\xa1v", b"\x92\x01"):
        kv.values[b"visitor:u1"] = damaged
        assert visitors.elements("u1") == []
        visitors.record([event(2, "B"), event(3, "C", user="u2")])
        assert items(visitors.elements("u1")) == "B"
        assert items(visitors.elements("u2")) == "AC"
    kv.values[b"visitor:u1"] = b"\xc1"
    assert visitors.prune(until_us=0) == 1


def test_a_state_that_an_earlier_version_wrote_tells_kinds_and_instants():
    kv = Memory()
    # Written at commit d8571db: one list of [at_us, item_id, event_name].
    kv.values[b"visitor:u1"] = bytes.fromhex("929307a141a9766965775f6974656d9309a142a87075726368617365")
    visitors = state(kv)
    assert visitors.elements("u1") == [Element(7, "A", "view_item"), Element(9, "B", "purchase")]
    visitors.record([event(8, "C")])
    assert [each.at_us for each in visitors.elements("u1")] == [7, 8, 9]


def test_a_full_store_changes_nothing(shop):
    kv = shop.kv()
    visitors = state(kv, length=500)
    large = [event(number, ["x" * 50_000], user=f"u{number}") for number in range(200)]
    visitors.record(large[:1])
    with pytest.raises(StoreError) as caught:
        visitors.record(large[1:])
    assert caught.value.code is Code.STORE_UNUSABLE
    assert [bool(visitors.elements(f"u{number}")) for number in range(3)] == [True, False, False]
    kv.close()


def test_rows_are_kept_of_every_event_and_of_each_once():
    visitors = state()
    visitors.record([event(1, "A"), event(2, "B", name="view_item_list")])
    visitors.record([event(2, "B", name="view_item_list"), event(3, "CD"), event(4, "", name="search")])
    assert visitors.rows("u1").rows["at_us"].tolist() == [1, 2, 3, 3, 4]
    assert (len(visitors.rows("nobody").rows), visitors.rows("nobody").cut_us) == (0, 0)


def test_a_visitor_whose_event_came_late_is_not_forgotten_before_a_bundle_knows_it():
    visitors = state()
    visitors.record([msgspec.structs.replace(event(1, "A"), received_us=9)])
    assert visitors.prune(until_us=9) == 1  # the items alone
    assert visitors.rows("u1").rows["at_us"].tolist() == [1]
    assert visitors.prune(until_us=10) == 1
    assert len(visitors.rows("u1").rows) == 0


def test_rows_that_were_damaged_are_not_taken_for_all_there_are():
    kv = Memory()
    visitors = state(kv)
    visitors.record([event(1, "A")])
    (name,) = (key for key in kv.values if key.startswith(b"rows:"))
    kv.values[name] = b"damaged"
    with pytest.raises(ValueError, match="bytes long"):
        visitors.rows("u1")
    assert visitors.prune(until_us=100) == 1  # the items alone
    visitors.record([event(2, "B")])
    assert visitors.rows("u1").cut_us > 2


def test_rows_of_another_form_are_made_again_from_the_log(tmp_path):
    kv = Memory()
    kv.values |= {b"made": b"1", b"rows:01234567:u1": b"of an older form"}
    (tmp_path / f"{5:016d}-1-1.jsonl").write_bytes(msgspec.json.encode(event(1, "A")) + b"\n")
    visitors = state(kv)
    assert visitors.restore(tmp_path, since_us=0) == 1
    assert visitors.rows("u1").rows["at_us"].tolist() == [1]
    assert visitors.prune(until_us=0) == 1
    assert b"rows:01234567:u1" not in kv.values
