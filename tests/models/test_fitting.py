import pytest
from structlog.testing import capture_logs

from endcap.models.blend import Blend
from endcap.models.fitting import fitted
from endcap.models.item_markov import ItemMarkov
from endcap.models.training.settings import TrainingRun, TrainingSettings
from endcap.models.two_tower import TwoTower
from endcap.testing.worlds import planted_catalogue, planted_sequences

SETTINGS = {"two_tower": {"epochs": 2}}


@pytest.mark.parametrize(
    "recipe", [ItemMarkov(), TwoTower(epochs=2), Blend(members=("two_tower", "item_markov"), settings=SETTINGS)]
)
def test_a_recipe_is_fitted_as_by_itself_with_or_without_checkpoints(recipe, tmp_path):
    alone = recipe.fit(planted_sequences(), planted_catalogue(), seed=3)
    run = TrainingRun(TrainingSettings(checkpoint_steps=10), tmp_path / "kept")
    found = fitted(recipe, planted_sequences(), planted_catalogue(), seed=3, run=run)
    for folder, scorer in (("a", alone), ("b", found)):
        (tmp_path / folder).mkdir()
        scorer.save(tmp_path / folder)
    files = [sorted(path for path in (tmp_path / folder).rglob("*") if path.is_file()) for folder in "ab"]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
    is_trained = recipe.kind != "item_markov"
    assert (tmp_path / "kept").exists() == is_trained


def test_the_members_of_a_blend_keep_checkpoints_of_their_own_and_are_trained_as_the_run_says(tmp_path):
    told = []
    run = TrainingRun(TrainingSettings(checkpoint_steps=10), tmp_path, told.append)
    recipe = Blend(members=("two_tower", "item_markov"), settings=SETTINGS)
    fitted(recipe, planted_sequences(), planted_catalogue(), seed=3, run=run)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trial-two_tower", "two_tower"]
    assert len({progress.total for progress in told}) == 2


def test_ranks_that_a_recipe_does_not_share_are_said_not_to_be_used():
    class Alone:
        kind, reads_windows = "alone", True

        def fit(self, sequences, catalogue, *, seed):
            raise NotImplementedError

        def train(self, _source, _catalogue, *, seed, run):
            return seed, run.settings.ranks

    with capture_logs() as logs:
        found = fitted(
            Alone(), planted_sequences(), planted_catalogue(), seed=3, run=TrainingRun(TrainingSettings(ranks=2))
        )
    assert found == (3, 2)
    assert [(each["event"], each["algorithm"]) for each in logs] == [("ranks.not_used", "alone")]


@pytest.mark.slow
def test_the_members_of_a_blend_are_shared_by_ranks():
    recipe = Blend(members=("two_tower", "item_markov"), settings=SETTINGS)
    settings = TrainingSettings(device="cpu")
    found = [
        fitted(
            recipe, planted_sequences(), planted_catalogue(), seed=3, run=TrainingRun(settings.model_copy(update=how))
        )
        for how in ({"ranks": 2}, {"parts": 2})
    ]
    vectors = [each.members["two_tower"].item_vectors_ND.tobytes() for each in found]
    assert vectors[0] == vectors[1]
    assert found[0].weights_M.tolist() == found[1].weights_M.tolist()
