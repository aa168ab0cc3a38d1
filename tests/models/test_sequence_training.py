import numpy as np
import pytest
import torch

from endcap.core.sequences import Queries
from endcap.models.sequence import SequenceModel
from endcap.models.sequence_elements import Elements
from endcap.models.sequence_training import Reader, _scorer_of, _steps_of  # what they promise is checked here

HISTORIES = [[3], [], [0, 1, 2], [4, 4, 1], [1, 2, 3, 4, 0, 1, 2]]


@pytest.fixture
def reader():
    torch.manual_seed(3)
    reader = Reader(SequenceModel(dim=16, heads=4, blocks=3, history=5), 5).eval()
    with torch.no_grad():
        for values in reader.parameters():
            values.add_(torch.randn_like(values), alpha=0.3)
    return reader


def asked():
    queries = Queries.of(HISTORIES)
    rng = np.random.default_rng(1)
    events = rng.integers(4, size=len(queries.items)).astype(np.int8)
    return Queries(queries.starts, queries.items, events, np.cumsum(rng.integers(10**9, size=len(queries.items))))


def test_the_numpy_twin_reads_as_torch_does(reader):
    elements = Elements.of(asked(), 5)
    with torch.no_grad():
        ends = (torch.arange(len(HISTORIES)), torch.from_numpy(elements.lengths_B))
        hidden = reader(elements)
        wanted = hidden[ends] @ reader.items_ND.T + reader.biases_N
        wanted.scatter_add_(1, torch.from_numpy(elements.items_BL), reader.back(hidden)[ends])
    np.testing.assert_allclose(_scorer_of(reader).score(asked()), wanted.numpy(), rtol=2e-5, atol=2e-5)


def test_what_comes_later_changes_nothing_of_what_was_read_before(reader):
    short, long = (Elements.of(Queries.of([history]), 5) for history in ([1, 2], [1, 2, 3, 0]))
    with torch.no_grad():
        assert torch.allclose(reader(short)[0], reader(long)[0, :3], atol=1e-4)


@pytest.mark.parametrize("tokens", [1, 7, 64, 10_000])
def test_every_sequence_is_in_one_step_of_an_epoch_and_no_step_of_several_is_too_large(tokens):
    lengths = np.random.default_rng(2).integers(0, 9, size=200)
    steps = list(_steps_of(lengths, tokens, np.random.default_rng([1, 0])))
    assert sorted(np.concatenate(steps).tolist()) == np.flatnonzero(lengths).tolist()
    assert all(len(rows) == 1 or len(rows) * lengths[rows].max() <= tokens for rows in steps)


def test_one_seed_gives_one_order_and_epochs_differ():
    lengths = np.arange(1, 50)
    orders = [
        [rows.tolist() for rows in _steps_of(lengths, 64, np.random.default_rng([1, epoch]))] for epoch in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]
