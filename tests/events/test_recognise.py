import json

import pytest

from endcap.events.recognise import event_names, nested_kind
from endcap.simulation.formats import FORMATS
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate

KINDS = {
    "ga4-json": "ga4",
    "segment": "segment",
    "snowplow": "snowplow",
    "vertex": "vertex",
    "csv": "",
    "personalize": "",
}

CALLS = [{"messageId": "m", "type": "track", "event": "a"}, {"messageId": "n", "type": "page"}, {"type": "track"}]


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "ga4"])
def test_a_file_is_known_by_its_first_event(tmp_path, form):
    world = make_world("small", days=1, visitors=20, items=20)
    made = simulate(world, tmp_path / "shop", Popular(), form=form)
    [path] = made.export.glob("events_*")
    assert nested_kind(path) == KINDS[form]
    if KINDS[form]:
        names = event_names(path, KINDS[form])
        assert sum(names.values()) == len(path.read_text().splitlines())
        assert "" not in names


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.json", json.dumps(CALLS), "segment"),
        ("a.jsonl", 'torn\n{"messageId": "m", "type": "page"}\n', "segment"),
        ("a.tsv", "\t" * 130 + "\n", ""),
        ("a.tsv", "\t" * 3 + "x" + "\t" * 3 + "e" + "\t" * 124 + "\n", "snowplow"),
        ("a.jsonl", '{"time": 1, "item": "mug"}\n', ""),
        ("a.jsonl", "", ""),
        ("a.csv", '{"messageId": "m", "type": "page"}\n', ""),
        ("a.jsonl.gz", "no gzip", ""),
    ],
)  # fmt: skip
def test_signs_are_looked_for_in_the_first_event_that_can_be_read(tmp_path, name, content, kind):
    (tmp_path / name).write_text(content)
    assert nested_kind(tmp_path / name) == kind


def test_events_of_a_list_are_counted(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(CALLS, indent=2)[:-2])  # cut off in the middle
    assert event_names(tmp_path / "a.json", "segment") == {"a": 1, "page": 1, "": 1}
