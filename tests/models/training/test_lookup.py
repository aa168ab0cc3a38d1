from dataclasses import dataclass
from threading import Barrier, Thread

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from endcap.models.training.context import Context
from endcap.models.training.lookup import Lookup, Reading, change, give_back
from endcap.models.training.place import place_of
from endcap.models.training.ranks import Message, Ranks
from endcap.models.training.settings import TrainingSettings
from endcap.models.training.table import Table

PLACE = place_of(TrainingSettings(device="cpu"))
WIDTHS = (3, 1)


class There:
    def wait(self):
        pass


@dataclass(frozen=True)
class InThreads(Ranks):
    """A rank that is a thread of this process: what ranks send lies on one table (of which torch knows nothing)."""

    meeting: Barrier | None = None
    sent: tuple = ()

    def _all(self, mine):
        self.sent[self.rank] = mine
        self.meeting.wait()
        found = list(self.sent)
        self.meeting.wait()
        return found

    def send(self, values, counts_R=None, received_R=None):
        parts = torch.split(values, counts_R or [len(values) // self.size] * self.size)
        came = torch.cat([each[self.rank] for each in self._all(parts)])
        assert received_R is None or len(came) == sum(received_R)
        return Message(came, There())

    def add_up(self, values):
        values.copy_(torch.stack(self._all(values.clone())).sum(dim=0))


def tables(num_rows, ranks, *, by_rows=True):
    context = Context(PLACE, ranks, 3)
    return tuple(Table(num_rows, width, scale=1.0, by_rows=by_rows, context=context) for width in WIDTHS)


def gradients_of(num, number):
    rng = np.random.default_rng(number)
    return [torch.from_numpy(rng.normal(size=(num, width)).astype(np.float32)) for width in WIDTHS]


def step(found, ranks, parts):
    """Read the rows of some parts, learn from them, and return what was read and the sum of a number of each part."""
    whole = torch.zeros(2)
    readings, read = [], []
    for number, numbers in parts.items():
        readings.append(Reading({"numbers": found}, {"numbers": torch.tensor(numbers, dtype=torch.int64)}))
        rows = readings[-1].rows()["numbers"]
        read.append([each.detach().clone() for each in rows])
        weights = gradients_of(len(numbers), number)
        sum((each * weight).sum() for each, weight in zip(rows, weights, strict=True)).backward()
        whole += torch.tensor([1.0, 10.0**number])
    give_back([each.lookups["numbers"] for each in readings], [whole[:1], whole[1:]], ranks)
    change(readings, 0.1)
    return read, whole.tolist()


def step_of(found, ranks, parts):
    return found, *step(found, ranks, {ranks.rank: parts[ranks.rank]})


def together(size, work):
    """Let so many ranks do some work; return what each one does."""
    meeting, sent, results = Barrier(size, timeout=10), [None] * size, [None] * size

    def rank_of(rank):
        results[rank] = work(InThreads(rank, size, meeting, sent))

    threads = [Thread(target=rank_of, args=(rank,)) for rank in range(size)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return results


@given(
    st.integers(1, 9),
    st.integers(1, 6).flatmap(lambda size: st.lists(st.sets(st.integers(0, 8)), min_size=size, max_size=size)),
)
def test_ranks_read_what_one_reads_and_change_what_one_changes(num_rows, asked):
    """More ranks than rows, ranks that ask for nothing, rows that all ask for; few ranks, and many (in a ring)."""
    size, parts = len(asked), [sorted(each for each in numbers if each < num_rows) for numbers in asked]
    alone = tables(num_rows, Ranks())
    read_alone, whole_alone = step(alone, Ranks(), dict(enumerate(parts)))
    results = together(size, lambda ranks: step_of(tables(num_rows, ranks), ranks, parts))
    for rank, (_, read, whole) in enumerate(results):
        assert all(map(torch.equal, read[0], read_alone[rank]))
        assert whole == whole_alone
    for number in range(len(WIDTHS)):
        blocks = torch.cat([found[number].weight_ND for found, _, _ in results])
        torch.testing.assert_close(blocks, alone[number].whole())


def test_a_small_table_is_a_parameter_like_any_other():
    (found, biases) = tables(5, Ranks(), by_rows=False)
    rows, _ = Lookup((found, biases), torch.tensor([[1, 1], [0, 2]])).read()
    rows.sum().backward()
    assert found.weight_ND.grad[:, 0].tolist() == [1, 2, 1, 0, 0]
    assert np.array_equal(found.whole().numpy(), found.weight_ND.detach().numpy())


def test_rows_that_the_loss_did_not_use_have_a_gradient_of_zero():
    found = Lookup(tables(5, Ranks()), torch.tensor([1, 3]))
    (rows, _) = found.read()
    rows.sum().backward()
    assert [each.tolist() for each in found.gradients()] == [[[1, 1, 1]] * 2, [[0]] * 2]


@pytest.mark.parametrize("by_rows", [True, False])
def test_nothing_flows_where_nothing_is_learned(by_rows):
    with torch.no_grad():
        rows = Lookup(tables(5, Ranks(), by_rows=by_rows), torch.tensor([1])).read()
    assert not any(each.requires_grad for each in rows)


@pytest.mark.parametrize("size", [2, 6])
def test_ranks_without_a_table_to_share_add_up_all_the_same(size):
    def work(ranks):
        return step(tables(5, ranks, by_rows=False), ranks, {ranks.rank: [1, 2]})

    assert [whole for _, whole in together(size, work)] == [[size, sum(10.0**number for number in range(size))]] * size


def test_a_table_that_two_lookups_read_is_changed_once():
    (one, _), (two, _) = tables(5, Ranks()), tables(5, Ranks())
    readings = [
        Reading({"a": (one,), "b": (one,)}, {"a": torch.tensor([1, 2]), "b": torch.tensor([2, 4])}),
        Reading({"a": (two,)}, {"a": torch.tensor([1, 2, 4])}),
    ]
    for each, weights in zip(readings, (1.0, torch.tensor([[1.0], [2.0], [1.0]])), strict=True):
        sum((rows * weights).sum() for (rows,) in each.rows().values()).backward()
        change([each], 0.1)
    assert torch.equal(one.whole(), two.whole())


def test_tables_that_are_changed_as_a_whole_are_left_to_their_optimiser():
    found = tables(5, Ranks(), by_rows=False)
    before = [each.whole().clone() for each in found]
    step(found, Ranks(), {0: [1, 2]})
    assert all(torch.equal(one, each.whole()) for one, each in zip(before, found, strict=True))
