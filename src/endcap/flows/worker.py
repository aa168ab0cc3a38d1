"""The process of a worker: `python -m endcap.flows.worker SHOP NUM` does chunks that it reads from its input.

Args of the command: the shop's folder, and how many workers share the machine.
"""

import json
import os
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any, TextIO

from endcap.core.errors import Code, EndcapError, StoreError, told_error
from endcap.flows.chunked import fault_of
from endcap.flows.flow import Flow
from endcap.flows.runner import attempt
from endcap.flows.shop import find_shop
from endcap.flows.steps import STEPS
from endcap.flows.wiring.batch import open_flow
from endcap.governance.logging import configure_logging
from endcap.stores.local_files import disk_full, is_disk_full
from endcap.stores.tables import Fence

__all__ = ["answer_chunk", "main"]


def answer_chunk(flow: Flow, words: dict[str, Any]) -> dict[str, Any]:
    """Do a chunk; return its report or its error as plain values."""
    step = next(each for each in STEPS if each.name == words["step"])
    flow.run_id, flow.now_us, flow.through = words["run_id"], words["now_us"], words["through"]
    flow.again, flow.shares_lease = frozenset(words["again"]), True
    lease = (Fence(*words["fence"]), words["queue_s"])
    try:
        report = attempt(flow, step, words["pending"], words["inputs"], lease, retry=words["retry"])
    except EndcapError as error:
        return {"error": told_error(error)}
    except Exception as error:  # noqa: BLE001 - the coordinator tells it; its words may hold a person's id
        if is_disk_full(error):
            return {"error": told_error(disk_full(error, where=f"step {step.name}"))}
        if isinstance(error, OSError):
            return {"error": told_error(_of_a_place(step.name, error))}
        return {"error": told_error(fault_of(step, ", ".join(sorted(words["pending"])), error))}
    return {"report": asdict(report)}


def _of_a_place(step: str, error: OSError) -> StoreError:
    """Return the error of a disk or a store as ours: no day is guilty of it."""
    return StoreError(
        f"a disk or a store could not be read or written ({type(error).__name__})",
        where=f"step {step}",
        fix="check that it is there and may be written, then run the command again: it goes on where it was",
        code=Code.STORE_UNUSABLE,
    )


def main(words: list[str]) -> None:
    """Answer chunk after chunk until the input ends, which also ends a chunk that is being done."""
    configure_logging(json=False, level="warning")
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    asked: Queue[str] = Queue()
    threading.Thread(target=_listen, args=(sys.stdin, asked), daemon=True).start()
    with ExitStack() as stack:
        answer = _answering(stack, Path(words[0]), share=int(words[1]))
        while True:
            print(json.dumps(answer(json.loads(asked.get()))), file=answers, flush=True)


def _answering(stack: ExitStack, shop: Path, *, share: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Open the shop; return what answers a chunk: where it cannot be opened, with the reason."""
    try:
        opened = find_shop(shop)
        flow = stack.enter_context(open_flow(opened, through="", progress=lambda _report: None, share=share))
    except EndcapError as error:
        told = told_error(error)
        return lambda _words: {"error": told}
    return partial(answer_chunk, flow)


def _listen(lines: TextIO, asked: "Queue[str]") -> None:
    for line in lines:
        asked.put(line)
    os._exit(0)  # the coordinator has ended or was killed: nobody waits for what is being done


if __name__ == "__main__":
    main(sys.argv[1:])
