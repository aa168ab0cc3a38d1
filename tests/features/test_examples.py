import pyarrow as pa
import pytest

from endcap.core.tables import EXAMPLES
from endcap.engines.contracts import check_contract
from endcap.features.config import FeaturesConfig
from endcap.features.examples import together
from endcap.features.negatives_config import PopularityNegatives, UnclickedNegatives

DAYS = ["2016-09-01", "2016-09-02", "2016-09-03"]


@pytest.fixture
def told(engine, made, rows_of, minute):
    """Examples of a tiny world as (minute, position, context, target, its event, what is known to follow)."""

    def told(text, days=DAYS, **settings):
        found = made(text, days, all_days=DAYS, config=FeaturesConfig(**settings), features=False)["examples"]
        check_contract(engine, found, EXAMPLES)
        names = ("at_us", "position", "context_item_ids", "item_id", "event_name", "carted", "purchased")
        return [
            (minute(at_us), place, " ".join(context), item, name, "carted " * carted + "purchased" * purchased)
            for at_us, place, context, item, name, carted, purchased in rows_of(found, *names)
        ]

    return told


def test_each_step_to_a_different_item_is_an_example(told):
    assert told("""
        ann 10  view_item A
        ann 11  view_item A
        ann 12  view_item B
        ann 13  add_to_cart B
        ann 14  view_item A
        ann 15  purchase B
    """) == [
        (12, 1, "A", "B", "view_item", "carted purchased"),
        (14, 2, "A B", "A", "view_item", ""),
        (15, 3, "A B A", "B", "purchase", "purchased"),
    ]  # fmt: skip


def test_what_came_before_the_target_is_no_label_of_it(told):
    world = ["ann 10 add_to_cart A", "ann 11 view_item B", "ann 12 view_item A"]
    assert told(world)[1] == (12, 2, "A B", "A", "view_item", "")


def test_other_sessions_are_no_context_and_no_label(told):
    world = [
        "ann 10 view_item A",
        "ann 11 view_item B",
        "ann 100 purchase B",
        "bob 10 purchase B",
        "bob 12 view_item C",
    ]
    assert told(world) == [(11, 1, "A", "B", "view_item", ""), (12, 1, "B", "C", "view_item", "")]


def test_a_context_keeps_the_latest_items(told):
    world = [f"ann {place} view_item {item}" for place, item in enumerate("ABCDE")]
    assert told(world, max_sequence=2) == [
        (1, 1, "A", "B", "view_item", ""),
        (2, 2, "A B", "C", "view_item", ""),
        (3, 3, "B C", "D", "view_item", ""),
        (4, 4, "C D", "E", "view_item", ""),
    ]


def test_an_example_belongs_to_the_day_its_session_starts(made, rows_of):
    world = ["ann 1439 view_item A", "ann 1d+1 view_item B"]
    found = made(world, DAYS, all_days=DAYS, features=False)["examples"]
    assert rows_of(found, "date_partition", "item_id") == [("2016-09-01", "B")]


def test_negatives_are_items_known_before_the_day_and_the_first_day_has_none(made, rows_of):
    world = ["ann 0 view_item A", "ann 1 view_item B", "ann 1d+0 view_item C", "ann 1d+1 view_item D"]
    found = made(
        world, DAYS, all_days=DAYS, config=FeaturesConfig(negatives=[PopularityNegatives(num=8)]), features=False
    )["examples"]
    first, second = rows_of(found, "date_partition", "negative_item_ids", "negative_p")
    assert first == ("2016-09-01", [], [])
    assert (set(second[1]), second[2]) == ({"A", "B"}, [0.5] * 8)


def test_the_negatives_of_a_session_do_not_depend_on_other_sessions(made, rows_of):
    before = [f"ann {place} view_item {item}" for place, item in enumerate("ABCDEFGH")]
    steps = ["bob 1d+50 view_item A", "bob 1d+51 view_item B"]
    others = ["ann 1d+40 view_item A", "ann 1d+41 view_item B", "eve 1d+60 view_item A", "eve 1d+61 view_item B"]
    alone, among = (
        made(before + world, ["2016-09-02"], all_days=DAYS, features=False)["examples"]
        for world in (steps, steps + others)
    )
    assert rows_of(alone) == rows_of(among.filter(among.user_key == "bob"))
    assert rows_of(alone)


def test_days_without_steps_give_no_examples(told):
    assert told(["ann 0 view_item A", "bob 1 view_item B"]) == []
    assert told(["ann 0 view_item A", "ann 1 view_item B"], days=[]) == []


def test_the_days_of_a_year_can_be_put_together(engine, rows_of):
    days = [engine.read_arrow(pa.table({"day": [number]})) for number in range(365)]
    assert sorted(rows_of(together(days), "day")) == [(number,) for number in range(365)]


def test_how_many_sessions_are_made_at_a_time_makes_no_difference(made, rows_of, monkeypatch):
    world = [
        f"{visitor} {day}d+{60 * visit + minute} {step}"
        for day in (0, 1, 2)
        for visitor in ("ann", "bob", "cy")
        for visit in (0, 2)
        for minute, step in enumerate(["view_item_list A B C D", "view_item A", "view_item B"])
    ]
    samplers = (UnclickedNegatives(num=2), PopularityNegatives(num=3))

    def examples():
        config = FeaturesConfig(negatives=samplers)
        return rows_of(made(world, DAYS, all_days=DAYS, config=config, features=False)["examples"], *EXAMPLES.names)

    whole = examples()
    assert len(whole) == 18
    assert {kind for row in whole for kind in row[EXAMPLES.names.index("negative_kinds")]} == {
        "unclicked",
        "popularity",
    }
    for at_once in (1, 3, 5):
        monkeypatch.setattr("endcap.features.examples._ELEMENTS_AT_ONCE", at_once)
        assert examples() == whole
