"""The process of a rank: `python -m endcap.models.rank FOLDER` does its share of the fit that lies in a folder.

Its variables are those of torchrun. It answers in lines of JSON: progress (rank 0), or why it failed and when. It ends
when its input does, for then whoever started it is gone.
"""

import json
import os
import shutil
import sys
import threading
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from endcap.core.errors import Code, EndcapError, ModelError, told_error
from endcap.models.shared_work import SCORER, Work
from endcap.models.training.place import keep_to_own_core, place_of
from endcap.models.training.ranks import backend_of
from endcap.models.training.settings import TrainingRun
from endcap.stores.local_files import disk_full, is_disk_full

__all__ = ["main"]

_MEETING = "meeting"


def main(folder: Path) -> None:
    """Do the share of this rank, and end the process: 0 when it is done, 1 when it told why it is not."""
    keep_to_own_core(int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"]))
    threading.Thread(target=_end_with_input, args=(folder,), daemon=True).start()
    # What a library prints is no answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def answer(words: dict[str, Any]) -> None:
        print(json.dumps(words), file=answers, flush=True)

    failed = None
    try:
        _fit(folder, lambda progress: answer({"progress": asdict(progress)}))
    except Exception as error:  # noqa: BLE001 - whoever started this rank tells it
        failed = {"at_s": time.monotonic(), **_told(error)}  # one clock for all processes of a machine
        answer(failed)
    # At once: where another rank is gone, the tidy end would wait for it, and the others would begin to complain.
    sys.stderr.flush()
    os._exit(0 if failed is None else 1)


def _fit(folder: Path, told: Any) -> None:
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    work = Work.read(folder)
    place = place_of(work.settings)
    if place.device.type == "cuda":
        _check_devices(size, torch.cuda.device_count())
        torch.cuda.set_device(place.device)
    # They meet by a file: a free port that was found before may be another's by now.
    meeting = distributed.FileStore(str(folder / _MEETING), size)  # type: ignore[attr-defined] # not in its __all__
    distributed.init_process_group(backend_of(place.device), store=meeting, rank=rank, world_size=size)
    run = TrainingRun(work.settings, work.checkpoints, told if rank == 0 else None)
    scorer = work.recipe.train(work.source, work.catalogue, seed=work.seed, run=run)
    if rank == 0:
        (folder / SCORER).mkdir()
        scorer.save(folder / SCORER)
    distributed.destroy_process_group()


def _check_devices(ranks: int, num: int) -> None:
    """Refuse ranks that would share a device: what carries their messages does not."""
    if ranks > num:
        raise ModelError(
            f"{ranks} ranks need a CUDA device each, and torch can use {num}",
            where="$.models.training.ranks",
            fix=f'set it to {num}, or set models.training.device = "cpu"',
            code=Code.CONFIG_INVALID,
        )


def _told(error: Exception) -> dict[str, Any]:
    if isinstance(error, EndcapError):
        return {"error": told_error(error)}
    if is_disk_full(error):
        return {"error": told_error(disk_full(error, where="$.models.training.ranks"))}
    return {"fault": {"kind": type(error).__name__, "text": str(error), "trace": traceback.format_exc()}}


def _end_with_input(folder: Path) -> None:
    # By its number: a thread that waits within sys.stdin would hold its lock when the interpreter ends.
    while os.read(0, 1024):
        pass
    if os.environ["RANK"] == "0":
        shutil.rmtree(folder, ignore_errors=True)  # whoever started this rank was killed, and cannot
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
