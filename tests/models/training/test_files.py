import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.sequences import Catalogue
from endcap.models.sequence import SequenceModel
from endcap.models.training.files import Files
from endcap.models.training.settings import TrainingRun
from endcap.models.training.source import InMemory, windows
from endcap.models.two_tower import TwoTower

ITEMS = [f"item-{number}" for number in range(9)]


@pytest.fixture
def files(tmp_path):
    """Two days of sessions in row groups of 40; each row stands there once more as what the user did before."""
    rng = np.random.default_rng(7)
    paths = []
    for day in range(2):
        rows = {"scope": [], "item_ids": [], "event_names": [], "at_us_list": []}
        for _ in range(100):
            items = [ITEMS[number] for number in rng.integers(0, 9, rng.integers(1, 6))]
            for scope in ("session", "user"):
                rows["scope"].append(scope)
                rows["item_ids"].append(items)
                rows["event_names"].append(["view_item"] * len(items))
                rows["at_us_list"].append(list(range(day * 1000, day * 1000 + len(items))))
        paths.append(str(tmp_path / f"{day}.parquet"))
        pq.write_table(pa.table(rows), paths[-1], row_group_size=40)
    return paths


def test_every_session_is_in_one_shard_with_its_kinds_and_instants(files):
    source = Files.of(files, ITEMS, window=100)
    assert len(source.sizes) == 10
    whole = source.read(range(10))
    wanted = [row for file in files for row in pq.read_table(file).to_pylist() if row["scope"] == "session"]
    found = [
        [ITEMS[item] for item in whole.items[a:b]] for a, b in zip(whole.starts[:-1], whole.starts[1:], strict=True)
    ]
    assert found == [row["item_ids"] for row in wanted]
    assert whole.at_us.tolist() == [at for row in wanted for at in row["at_us_list"]]
    assert set(whole.events.tolist()) == {1}


def test_items_that_the_catalogue_does_not_have_are_left_out(files):
    whole = Files.of(files, ITEMS[:3], window=100).read(range(10))
    assert len(whole) == 200
    assert set(whole.items.tolist()) == {0, 1, 2}


def test_a_window_holds_no_more_than_it_may(files):
    source = Files.of(files, ITEMS, window=300)
    found = list(windows(source, np.random.default_rng(0)))
    assert len(found) > 2
    assert all(sum(source.sizes[shard] for shard in window) <= 300 for window in found)


@pytest.mark.parametrize("recipe", [TwoTower(epochs=2), SequenceModel(epochs=2, dim=16, tokens=64)])
def test_one_window_of_one_shard_learns_what_memory_learns(files, tmp_path, recipe):
    one = str(tmp_path / "one.parquet")
    pq.write_table(pa.concat_tables([pq.read_table(file) for file in files]), one)
    source = Files.of([one], ITEMS, window=10**9)
    catalogue = Catalogue(tuple(ITEMS))
    scorers = [
        recipe.train(each, catalogue, seed=1, run=TrainingRun()) for each in (source, InMemory(source.read([0])))
    ]
    assert (
        scorers[0].item_vectors_ND.tobytes() == scorers[1].item_vectors_ND.tobytes()
        if (recipe.kind == "two_tower")
        else scorers[0].items_ND.tobytes() == scorers[1].items_ND.tobytes()
    )


@pytest.mark.parametrize("recipe", [TwoTower(epochs=3), SequenceModel(epochs=3, dim=16, tokens=64)])
def test_a_fit_on_windows_that_is_killed_goes_on_to_the_same_model(files, tmp_path, recipe):
    source, catalogue = Files.of(files, ITEMS, window=200), Catalogue(tuple(ITEMS))

    def stop(progress):
        if progress.done * 2 > progress.total:
            raise InterruptedError

    often = TrainingRun().settings.model_copy(update={"checkpoint_steps": 3})
    with pytest.raises(InterruptedError):
        recipe.train(source, catalogue, seed=1, run=TrainingRun(often, tmp_path / "kept", stop))
    assert list((tmp_path / "kept").iterdir())
    resumed = recipe.train(source, catalogue, seed=1, run=TrainingRun(often, tmp_path / "kept"))
    whole = recipe.train(source, catalogue, seed=1, run=TrainingRun(often))
    names = [name for name, value in vars(whole).items() if isinstance(value, np.ndarray)]
    assert all(getattr(whole, name).tobytes() == getattr(resumed, name).tobytes() for name in names)
