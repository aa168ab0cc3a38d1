"""The processes that train one model together, each with a share of every step (torch.distributed).

Shapes: R ranks, U rows, D embedding.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import lcm
from typing import Any

import torch
from torch import Tensor, distributed

__all__ = ["Message", "Ranks", "backend_of", "gradients_of", "joined"]


@dataclass(frozen=True)
class Ranks:
    """R processes, of which this is one.

    Args:
        rank: The number of this process.
        size: R.
    """

    rank: int = 0
    size: int = 1

    def parts(self, wanted: int) -> int:
        """Return the parts of a step: as many as wanted, or the next number that the ranks can share evenly.

        >>> Ranks(0, 2).parts(3)
        6
        """
        return lcm(wanted, self.size)

    def own(self, parts: int) -> range:
        """Return the parts of a step that are this rank's."""
        return range(self.rank, parts, self.size)

    def add_up(self, gradients: Sequence[Tensor]) -> None:
        """Add up gradients over the ranks, in place: one message for all."""
        if self.size == 1 or not gradients:
            return
        flat = torch.cat([each.reshape(-1) for each in gradients])
        distributed.all_reduce(flat)
        for each, summed in zip(gradients, torch.split(flat, [each.numel() for each in gradients]), strict=True):
            each.copy_(summed.view_as(each))

    def send(self, values: Tensor, counts_R: list[int] | None = None, received_R: list[int] | None = None) -> "Message":
        """Start to send the first rows to rank 0, the next ones to rank 1 and so on; what comes is in order of rank.

        Args:
            values: Rows, those for one rank side by side.
            counts_R: Rows for each rank; as many for each, if not given.
            received_R: Rows from each rank; likewise.
        """
        num = len(values) if received_R is None else sum(received_R)
        came = values.new_empty((num, *values.shape[1:]))
        under_way = distributed.all_to_all_single(came, values.contiguous(), received_R, counts_R, async_op=True)
        return Message(came, under_way)

    def agreed(self, value: Any) -> Any:
        """Return what rank 0 has, whatever this one has: only one may decide."""
        if self.size == 1:
            return value
        held = [value]
        distributed.broadcast_object_list(held, src=0)
        return held[0]

    def wait(self) -> None:
        """Wait until every rank is here."""
        if self.size > 1:
            distributed.barrier()


@dataclass(frozen=True)
class Message:
    """What comes of other ranks, while something else is computed.

    Args:
        came: Where it comes to.
        under_way: What says that it is there.
    """

    came: Tensor
    under_way: Any

    def wait(self) -> Tensor:
        """Return what came, once it is there."""
        self.under_way.wait()
        return self.came


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the ranks that `torchrun` started; alone, where it did not.

    A process group that is there already is used and left; one that is made here ends here.
    """
    if not distributed.is_available():
        yield Ranks()
        return
    made = not distributed.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1
    if made:
        distributed.init_process_group(backend_of(device))
    try:
        is_there = distributed.is_initialized()
        yield Ranks(distributed.get_rank(), distributed.get_world_size()) if is_there else Ranks()
    finally:
        if made:
            distributed.destroy_process_group()


def backend_of(device: torch.device) -> str:
    """Return the name of what carries messages between devices of a kind."""
    return "nccl" if device.type == "cuda" else "gloo"


def gradients_of(parameters: Iterable[torch.nn.Parameter]) -> list[Tensor]:
    """Return the gradients of parameters, zeros where a step did not touch one: all ranks add up the same list."""
    found = []
    for each in parameters:
        if each.grad is None:
            each.grad = torch.zeros_like(each)
        found.append(each.grad)
    return found
