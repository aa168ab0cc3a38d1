"""Tables of vectors of which a step reads few rows, and changes those alone.

Shapes: N rows, D columns, R ranks.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from endcap.core.sampling import mix
from endcap.models.training.context import Context

__all__ = ["Table"]

_EPSILON = 1e-8
_CHUNK = 65_536
"""Rows that are drawn under one seed: whoever holds some of them draws only these, and all draw the same."""


class Table(torch.nn.Module):
    """N vectors. A small table is an ordinary parameter; a large one is changed by rows.

    By rows: only what a step has read is changed, by row-wise Adagrad, which keeps one number a row (Duchi, Hazan and
    Singer 2011; Naumov et al. 2019 for rows); an optimiser that touches every row each step spends its time on rows
    that nobody asked for. Ranks share such a table out: rank r holds the r-th block of ceil(N / R) rows, and rows and
    gradients travel to and from whoever holds them (`lookup.Lookup`).

    Args:
        num_rows: N.
        dim: D.
        scale: Standard deviation at the start; 0 starts with zeros.
        by_rows: Whether it is a large one.
        context: The start depends on its seed, and not on the number of ranks.
    """

    def __init__(self, num_rows: int, dim: int, *, scale: float, by_rows: bool, context: Context) -> None:
        super().__init__()
        ranks, device = context.ranks, context.place.device
        self.num_rows, self.by_rows, self.ranks = num_rows, by_rows, ranks
        self.block = -(-num_rows // ranks.size) if by_rows else num_rows
        self.first = min(num_rows, ranks.rank * self.block) if by_rows else 0
        last = min(num_rows, self.first + self.block)
        drawn_ND = _normal_rows(self.first, last, num_rows, dim, scale=scale, seed=context.seed)
        self.weight_ND = torch.nn.Parameter(drawn_ND.to(device), requires_grad=not by_rows)
        self.squares_N: Tensor | None
        self.register_buffer("squares_N", torch.zeros(last - self.first, device=device) if by_rows else None)

    @torch.no_grad()
    def change(self, numbers: Sequence[Tensor], gradients: Sequence[Tensor], learning_rate: float) -> None:
        """Change rows by their gradients, those of one row added up.

        Args:
            numbers: Of each part of a step, numbers of rows within what this rank holds.
            gradients: Of each part, those of these rows.
            learning_rate: Step size.
        """
        if len(numbers) == 1 and self.ranks.size == 1:
            rows, gradient = numbers[0], gradients[0]
        else:
            rows, at = torch.unique(torch.cat(list(numbers)), return_inverse=True)
            gradient = gradients[0].new_zeros(len(rows), gradients[0].shape[1])
            gradient.index_add_(0, at, torch.cat(list(gradients)))
        assert self.squares_N is not None, "only a table that is changed by rows has their squares"
        squares = self.squares_N[rows] + gradient.square().mean(dim=1)
        self.squares_N[rows] = squares
        # rows that are read but never learned from have squares of zero, and a gradient of zero
        self.weight_ND[rows] -= gradient * (learning_rate / (squares.sqrt() + _EPSILON)).unsqueeze(1)

    @torch.no_grad()
    def whole(self) -> Tensor:
        """Return all N rows, on every rank."""
        if not self.by_rows or self.ranks.size == 1:
            return self.weight_ND.detach()
        padded = self.weight_ND.new_zeros(self.block, self.weight_ND.shape[1])
        padded[: len(self.weight_ND)] = self.weight_ND
        blocks = [torch.empty_like(padded) for _ in range(self.ranks.size)]
        torch.distributed.all_gather(blocks, padded)
        return torch.cat(blocks)[: self.num_rows]


def _normal_rows(first: int, last: int, num_rows: int, dim: int, *, scale: float, seed: int) -> Tensor:
    """Draw the rows first:last of a table, the same whoever holds them."""
    found = torch.zeros(last - first, dim)
    for chunk in range(first // _CHUNK, -(-last // _CHUNK) if scale and first < last else 0):
        with np.errstate(over="ignore"):
            keyed = mix(np.array([chunk], np.uint64) ^ mix(np.array([seed], np.uint64)))
        draws = torch.Generator().manual_seed(int(keyed[0] >> np.uint64(1)))
        before = chunk * _CHUNK
        drawn = torch.randn(min(_CHUNK, num_rows - before), dim, generator=draws) * scale
        begin, end = max(first, before), min(last, before + _CHUNK)
        found[begin - first : end - first] = drawn[begin - before : end - before]
    return found
