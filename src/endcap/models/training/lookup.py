"""The rows of tables that a batch reads: they come before its loss, and their gradients go back after it.

Shapes: U rows of a lookup, W rows that this rank reads for all of them, D columns, R ranks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from endcap.core.sequences import Int64
from endcap.models.training.place import Place
from endcap.models.training.ranks import Message
from endcap.models.training.table import Table

__all__ = ["Lookup", "Reading", "Rows", "change"]

Rows = Mapping[str, tuple[Tensor, ...]]
"""What a batch has read: by the name of its field of row numbers, the rows of each table, U x D."""


class Lookup:
    """The rows of some tables at the same numbers.

    Of a table that ranks share out, each message waits for the one before: how many rows each rank wants of each, which
    ones, the rows, and later their gradients. The first two are known from a batch alone, so they can be under way
    while the step before is computed (`ask`, `say_which`); rows as soon as that step has changed them (`fetch`). Tables
    that are read together travel together.

    Args:
        tables: Tables of one length; all of them are changed by rows, or none.
        numbers_U: Row numbers; where tables are changed by rows, different ones in ascending order.
        place: Where the tables are.
    """

    def __init__(self, tables: Sequence[Table], numbers_U: Int64, place: Place) -> None:
        kinds = {(table.num_rows, table.by_rows) for table in tables}
        assert len(kinds) == 1, f"tables that are read together have one length and learn alike: {sorted(kinds)}"
        self.tables, self.ranks, self.by_rows = tables, tables[0].ranks, tables[0].by_rows
        self.numbers_U = place.tensor(numbers_U)
        self.own_W = self.numbers_U
        self._is_shared = self.by_rows and self.ranks.size > 1
        self._counts_R: list[int] = []
        if self._is_shared:  # counted before the numbers are on a device, which would have to be waited for
            self._counts_R = np.bincount(numbers_U // tables[0].block, minlength=self.ranks.size).tolist()
        self._received_R: list[int] = []
        self._found: list[Tensor] = []
        self._is_asked = False
        self._counts: Message | None = None
        self._numbers: Message | None = None
        self._rows: Message | None = None
        self._gradients: Message | None = None

    def ask(self) -> None:
        """Start to tell each rank how many of its rows are wanted."""
        if self._is_shared and not self._is_asked:
            self._is_asked = True
            self._counts = self.ranks.send(torch.tensor(self._counts_R, device=self.numbers_U.device))

    def say_which(self) -> None:
        """Start to tell each rank which of its rows are wanted."""
        self.ask()
        if self._counts is not None:
            self._received_R, self._counts = self._counts.wait().tolist(), None
            self._numbers = self.ranks.send(self.numbers_U, self._counts_R, self._received_R)

    def fetch(self) -> None:
        """Start to send each rank the rows that it wants, as they are now."""
        self.say_which()
        if self._numbers is not None:
            self.own_W, self._numbers = self._numbers.wait() - self.tables[0].first, None
            own = torch.cat([table.weight_ND[self.own_W] for table in self.tables], 1)
            self._rows = self.ranks.send(own, self._received_R, self._counts_R)

    def read(self) -> tuple[Tensor, ...]:
        """Return the rows of each table, U x D, through which gradients flow; all ranks have to be here."""
        if not self.by_rows:
            return tuple(functional.embedding(self.numbers_U, table.weight_ND) for table in self.tables)
        self.fetch()
        if self._rows is not None:
            found, self._rows = self._split(self._rows.wait()), None
        else:
            found = [table.weight_ND[self.numbers_U] for table in self.tables]
        if torch.is_grad_enabled():
            self._found = [each.requires_grad_() for each in found]
        return tuple(found)

    def give_back(self) -> None:
        """Start to send the gradients to whoever holds their rows."""
        if self._is_shared:
            gradients = torch.cat([_gradient(each) for each in self._found], 1)
            self._gradients = self.ranks.send(gradients, self._counts_R, self._received_R)

    def gradients(self) -> list[Tensor]:
        """Return the gradients of the rows that this rank has read, W x D, of each table; after `give_back`."""
        if self._gradients is not None:
            return self._split(self._gradients.wait())
        return [_gradient(each) for each in self._found]

    def _split(self, together: Tensor) -> list[Tensor]:
        # as they lie on one rank: products of rows that lie otherwise may differ in the last bit
        parts = torch.split(together, [table.weight_ND.shape[1] for table in self.tables], dim=1)
        return [each.contiguous() for each in parts]


class Reading:
    """A batch and its lookups. On its device are the numbers that it reads; the rest comes when it is learned from.

    Args:
        tables: What is read, by the name of the batch's field of row numbers.
        batch: A dataclass of arrays.
        place: Where it is computed.
    """

    def __init__(self, tables: Mapping[str, Sequence[Table]], batch: Any, place: Place) -> None:
        self._batch, self._place = batch, place
        self.lookups = {name: Lookup(each, getattr(batch, name), place) for name, each in tables.items()}

    def batch(self) -> dict[str, Any]:
        """Return the batch's fields, its arrays as tensors."""
        return self._place.tensors(self._batch)

    def rows(self) -> Rows:
        """Return the rows that the batch reads; all ranks have to be here."""
        return {name: each.read() for name, each in self.lookups.items()}


def change(readings: Sequence[Reading], learning_rate: float) -> None:
    """Change the tables that are changed by rows by what was read of them in a step, whose gradients are there.

    Args:
        readings: Of the step, in order of their parts.
        learning_rate: Step size of the rows.
    """
    found: dict[Table, list[tuple[Tensor, Tensor]]] = {}
    for lookup in (each for reading in readings for each in reading.lookups.values()):
        if lookup.by_rows:
            for table, gradient in zip(lookup.tables, lookup.gradients(), strict=True):
                found.setdefault(table, []).append((lookup.own_W, gradient))
    for table, parts in found.items():
        numbers, gradients = zip(*parts, strict=True)
        table.change(numbers, gradients, learning_rate)


def _gradient(found: Tensor) -> Tensor:
    return found.grad if found.grad is not None else torch.zeros_like(found)
