"""Where training computes and how exactly: device, precision of products, threads, random draws."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from endcap.core.errors import Code, ModelError
from endcap.core.sampling import mix
from endcap.models.training.settings import TrainingSettings

__all__ = ["Place", "keep_to_own_core", "one_thread", "place_of", "seeded"]


@dataclass(frozen=True)
class Place:
    """Where and how exactly a fit computes.

    Args:
        device: Of all tensors.
        products: Type of numbers in matrix products.
    """

    device: torch.device
    products: torch.dtype

    def tensors(self, batch: Any) -> dict[str, Any]:
        """Return the fields of a dataclass, its arrays as tensors on this device."""
        found = {}
        for each in fields(batch):
            value = getattr(batch, each.name)
            found[each.name] = self.tensor(value) if isinstance(value, np.ndarray) else value
        return found

    def tensor(self, values: NDArray[Any]) -> Tensor:
        """Return an array as a tensor on this device."""
        found = torch.from_numpy(values)
        return found.to(self.device, non_blocking=True) if self.device.type == "cuda" else found

    def computing(self) -> AbstractContextManager[Any]:
        """Return the context in which products have their precision."""
        if self.products == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.products, cache_enabled=False)

    @contextmanager
    def training(self) -> Iterator[None]:
        """Train: one thread on the processor, and the random draws of the rest of the process stay as they are."""
        devices = [self.device] if self.device.type == "cuda" else []
        if devices:
            torch.cuda.set_device(self.device)
        with torch.random.fork_rng(devices=devices), nullcontext() if devices else one_thread():
            yield


def place_of(settings: TrainingSettings) -> Place:
    """Choose the place.

    Raises:
        ModelError: There is no CUDA device where one is asked for.
    """
    has_cuda = torch.cuda.is_available()
    if settings.device == "cuda" and not has_cuda:
        raise ModelError(
            "there is no CUDA device that torch can use on this machine",
            where="$.models.training.device",
            fix="set it to auto or cpu, or install torch's CUDA build and the driver",
            code=Code.CONFIG_INVALID,
        )
    name = "cuda" if has_cuda and settings.device != "cpu" else "cpu"
    wide = settings.precision == "float32" or (settings.precision == "auto" and name == "cpu")
    # torchrun tells each of its processes which device of the machine is its own.
    own = int(os.environ.get("LOCAL_RANK", "0")) % max(torch.cuda.device_count(), 1)
    device = torch.device(name, own) if name == "cuda" else torch.device(name)
    return Place(device, torch.float32 if wide else torch.bfloat16)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: repeatable to the bit, and faster than two on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def keep_to_own_core(rank: int, size: int) -> None:
    """Stay on one core, where this machine has just one for each of its ranks; threads that start from here on do, too.

    The threads of a rank (products, batches, messages) wait for each other. Wherever one of them sits on the core where
    another rank computes, both ranks wait. With cores to spare there is room beside, and nothing is done; nor where the
    system does not know how, or forbids it.

    Args:
        rank: Number of this process among those of the machine.
        size: How many these are.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == size:
        with suppress(OSError):
            os.sched_setaffinity(0, {cores[rank]})


def seeded(seed: int, name: int) -> None:
    """Let torch's draws that follow be those of one name: what was drawn before does not matter to them.

    So no state of a generator has to be kept to go on after a kill.
    """
    with np.errstate(over="ignore"):
        keyed = mix(np.array([name], np.uint64) ^ mix(np.array([seed], np.uint64)))
    number = int(keyed[0] >> np.uint64(1))
    torch.default_generator.manual_seed(number)  # a tenth of the time of torch.manual_seed, which asks every back end
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.cuda.manual_seed(number)
