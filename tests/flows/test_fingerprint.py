from endcap.flows import fingerprint as module
from endcap.flows.fingerprint import code_digest, fingerprint

SAME = {"inputs": {"a": "1", "b": "2"}, "settings": {"gap": 30}, "code": "c", "seed": 1}


def test_the_order_of_inputs_does_not_matter():
    turned = {**SAME, "inputs": {"b": "2", "a": "1"}}
    assert fingerprint("s", "d", **SAME) == fingerprint("s", "d", **turned)


def test_every_part_matters():
    changes = [{"inputs": {"a": "1"}}, {"settings": {"gap": 31}}, {"code": "x"}, {"seed": 2}]
    marks = {fingerprint("s", "d", **SAME), fingerprint("t", "d", **SAME), fingerprint("s", "e", **SAME)}
    marks |= {fingerprint("s", "d", **{**SAME, **change}) for change in changes}
    assert len(marks) == 3 + len(changes)


def test_code_of_the_rooms_used_and_of_the_floors_below_counts(tmp_path, monkeypatch):
    for room in ("core", "metrics", "engines", "events", "serving"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "one.py").write_text(room)
    monkeypatch.setattr(module, "_SOURCES", tmp_path)

    def digest():
        code_digest.cache_clear()
        return code_digest(("events",))

    first = digest()
    (tmp_path / "serving" / "one.py").write_text("changed")
    assert digest() == first
    for room in ("core", "events"):
        (tmp_path / room / "one.py").write_text("changed")
        assert digest() != first
        first = digest()
    code_digest.cache_clear()
