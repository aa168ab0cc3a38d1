import sys
from pathlib import Path

import pytest

SHELF = """
import os
import signal
from contextlib import suppress
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import distributed

from endcap.core.errors import Code, ModelError
from endcap.models.storage import load_arrays, save_arrays
from endcap.models.training.settings import Progress


class Shelf(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    reads_windows: ClassVar[bool] = True
    shares_steps: ClassVar[bool] = True
    kind: Literal["shelf"] = "shelf"
    trouble: str = ""

    def fit(self, sequences, catalogue, *, seed):
        raise NotImplementedError

    def train(self, source, catalogue, *, seed, run):
        rank = distributed.get_rank()
        if self.trouble == "fault" and rank == 1:
            raise KeyError("no such shelf")
        if self.trouble == "exit" and rank == 1:
            print("the shelf fell down")
            os._exit(7)
        if self.trouble.startswith("late") and rank == 0:
            raise ModelError("nobody answers", fix="none", code=Code.MODEL_NOT_FITTED)
        if self.trouble.startswith("late"):
            with suppress(RuntimeError):
                distributed.barrier()  # ends when rank 0 has gone
            if self.trouble == "late exit":
                os._exit(7)
            os.kill(os.getpid(), signal.SIGKILL)
        sequences = source.read(range(len(source.sizes)))
        sequences.items[:0] = 0  # may be written to
        counts = torch.from_numpy(np.bincount(sequences.items, minlength=len(catalogue)) * (1 + rank))
        distributed.all_reduce(counts)
        if run.told:
            run.told(Progress(1, 1, 0.5, float(rank)))
        return ShelfScorer(counts.numpy())


class ShelfScorer:
    kind = "shelf"

    def __init__(self, counts):
        self.counts = counts

    def score(self, queries):
        return np.tile(self.counts.astype(np.float32), (len(queries), 1))

    def save(self, folder):
        save_arrays(folder, kind="shelf", settings={}, arrays={"counts": self.counts})

    @classmethod
    def load(cls, folder):
        return cls(load_arrays(folder, kind="shelf")[1]["counts"])
"""

POINTS = "[endcap.algorithms]\nshelf = endcap_shelf:Shelf\n[endcap.scorers]\nshelf = endcap_shelf:ShelfScorer\n"


@pytest.fixture(scope="session")
def shelf_package(tmp_path_factory) -> Path:
    """A folder in which a package with an algorithm of its own is installed; it is one that ranks may share."""
    place = tmp_path_factory.mktemp("site")
    (place / "endcap_shelf.py").write_text(SHELF)
    about = place / "endcap_shelf-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: endcap-shelf\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(POINTS)
    return place


@pytest.fixture
def shelf(shelf_package, monkeypatch):
    """The recipe of that package."""
    monkeypatch.syspath_prepend(shelf_package)
    from endcap_shelf import Shelf  # noqa: PLC0415 - it is there now

    yield Shelf
    sys.modules.pop("endcap_shelf")
