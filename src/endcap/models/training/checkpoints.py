"""Checkpoints of a fit, by torch.distributed.checkpoint: whole or not there, few, and readable by other ranks.

A checkpoint is a folder named by its cursor, the number of examples done. It is written beside under another name,
every file synced, and renamed; the cursor is all that has to be known to go on.
"""

import json
import shutil
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
from torch.distributed.tensor import DTensor, Shard

from endcap.core.errors import Code, ModelError
from endcap.models.training.best import Best
from endcap.models.training.ranks import Ranks
from endcap.models.training.table import Table
from endcap.stores.local_files import sync_folder, write_atomically

__all__ = ["Checkpoints"]

_ABOUT = "about.json"
_DIGITS = 15
_SPARE = 1.2
"""A checkpoint is not begun with less room than so many times its size."""


@dataclass(frozen=True)
class Checkpoints:
    """A folder of checkpoints of one fit.

    Args:
        folder: Where they lie.
        keep: How many of the latest stay.
        of: What is fitted: settings, data and seed as a digest. A checkpoint of something else is not gone on with.
        ranks: Who trains.
    """

    folder: Path
    keep: int
    of: str
    ranks: Ranks

    def save(
        self, cursor: int, module: torch.nn.Module, optimizer: torch.optim.Optimizer, best: Best | None = None
    ) -> None:
        """Keep the state at a cursor; every rank calls this.

        Raises:
            ModelError: The disk has no room for it; the ones before stay.
        """
        beside = self.folder / f".{cursor:0{_DIGITS}d}"
        state = self._state(module, optimizer, best)
        full = self._make_room(state) if self.ranks.rank == 0 else None
        if (full := self.ranks.agreed(full)) is not None:
            raise full
        _quietly(state_dict_saver.save, state, beside, self.ranks)
        if self.ranks.rank == 0:
            write_atomically(beside / _ABOUT, json.dumps({"of": self.of}).encode())
            shutil.rmtree(self._at(cursor), ignore_errors=True)  # of another fit
            beside.rename(self._at(cursor))
            sync_folder(self.folder)
            self._prune()
        self.ranks.wait()

    def load(self, module: torch.nn.Module, optimizer: torch.optim.Optimizer, best: Best | None = None) -> int:
        """Take over the state of the latest checkpoint of this fit; return its cursor, 0 where there is none."""
        last = int(self.ranks.agreed(self.last()))
        if last:
            state = self._state(module, optimizer, best)
            try:
                _quietly(state_dict_loader.load, state, self._at(last), self.ranks)
            except (Exception, CheckpointException) as error:  # which torch does not count among exceptions
                raise self._cannot_be_read(last) from error
            module.load_state_dict({name: _own(values) for name, values in state["module"].items()})
            set_optimizer_state_dict(module, optimizer, state["optimizer"])
        return last

    def last(self) -> int:
        """Return the cursor of the latest checkpoint of this fit, 0 where there is none."""
        return max((int(each.name) for each, of in self._all().items() if of == self.of), default=0)

    def _all(self) -> dict[Path, str]:
        """Return the checkpoints that are whole, the earliest first, and of what they are."""
        found = {}
        for each in sorted(self.folder.glob("[0-9]*")):
            with suppress(OSError, ValueError, KeyError):  # torn: it is none
                found[each] = json.loads((each / _ABOUT).read_text(encoding="utf-8"))["of"]
        return found

    def _make_room(self, state: dict[str, Any]) -> ModelError | None:
        """Remove what was left unfinished; return why there is no room for a state, where there is none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(".*"):
            shutil.rmtree(left, ignore_errors=True)
        needed, free = int(_SPARE * _bytes_of(state)), shutil.disk_usage(self.folder).free
        if free >= needed:
            return None
        return ModelError(
            f"a checkpoint takes {needed:,} bytes and {free:,} are free",
            where=str(self.folder),
            fix="make room on that disk; training goes on from the checkpoint before",
            code=Code.DISK_FULL,
        )

    def _cannot_be_read(self, cursor: int) -> ModelError:
        return ModelError(
            f"the checkpoint after example {cursor:,} cannot be read by rank {self.ranks.rank} of {self.ranks.size}",
            where=str(self._at(cursor)),
            fix="remove that folder; ranks on several machines need one folder that all of them see",
            code=Code.MODEL_NOT_FITTED,
        )

    def _prune(self) -> None:
        """Remove all but the latest of this fit."""
        found = self._all()
        kept = [each for each, of in found.items() if of == self.of][-self.keep :]
        for old in found.keys() - set(kept):
            shutil.rmtree(old)

    def _at(self, cursor: int) -> Path:
        return self.folder / f"{cursor:0{_DIGITS}d}"

    def _state(self, module: torch.nn.Module, optimizer: torch.optim.Optimizer, best: Best | None) -> dict[str, Any]:
        """Return what is kept, by name: parameters, rows of tables, the optimiser's numbers, the best pass so far."""
        shared_out = {
            f"{name}.{each}": table
            for name, table in module.named_modules()
            if isinstance(table, Table) and table.by_rows
            for each in ("weight_ND", "squares_N")
        }

        def told(values: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return {
                name: _block(each, shared_out[name], self.ranks) if name in shared_out else each
                for name, each in values.items()
            }

        state = {"module": told(module.state_dict()), "optimizer": get_optimizer_state_dict(module, optimizer)}
        return state if best is None else {**state, "best": {**told(best.state), "": best.numbers}}


def _block(values: torch.Tensor, table: Table, ranks: Ranks) -> torch.Tensor:
    """Say which rows of the whole a rank's values are, so that other ranks can read theirs."""
    if ranks.size == 1:
        return values
    mesh = distributed.device_mesh.init_device_mesh(values.device.type, (ranks.size,))
    shape = torch.Size((table.num_rows, *values.shape[1:]))
    strides = torch.empty(shape, device="meta").stride()
    return DTensor.from_local(values, mesh, [Shard(0)], run_check=False, shape=shape, stride=strides)


def _own(values: torch.Tensor) -> torch.Tensor:
    return values.to_local() if isinstance(values, DTensor) else values


def _quietly(call: Any, state: dict[str, Any], folder: Path, ranks: Ranks) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of storages that torch itself deprecates
        call(state, checkpoint_id=folder, no_dist=ranks.size == 1)


def _bytes_of(state: Any) -> int:
    if isinstance(state, Mapping):
        return sum(map(_bytes_of, state.values()))
    return state.numel() * state.element_size() if isinstance(state, torch.Tensor) else 0
