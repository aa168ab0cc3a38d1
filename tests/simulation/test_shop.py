import itertools
from collections import Counter, defaultdict

import pytest

from endcap.core.errors import UsageError
from endcap.simulation.shop import simulate

TINY = {"days": 3, "users": 60, "items": 40}


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    simulate(tmp_path / "a", **TINY)
    simulate(tmp_path / "b", **TINY)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_another_seed_gives_another_shop(tmp_path):
    simulate(tmp_path / "a", **TINY, seed=1)
    simulate(tmp_path / "b", **TINY, seed=2)
    assert bytes_of(tmp_path / "a")["catalog.tsv"] != bytes_of(tmp_path / "b")["catalog.tsv"]


def test_it_says_what_it_made(tmp_path):
    made = simulate(tmp_path / "a", **TINY, start="2024-02-28")
    assert (made.first_day, made.last_day, made.num_users, made.num_items) == ("2024-02-28", "2024-03-01", 60, 40)
    assert made.num_sessions >= 60
    assert min(made.num_events.values()) > 0


@pytest.mark.parametrize(
    "wrong",
    [{"days": 0}, {"users": 0}, {"items": 9}, {"seed": -1}, {"start": "yesterday"}, {"start": "9999-12-30", "days": 9}],
)
def test_an_argument_out_of_range_is_refused_before_anything_is_written(tmp_path, wrong):
    with pytest.raises(UsageError):
        simulate(tmp_path / "a", **{**TINY, **wrong})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="something in the folder"):
        simulate(tmp_path, **TINY)
    assert bytes_of(tmp_path) == {"mine.txt": b"mine"}


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made"):
        simulate(tmp_path / "file" / "shop", **TINY)


def test_an_empty_folder_and_the_rest_of_a_killed_simulation_do_not_matter(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / ".a.part").mkdir()
    (tmp_path / ".a.part" / "events_20200101.parquet").write_text("half")
    simulate(tmp_path / "a", **TINY)
    assert min(path.name for path in (tmp_path / "a").iterdir()) == "catalog.tsv"
    assert not (tmp_path / ".a.part").exists()


def test_what_followed_before_predicts_the_next_item_much_better_than_popularity(tmp_path, read):
    simulate(tmp_path / "a", days=7, users=800, items=60)
    sessions = defaultdict(list)
    for event in read(tmp_path / "a"):
        if event["event_name"] == "view_item":
            session = sessions[event["user_pseudo_id"], event["event_params"][0]["value"]["int_value"]]
            session.append((event["event_date"], event["items"][0]["item_id"]))
    popular, after, asked = Counter(), defaultdict(Counter), []
    for session in sessions.values():
        for (_, item), (day, follower) in itertools.pairwise(session):
            if day < "20260106":
                popular[follower] += 1
                after[item][follower] += 1
            elif follower != item:
                asked.append((item, follower))
    tops = {item: {each for each, _ in after[item].most_common(5)} for item, _ in asked}
    best = {each for each, _ in popular.most_common(5)}
    by_order = sum(follower in tops[item] for item, follower in asked) / len(asked)
    by_popularity = sum(follower in best for _, follower in asked) / len(asked)
    assert len(asked) > 500
    assert by_order > 1.5 * by_popularity
