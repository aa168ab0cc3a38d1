"""The rows of tables that a batch reads: they come before its loss, and their gradients go back after it.

Shapes: U rows of a lookup, W rows that this rank reads for all of them, D columns, R ranks.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from endcap.models.training.ranks import Message, Ranks
from endcap.models.training.table import Table

__all__ = ["Lookup", "Reading", "Rows", "change", "give_back"]

_FEW = 4
"""So many ranks send each other all they have, in one message, as waiting takes longer than sending; more of them add
up in a ring, where a number is sent twice however many they are."""

Rows = Mapping[str, tuple[Tensor, ...]]
"""What a batch has read: by the name of its field of row numbers, the rows of each table, U x D."""


class Lookup:
    """The rows of some tables at the same numbers.

    Of a table that ranks share out, each message waits for the one before: how many rows each rank wants of each, which
    ones, the rows, and later their gradients. The first two are known from a batch alone, so they can be under way
    while the step before is computed (`ask`, `tell`); rows as soon as that step has changed them (`fetch`). Tables that
    are read together travel together.

    Args:
        tables: Tables of one length; all of them are changed by rows, or none.
        numbers_U: Row numbers; where tables are changed by rows, different ones in ascending order.
    """

    def __init__(self, tables: Sequence[Table], numbers_U: Tensor) -> None:
        self.tables, self.numbers_U = tables, numbers_U
        self.ranks, self.by_rows = tables[0].ranks, tables[0].by_rows
        self.own_W, self.received_R = numbers_U, [len(numbers_U)]
        self.is_shared = self.by_rows and self.ranks.size > 1
        self._counts_R: list[int] = []
        self._counts: Message | None = None
        self._numbers: Message | None = None
        self._rows: Message | None = None
        self._gradients: Tensor | None = None
        self._found: list[Tensor] = []
        self._width = sum(table.weight_ND.shape[1] for table in tables)

    def ask(self) -> None:
        """Start to tell each rank how many of its rows are wanted."""
        if self.is_shared and self._counts is None:
            sent_R = torch.bincount(self.numbers_U // self.tables[0].block, minlength=self.ranks.size)
            self._counts_R = sent_R.tolist()
            self._counts = self.ranks.send(sent_R)

    def tell(self) -> None:
        """Start to tell each rank which of its rows are wanted."""
        self.ask()
        if self._counts is not None and self._numbers is None:
            self.received_R = self._counts.wait().tolist()
            self._numbers = self.ranks.send(self.numbers_U, self._counts_R, self.received_R)

    def fetch(self) -> None:
        """Start to send each rank the rows that it wants, as they are now."""
        self.tell()
        if self._numbers is not None and self._rows is None:
            self.own_W = self._numbers.wait() - self.tables[0].first
            own = torch.cat([table.weight_ND[self.own_W] for table in self.tables], 1)
            self._rows = self.ranks.send(own, self.received_R, self._counts_R)

    def read(self) -> tuple[Tensor, ...]:
        """Return the rows of each table, U x D, through which gradients flow; all ranks have to be here."""
        if not self.by_rows:
            return tuple(functional.embedding(self.numbers_U, table.weight_ND) for table in self.tables)
        self.fetch()
        if self._rows is not None:
            found = self._split(self._rows.wait())
        else:
            found = [table.weight_ND[self.numbers_U] for table in self.tables]
        if torch.is_grad_enabled():
            self._found = [each.requires_grad_() for each in found]
        return tuple(found)

    def num_of(self, rank: int) -> int:
        """Return how many numbers a rank sends as gradients of the rows that it has asked for."""
        return self.received_R[rank] * self._width

    def asked_gradients(self) -> list[Tensor]:
        """Return the gradients of the rows that were asked of each rank, each n x D of all tables side by side."""
        gradients = torch.cat([_gradient(each) for each in self._found], 1)
        return list(torch.split(gradients, self._counts_R))

    def take(self, gradients_R: Sequence[Tensor]) -> None:
        """Take in the gradients of the rows that each rank has asked for, as they lie in its message."""
        self._gradients = torch.cat(list(gradients_R)).view(-1, self._width)

    def gradients(self) -> list[Tensor]:
        """Return the gradients of the rows that this rank has read, W x D, of each table; after `give_back`."""
        if self._gradients is not None:
            return self._split(self._gradients)
        return [_gradient(each) for each in self._found]

    def _split(self, together: Tensor) -> list[Tensor]:
        # as they lie on one rank: products of rows that lie otherwise may differ in the last bit
        parts = torch.split(together, [table.weight_ND.shape[1] for table in self.tables], dim=1)
        return [each.contiguous() for each in parts]


class Reading:
    """A batch and its lookups.

    Args:
        tables: What is read, by the name of the batch's field of row numbers.
        batch: Its tensors.
    """

    def __init__(self, tables: Mapping[str, Sequence[Table]], batch: Mapping[str, Any]) -> None:
        self.batch = batch
        self.lookups = {name: Lookup(each, batch[name]) for name, each in tables.items()}

    def rows(self) -> Rows:
        """Return the rows that the batch reads; all ranks have to be here."""
        return {name: each.read() for name, each in self.lookups.items()}


def give_back(lookups: Sequence[Lookup], whole: Sequence[Tensor], ranks: Ranks) -> None:
    """Send the gradients of rows to whoever holds these, and add up the others over the ranks, in place.

    Args:
        lookups: Of a step, in the same order on all ranks.
        whole: What every rank has a part of: gradients of parameters, the loss.
        ranks: Who trains.
    """
    if ranks.size == 1:
        return
    shared = [each for each in lookups if each.is_shared]
    flat = torch.cat([each.reshape(-1) for each in whole])
    beside = [flat] if ranks.size <= _FEW else []
    asked = [each.asked_gradients() for each in shared]
    if shared or beside:
        came_R = ranks.exchange(
            [[*(each[rank] for each in asked), *beside] for rank in range(ranks.size)],
            [[*(each.num_of(rank) for each in shared), *map(len, beside)] for rank in range(ranks.size)],
        )
        for number, each in enumerate(shared):
            each.take([came[number] for came in came_R])
    if beside:
        # one after the other, as one process adds up the parts of a step
        flat = reduce(torch.add, [came[-1] for came in came_R])
    else:
        ranks.add_up(flat)
    for one, summed in zip(whole, torch.split(flat, [each.numel() for each in whole]), strict=True):
        one.copy_(summed.view_as(one))


def change(readings: Sequence[Reading], learning_rate: float) -> None:
    """Change the tables that are changed by rows by what was read of them in a step, whose gradients are there.

    Args:
        readings: Of the step, in order of their parts.
        learning_rate: Step size of the rows.
    """
    read: dict[Table, list[tuple[Tensor, Tensor]]] = {}
    for lookup in (each for reading in readings for each in reading.lookups.values()):
        if lookup.by_rows:
            for table, gradient in zip(lookup.tables, lookup.gradients(), strict=True):
                read.setdefault(table, []).append((lookup.own_W, gradient))
    for table, found in read.items():
        numbers, gradients = zip(*found, strict=True)
        table.change(numbers, gradients, learning_rate)


def _gradient(found: Tensor) -> Tensor:
    return found.grad if found.grad is not None else torch.zeros_like(found)
