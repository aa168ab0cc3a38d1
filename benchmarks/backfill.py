"""Golden flow 3 as a user types it: a schema change, a mapping, a backfill that is killed, a verdict, a rollout.

`endcap simulate` with the fault, `endcap refresh` (days from 20 on wait), the mapping in endcap.toml, `endcap backfill`
of days 10-30 whose worker is killed once and whose whole command is killed twice, each time within an attempt, then the
same command to its end, which retrains, indexes and tells the regression verdict; `endcap promote`. Compared with a
shop of the same name that had the mapping from the start, part by part.

Figures: digest_mismatches (parts that differ), parts_compared, workers_killed, commands_killed, abandoned (attempts
that the kills left), orphans (workers that outlived their command), done_again (partitions done again under a
fingerprint that was right), backfill_s (the last command), verdict (1 where one was told).
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import arguments, report
from endcap.flows.shop import USER_KEY_VARIABLE
from endcap.testing.content import shop_content

MAPPING = 'columns = { user_pseudo_id = "pseudo_user_id" }'
WORLD = ("--days", "30", "--visitors", "120", "--items", "60", "--faults", "schema_change=2026-01-20")
DAYS = ("--from", "2026-01-10", "--to", "2026-01-30", "--parallel", "2")
KILLS = (("worker", "identities"), ("command", "sessions"), ("command", "daily"))
"""What is killed while an attempt at which step is going on."""


def main() -> int:
    """Go through the flow; the exit code is 1 when anything is not as it should be."""
    options = arguments(__doc__)
    os.environ[USER_KEY_VARIABLE] = "5e" * 32
    os.environ["ENDCAP__MODELS__TRAIN"] = '["popular", "item_markov"]'
    with tempfile.TemporaryDirectory() as folder:
        figures = golden_flow(Path(folder))
    report("backfill", figures, options, unmeasured={})
    wrong = figures["digest_mismatches"] or figures["orphans"] or figures["done_again"] or not figures["verdict"]
    return 1 if wrong or figures["commands_killed"] < 2 else 0


def golden_flow(folder: Path) -> dict[str, float]:
    """Return the figures of the whole flow."""
    world, shop, whole = folder / "world", folder / "one" / "shop", folder / "other" / "shop"
    endcap("simulate", world, *WORLD)
    for place in (shop, whole):
        endcap("init", place, "--source", world / "export")
    endcap("refresh", shop, code=2)
    map_columns(shop)
    map_columns(whole)
    endcap("refresh", whole)
    killed = [kill_within(shop, *kill) for kill in KILLS]
    orphans = len(workers_of(shop))
    began = time.perf_counter()
    told = json.loads(endcap("backfill", shop, *DAYS, "--json"))
    backfill_s = time.perf_counter() - began
    endcap("promote", shop, told["built"])
    again = json.loads(endcap("backfill", shop, *DAYS, "--json"))
    one, other = shop_content(shop), shop_content(whole)
    print(told["regression"]["verdict"], told["regression"]["why"], file=sys.stderr)
    return {
        "digest_mismatches": sum(one.get(name) != other.get(name) for name in {*one, *other}),
        "parts_compared": len(other),
        "workers_killed": sum(what == "worker" for what in killed),
        "commands_killed": sum(what == "command" for what in killed),
        "abandoned": query(shop, "SELECT count(*) FROM attempt WHERE outcome = 'abandoned'")[0][0],
        "orphans": orphans,
        "done_again": num_done_again(shop) + sum(step["state"] != "unchanged" for step in again["steps"]),
        "backfill_s": round(backfill_s, 2),
        "verdict": float(told["regression"]["verdict"] in {"better", "worse", "same", "cannot tell"}),
    }


def endcap(*words: object, code: int = 0) -> str:
    """Run a command; return what it printed."""
    ended = subprocess.run(command(*words), capture_output=True, text=True, check=False)
    if ended.returncode != code:
        raise SystemExit(f"endcap {words[0]} ended with {ended.returncode}: {ended.stderr}")
    return ended.stdout


def command(*words: object) -> list[str]:
    """Return the words of a command of ours."""
    return [sys.executable, "-m", "endcap", *map(str, words)]


def map_columns(shop: Path) -> None:
    """Write the mapping into endcap.toml, as the error says."""
    path = shop / "endcap.toml"
    text = path.read_text()
    assert "# columns = {}" in text
    path.write_text(text.replace("# columns = {}", MAPPING))


def kill_within(shop: Path, what: str, step: str) -> str:
    """Start the backfill and kill the command, or one of its workers, within an attempt at a step.

    Returns:
        What was killed; "" where the command ended before the moment came.
    """
    process = subprocess.Popen(command("backfill", shop, *DAYS), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    killed = ""
    while process.poll() is None:
        if not killed and is_running(shop, step):
            if what == "command":
                process.kill()
                killed = what
            elif workers := workers_of(shop):
                # Both stand still; if an attempt is still open it is one of theirs, and both are killed within it.
                for worker in workers:
                    worker.send_signal(signal.SIGSTOP)
                is_within = is_running(shop, step)
                for worker in workers:
                    worker.send_signal(signal.SIGKILL if is_within else signal.SIGCONT)
                killed = what if is_within else ""
                if killed:
                    wait_for_end(process, shop, step)
        time.sleep(0.005)
    process.wait()
    psutil.wait_procs(workers_of(shop), timeout=10)  # those of a killed command end themselves
    return killed


def wait_for_end(process: subprocess.Popen[bytes], shop: Path, step: str) -> None:
    """Let the command go on past a step, then kill it too: the next kill begins where work is left."""
    while (
        process.poll() is None
        and query(
            shop,
            f"SELECT count(*) FROM attempt WHERE step = '{step}' AND outcome = 'running'",  # noqa: S608 - our own words
        )[0][0]
    ):
        time.sleep(0.005)
    process.kill()


def workers_of(shop: Path) -> list[psutil.Process]:
    """Return the living workers of a shop."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "endcap.flows.worker" in words and str(shop) in words:
            found.append(process)
    return found


def is_running(shop: Path, step: str) -> bool:
    """Whether an attempt at a step is going on."""
    return bool(query(shop, f"SELECT 1 FROM attempt WHERE step = '{step}' AND outcome = 'running'"))  # noqa: S608 - our own words


def num_done_again(shop: Path) -> int:
    """Count the partitions that were done twice under one fingerprint."""
    rows = query(shop, "SELECT step, fingerprints FROM attempt WHERE outcome = 'done'")
    marks = [(step, day, mark) for step, told in rows for day, mark in json.loads(told).items() if mark]
    return len(marks) - len(set(marks))


def query(shop: Path, sql: str) -> list[tuple[Any, ...]]:
    """Read the ledger without a lock on it."""
    with closing(sqlite3.connect(f"file:{shop / 'endcap.db'}?mode=ro", uri=True, timeout=20)) as connection:
        return connection.execute(sql).fetchall()


if __name__ == "__main__":
    sys.exit(main())
