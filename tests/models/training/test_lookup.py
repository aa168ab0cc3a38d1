from dataclasses import dataclass, field
from itertools import count, pairwise
from threading import Condition, Thread

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from endcap.models.training.context import Context
from endcap.models.training.lookup import Lookup, Reading, change
from endcap.models.training.loop import train
from endcap.models.training.place import place_of
from endcap.models.training.ranks import Message, Ranks
from endcap.models.training.settings import TrainingRun, TrainingSettings
from endcap.models.training.table import Table

PLACE = place_of(TrainingSettings(device="cpu"))
WIDTHS = (3, 1)


class Post:
    """What the ranks of a test, which are threads, have sent each other."""

    def __init__(self):
        self.condition, self.sent = Condition(), {}

    def put(self, key, value):
        with self.condition:
            self.sent[key] = value
            self.condition.notify_all()

    def get(self, key):
        with self.condition:
            assert self.condition.wait_for(lambda: key in self.sent, timeout=20), f"nobody has sent {key}"
            return self.sent[key]


@dataclass(frozen=True)
class InThreads(Ranks):
    """A rank that is a thread; what is sent to it comes when it waits for it, and not before."""

    post: Post = field(default_factory=Post)
    log: list = field(default_factory=list)
    numbers: count = field(default_factory=count)

    def send(self, values, counts_R=None, received_R=None):
        what = "counts" if received_R is None else "numbers" if values.dtype == torch.int64 else "values"
        self.log.append(f"send {what}")
        number = next(self.numbers)
        self.post.put((self.rank, number), torch.split(values.clone(), counts_R or [1] * self.size))
        came = torch.empty(
            (self.size if received_R is None else sum(received_R), *values.shape[1:]), dtype=values.dtype
        )
        return Message(came, Coming(self, number, what, came))

    def add_up(self, gradients):
        self.log.append("add up")
        number = next(self.numbers)
        self.post.put((self.rank, number), [each.clone() for each in gradients])
        for place, each in enumerate(gradients):
            each.copy_(sum(self.post.get((rank, number))[place] for rank in range(self.size)))


@dataclass
class Coming:
    ranks: InThreads
    number: int
    what: str
    came: torch.Tensor

    def wait(self):
        self.ranks.log.append(f"wait {self.what}")
        parts = [self.ranks.post.get((rank, self.number))[self.ranks.rank] for rank in range(self.ranks.size)]
        self.came.copy_(torch.cat(parts))


def together(size, work):
    """Let so many ranks do some work; return what each one does."""
    post, results = Post(), [None] * size

    def rank_of(rank):
        results[rank] = work(InThreads(rank, size, post))

    threads = [Thread(target=rank_of, args=(rank,)) for rank in range(size)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return results


@dataclass(frozen=True)
class Numbers:
    numbers: np.ndarray
    more: np.ndarray | None = None


def tables(num_rows, ranks, *, by_rows=True):
    context = Context(PLACE, ranks, 3)
    return tuple(Table(num_rows, width, scale=1.0, by_rows=by_rows, context=context) for width in WIDTHS)


def step(found, parts):
    """Learn from some parts; return what was read of each."""
    readings = [Reading({"numbers": found}, Numbers(np.array(numbers, np.int64)), PLACE) for numbers in parts.values()]
    read = []
    for each, number in zip(readings, parts, strict=True):
        rows = each.rows()["numbers"]
        read.append([one.detach().clone() for one in rows])
        rng = np.random.default_rng(number)
        weights = [torch.from_numpy(rng.normal(size=one.shape).astype(np.float32)) for one in rows]
        sum((one * weight).sum() for one, weight in zip(rows, weights, strict=True)).backward()
    for each in readings:
        each.lookups["numbers"].give_back()
    change(readings, 0.1)
    return read


@given(
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(1, 2).flatmap(lambda each: st.lists(st.sets(st.integers(0, 8)), min_size=each * 5, max_size=each * 5)),
)
def test_ranks_read_what_one_reads_and_change_what_one_changes(num_rows, size, asked):
    """One part a rank or several; more ranks than rows, ranks that ask for nothing, rows that all ask for."""
    num_parts = size * (len(asked) // 5)
    parts = dict(enumerate(sorted(each for each in numbers if each < num_rows) for numbers in asked[:num_parts]))
    alone = tables(num_rows, Ranks())
    read_alone = step(alone, parts)

    def work(ranks):
        found = tables(num_rows, ranks)
        return found, step(found, {part: parts[part] for part in ranks.own(num_parts)})

    results = together(size, work)
    for rank, (_, read) in enumerate(results):
        for part, rows in zip(Ranks(rank, size).own(num_parts), read, strict=True):
            assert all(map(torch.equal, rows, read_alone[part]))
    for number in range(len(WIDTHS)):
        blocks = torch.cat([found[number].weight_ND for found, _ in results])
        torch.testing.assert_close(blocks, alone[number].whole())


def fit_line(line, ranks, **settings):
    task = line(ranks=ranks, dropout=0.0, validated=[0.0, 1e6, 1e6])
    train(task, TrainingRun(TrainingSettings(device="cpu", **settings)), task.context, of="")
    return task


@pytest.mark.parametrize("settings", [{}, {"patience": 1}])
def test_two_ranks_learn_what_one_learns_in_two_parts_to_the_byte(line, settings):
    """Rows that were fetched before they are changed, or after the wrong step, would be other rows."""
    alone = fit_line(line, Ranks(), parts=2, **settings)
    results = together(2, lambda ranks: fit_line(line, ranks, **settings))
    assert torch.equal(torch.cat([task.module.table.weight_ND for task in results]), alone.module.table.weight_ND)
    for task in results:
        for one, other in zip(task.module.line.parameters(), alone.module.line.parameters(), strict=True):
            assert torch.equal(one, other)


def test_what_the_next_step_reads_is_asked_for_before_this_one_is_computed(line):
    """So a rank waits twice a step: for gradients, once they are sent, and for rows, once they are changed."""

    def work(ranks):
        loss = line.loss

        class Logged(line):
            def loss(self, batch, rows):
                ranks.log.append("loss")
                return loss(self, batch, rows)

        fit_line(Logged, ranks)
        return ranks.log

    for log in together(2, work):
        begins = [place for place, said in enumerate(log) if said == "loss"]
        steps = [log[begin + 1 : end] for begin, end in pairwise(begins)]
        assert len(steps) == 29
        own = ["wait counts", "send numbers", "send values", "add up", "wait values", "wait numbers", "send values"]
        assert steps[:-1] == [[*own, "send counts", "wait values"]] * 28
        assert steps[-1] == [*own, "wait values"]  # nothing follows the last step


def test_an_error_in_making_a_step_comes_once_the_step_before_is_learned(line):
    def work(ranks):
        class Broken(line):
            def steps(self, done, parts, num_parts):
                for each in super().steps(done, parts, num_parts):
                    if each.begin == 20:
                        raise OSError("the shard is damaged")
                    yield each

        with pytest.raises(OSError, match="damaged"):
            fit_line(Broken, ranks)
        return ranks.log

    assert [log.count("add up") for log in together(2, work)] == [5, 5]


def test_a_small_table_is_a_parameter_like_any_other():
    (found, biases) = tables(5, Ranks(), by_rows=False)
    rows, _ = Lookup((found, biases), np.array([[1, 1], [0, 2]]), PLACE).read()
    rows.sum().backward()
    assert found.weight_ND.grad[:, 0].tolist() == [1, 2, 1, 0, 0]
    assert np.array_equal(found.whole().numpy(), found.weight_ND.detach().numpy())


def test_rows_that_the_loss_did_not_use_have_a_gradient_of_zero():
    found = Lookup(tables(5, Ranks()), np.array([1, 3]), PLACE)
    (rows, _) = found.read()
    rows.sum().backward()
    assert [each.tolist() for each in found.gradients()] == [[[1, 1, 1]] * 2, [[0]] * 2]


@pytest.mark.parametrize("by_rows", [True, False])
def test_nothing_flows_where_nothing_is_learned(by_rows):
    with torch.no_grad():
        rows = Lookup(tables(5, Ranks(), by_rows=by_rows), np.array([1]), PLACE).read()
    assert not any(each.requires_grad for each in rows)


def test_a_table_that_two_fields_read_is_changed_once():
    (one, _), (two, _) = tables(5, Ranks()), tables(5, Ranks())
    readings = [
        Reading({"numbers": (one,), "more": (one,)}, Numbers(np.array([1, 2]), np.array([2, 4])), PLACE),
        Reading({"numbers": (two,)}, Numbers(np.array([1, 2, 4])), PLACE),
    ]
    for each, weights in zip(readings, (1.0, torch.tensor([[1.0], [2.0], [1.0]])), strict=True):
        sum((rows * weights).sum() for (rows,) in each.rows().values()).backward()
        change([each], 0.1)
    assert torch.equal(one.whole(), two.whole())


def test_tables_that_are_changed_as_a_whole_are_left_to_their_optimiser():
    found = tables(5, Ranks(), by_rows=False)
    before = [each.whole().clone() for each in found]
    step(found, {0: [1, 2]})
    assert all(torch.equal(one, each.whole()) for one, each in zip(before, found, strict=True))


def test_tables_that_cannot_be_read_together_are_refused():
    (long, _), (short, _) = tables(5, Ranks()), tables(4, Ranks())
    (dense, _) = tables(5, Ranks(), by_rows=False)
    for other in (short, dense):
        with pytest.raises(AssertionError, match="have one length and learn alike"):
            Lookup((long, other), np.array([1]), PLACE)
