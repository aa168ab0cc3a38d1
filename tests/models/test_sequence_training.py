import numpy as np
import pytest
import torch

from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.models.sequence import SequenceModel
from endcap.models.sequence_elements import Elements
from endcap.models.sequence_scorer import rotations
from endcap.models.sequence_training import Reader, scorer_of
from endcap.models.training.context import Context
from endcap.models.training.place import place_of
from endcap.models.training.ranks import Ranks
from endcap.models.training.settings import TrainingSettings

HISTORIES = [[3], [], [0, 1, 2], [4, 4, 1], [1, 2, 3, 4, 0, 1, 2]]


@pytest.fixture
def reader():
    torch.manual_seed(3)
    context = Context(place_of(TrainingSettings(device="cpu")), Ranks(), 3)
    reader = Reader(SequenceModel(dim=16, heads=4, blocks=3, history=5), 5, context).eval()
    with torch.no_grad():
        for values in reader.parameters():
            values.add_(torch.randn_like(values), alpha=0.3)
    return reader


def asked():
    queries = Queries.of(HISTORIES)
    rng = np.random.default_rng(1)
    events = rng.integers(4, size=len(queries.items)).astype(np.int8)
    return Queries(queries.starts, queries.items, events, np.cumsum(rng.integers(10**9, size=len(queries.items))))


def read_by(reader, elements):
    cosines, sines = rotations(elements.items_BL.shape[1] + 1, 4)
    names = {"at_BL": elements.items_BL, "events_BL": elements.events_BL, "gaps_BL": elements.gaps_BL}
    batch = {name: torch.from_numpy(each) for name, each in {**names, "cosines_LK": cosines, "sines_LK": sines}.items()}
    return reader(reader.items_ND.whole(), batch)


def test_the_numpy_twin_reads_as_torch_does(reader):
    elements = Elements.of(asked(), 5)
    with torch.no_grad():
        ends = (torch.arange(len(HISTORIES)), torch.from_numpy(elements.lengths_B))
        hidden = read_by(reader, elements)
        wanted = hidden[ends] @ reader.items_ND.whole().T + reader.biases_N.whole()[:, 0]
        is_read = torch.arange(elements.items_BL.shape[1]) < ends[1].unsqueeze(1)
        wanted.scatter_add_(1, torch.from_numpy(elements.items_BL), reader.back(hidden)[ends] * is_read)
    np.testing.assert_allclose(scorer_of(reader).score(asked()), wanted.numpy(), rtol=2e-5, atol=2e-5)


def test_what_comes_later_changes_nothing_of_what_was_read_before(reader):
    short, long = (Elements.of(Queries.of([history]), 5) for history in ([1, 2], [1, 2, 3, 0]))
    with torch.no_grad():
        assert torch.allclose(read_by(reader, short)[0], read_by(reader, long)[0, :3], atol=1e-4)


@pytest.mark.parametrize("num_negatives", [4, 64])
def test_drawn_or_whole_the_softmax_learns_how_often_items_follow(num_negatives):
    """Item 0 follows 1 in three of four sequences, item 2 in the others; drawn, 24 items are more than 4 x 4."""
    walks = np.array([[1, 0]] * 300 + [[1, 2]] * 100 + [[5, 3]] * 100, np.int32)
    sequences = Sequences(np.arange(0, 1001, 2), walks.ravel(), np.arange(1000), np.arange(500))
    items = Catalogue(tuple(f"{item:02}" for item in range(24)))
    recipe = SequenceModel(
        num_negatives=num_negatives, epochs=20, dim=16, blocks=1, tokens=64, dropout=0, item_dropout=0, event_dropout=0
    )
    scores = recipe.fit(sequences, items, seed=0).score(Queries.of([[1]])).astype(np.float64)[0]
    chances = np.exp(scores) / np.exp(scores).sum()
    assert chances[[0, 2]] == pytest.approx([0.75, 0.25], abs=0.1)
