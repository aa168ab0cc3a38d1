import torch

from endcap.models.training.context import Context
from endcap.models.training.place import place_of
from endcap.models.training.ranks import Ranks
from endcap.models.training.settings import TrainingSettings
from endcap.models.training.table import Table

PLACE = place_of(TrainingSettings(device="cpu"))


def table(num_rows=5, dim=2, *, scale=1.0, by_rows=True, ranks=None, seed=3):
    return Table(num_rows, dim, scale=scale, by_rows=by_rows, context=Context(PLACE, ranks or Ranks(), seed))


def test_only_rows_that_were_read_are_changed():
    found = table()
    before = found.whole().clone()
    found.change([torch.tensor([1, 3])], [torch.tensor([[1.0, 2.0], [3.0, 4.0]])], 0.5)
    changed = (found.whole() != before).any(dim=1)
    assert changed.tolist() == [False, True, False, True, False]


def test_a_change_is_row_wise_adagrad():
    """By hand: the gradient (3, 4) has a mean square of 12.5; the second time the sum is 25."""
    found = table(scale=0.0)
    for wanted in (-0.5 / 12.5**0.5, -0.5 / 12.5**0.5 - 0.5 / 25**0.5):
        found.change([torch.tensor([2])], [torch.tensor([[3.0, 4.0]])], 0.5)
        torch.testing.assert_close(found.whole()[2], wanted * torch.tensor([3.0, 4.0]))


def test_two_parts_of_a_step_are_one_change():
    one, two = table(), table()
    one.change([torch.tensor([0, 1])], [torch.tensor([[1.0, 1.0], [5.0, 5.0]])], 0.1)
    two.change(
        [torch.tensor([0]), torch.tensor([1]), torch.tensor([1])],
        [torch.tensor([[1.0, 1.0]]), torch.tensor([[2.0, 2.0]]), torch.tensor([[3.0, 3.0]])],
        0.1,
    )
    assert torch.equal(one.whole(), two.whole())


def test_a_row_that_was_read_and_not_used_stays_as_it_is():
    found = table()
    before = found.whole().clone()
    found.change([torch.tensor([4])], [torch.zeros(1, 2)], 0.5)
    assert torch.equal(found.whole(), before)


def test_the_start_of_a_row_does_not_depend_on_who_holds_it():
    whole = table(200_000, 3).whole()
    parts = [table(200_000, 3, ranks=Ranks(rank, 3)).weight_ND for rank in range(3)]
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(table(200_000, 3, seed=4).whole(), whole)


def test_more_ranks_than_rows_leave_some_with_nothing():
    assert [len(table(2, ranks=Ranks(rank, 4)).weight_ND) for rank in range(4)] == [1, 1, 0, 0]
