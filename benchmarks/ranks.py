"""What a rank of the scale-out benchmark does: `python -m benchmarks.ranks WHAT JSON`, under torchrun's variables.

Rank 0 prints one JSON object.
"""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from torch.nn import functional

from benchmarks.sequence_speed import visits
from endcap.core.sequences import Catalogue, Int64, distinct
from endcap.models.protocol import TrainedAlgorithm
from endcap.models.sequence import SequenceModel
from endcap.models.training.context import Context
from endcap.models.training.lookup import Reading, change
from endcap.models.training.place import keep_to_own_core, one_thread, place_of
from endcap.models.training.ranks import joined
from endcap.models.training.settings import Progress, TrainingRun, TrainingSettings
from endcap.models.training.source import InMemory
from endcap.models.training.table import Table
from endcap.models.two_tower import TwoTower

__all__ = ["run_ranks"]

KILLED = 9
_WARM_UP = 3


def run_ranks(what: str, size: int, **given: Any) -> dict[str, Any]:
    """Run so many ranks of one thread each; return what rank 0 tells, {} where it was killed on purpose."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size),
              "OMP_NUM_THREADS": "1"}  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.ranks", what, json.dumps(given)]
    started = [
        subprocess.Popen(command, env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}, stdout=subprocess.PIPE)
        for rank in range(size)
    ]
    told = [each.communicate()[0] for each in started]
    codes = {each.returncode for each in started}
    assert codes <= {0, KILLED}, f"ranks ended with {codes}"
    found: dict[str, Any] = json.loads(told[0].splitlines()[-1]) if codes == {0} else {}
    return found


def _train(given: dict[str, Any]) -> dict[str, Any]:
    """Fit a model; tell its last loss, its digest, its examples, and how many a second without the first tellings."""
    told: list[Progress] = []

    def listen(progress: Progress) -> None:
        told.append(progress)
        if progress.done >= given.get("kill_at", progress.total + 1):
            os._exit(KILLED)

    settings = TrainingSettings(
        device="cpu", parts=given.get("parts", 2), checkpoint_steps=given.get("checkpoint_steps", 500)
    )
    folder = given.get("checkpoints")
    run = TrainingRun(settings, Path(folder) if folder else None, listen)
    catalogue = Catalogue(tuple(f"{item:06}" for item in range(given["num_items"])))
    recipe_type: Any = {"sequence": SequenceModel, "two_tower": TwoTower}[given["model"]]
    recipe: TrainedAlgorithm = recipe_type(epochs=given["epochs"], tables=given["tables"])
    scorer = recipe.train(
        InMemory(visits(given["num_items"], given["num_tokens"])), catalogue, seed=given["seed"], run=run
    )
    values: Any = scorer
    found = [getattr(values, each.name) for each in fields(values)]
    arrays = [each for each in found if isinstance(each, np.ndarray)]
    speeds = [each.examples_per_s for each in told[_WARM_UP:]] or [told[-1].examples_per_s]
    return {
        "loss": told[-1].loss,
        "examples": told[-1].total,
        "digest": sha256(b"".join(array.tobytes() for array in arrays)).hexdigest(),
        "examples_per_s": float(np.median(speeds)),
    }


@dataclass(frozen=True)
class _Read:
    """A batch that is numbers of rows alone."""

    numbers: Int64


def _table(given: dict[str, Any]) -> dict[str, Any]:
    """Read and change rows of a table that the ranks share, ours and DTensor's; tell rows a second of each."""
    place = place_of(TrainingSettings(device="cpu"))
    num_rows, dim, num_read = given["num_rows"], 64, given["num_read"]
    with joined(place.device) as ranks, one_thread():
        table = Table(num_rows, dim, scale=0.1, by_rows=True, context=Context(place, ranks, 1))
        read = [
            distinct(np.random.default_rng([rank, 2]).integers(0, num_rows, num_read)) for rank in range(ranks.size)
        ]
        own = _Read(read[ranks.rank])
        wanted = torch.randn(len(own.numbers), dim)

        def ours() -> None:
            reading = Reading({"numbers": (table,)}, own, place)
            torch.autograd.backward(((reading.rows()["numbers"][0] - wanted) ** 2).sum())
            reading.lookups["numbers"].give_back()
            change([reading], 0.1)

        mesh = init_device_mesh("cpu", (ranks.size,))
        weight = torch.nn.Parameter(distribute_tensor(torch.randn(num_rows, dim) * 0.1, mesh, [Shard(0)]))
        optimizer = torch.optim.Adagrad([weight], lr=0.1, foreach=True)
        # Each rank has to know all rows that any of them reads.
        every = distribute_tensor(torch.from_numpy(np.concatenate(read)), mesh, [Replicate()])
        first = sum(len(each) for each in read[: ranks.rank])

        def theirs() -> None:
            optimizer.zero_grad()
            read_by_all: Any = functional.embedding(every, weight)
            found = read_by_all.redistribute(mesh, [Replicate()]).to_local()
            torch.autograd.backward(((found[first : first + len(own.numbers)] - wanted) ** 2).sum())
            optimizer.step()

        rows = sum(map(len, read))
        seconds = {name: _median_s(call, times) for name, call, times in (("ours", ours, 30), ("dtensor", theirs, 6))}
    return {f"rows_per_s_{name}": rows / taken for name, taken in seconds.items()}


def _median_s(call: Any, times: int) -> float:
    taken = []
    for _ in range(times + 1):
        distributed.barrier()
        begun = time.perf_counter()
        call()
        distributed.barrier()
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken[1:]))


if __name__ == "__main__":
    what, given = sys.argv[1], json.loads(sys.argv[2])
    if int(os.environ["WORLD_SIZE"]) > 1:
        keep_to_own_core(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))  # as the ranks of a fit do
    found = {"train": _train, "table": _table}[what](given)
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps(found), flush=True)
