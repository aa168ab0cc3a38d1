"""The best pass so far of a fit that stops early."""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

__all__ = ["Best"]


@dataclass(frozen=True)
class Best:
    """Parameters of the pass with the lowest validation loss (early stopping; Prechelt 1998).

    Args:
        state: Copies of a module's tensors, changed in place.
        numbers: The lowest loss, and how many passes there were since.
    """

    state: dict[str, Tensor]
    numbers: Tensor

    @classmethod
    def of(cls, module: torch.nn.Module) -> Self:
        """Begin with what a module starts with, and a loss that any pass is better than."""
        state = {name: values.detach().clone() for name, values in module.state_dict().items()}
        return cls(state, torch.tensor([math.inf, 0.0], dtype=torch.float64))

    @property
    def passes_since(self) -> int:
        """Passes since the best one."""
        return int(self.numbers[1])

    @property
    def is_there(self) -> bool:
        """Whether any pass was taken in that has a loss."""
        return math.isfinite(float(self.numbers[0]))

    def take(self, loss: float, module: torch.nn.Module) -> float:
        """Take in a pass: keep it where it is the best; return its loss."""
        if loss < float(self.numbers[0]):
            self.numbers.copy_(torch.tensor([loss, 0.0]))
            for name, values in module.state_dict().items():
                self.state[name].copy_(values)
        else:
            self.numbers[1] += 1
        return loss
