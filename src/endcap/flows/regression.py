"""The regression suite of a new bundle: beside the one in force, on sessions that neither has learnt from.

A bundle has learnt from all days up to its last, so the bundles themselves cannot be asked about them. What is compared
is how each was made: the model that orders its slates is fitted anew, with its bundle's settings, on its bundle's
tables (the old one's by their versions) before the split day, and both are asked the steps of the new tables' sessions
from that day on. Ranking is over all items of the new bundle; filters of eligibility are the same for both and left
out.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import msgspec
import numpy as np

from endcap.core.clock import day_start_us
from endcap.core.errors import BundleError, Code, EndcapError
from endcap.core.manifest import BundleManifest, read_manifest
from endcap.core.tables import SEQUENCES, TABLES
from endcap.flows.config import ShopConfig
from endcap.flows.flow import Flow
from endcap.flows.ledger import Ledger, Part
from endcap.flows.model_data import ModelData, read_model_data
from endcap.flows.runs import read_run
from endcap.flows.shop import Shop, write_atomically
from endcap.models.config import ALWAYS_MEASURED
from endcap.models.evaluate import split_by
from endcap.models.fitting import fitted
from endcap.models.protocol import Scorer
from endcap.models.side_by_side import SideBySide, side_by_side
from endcap.models.slices import LEAST_CASES
from endcap.models.training.settings import TrainingRun

__all__ = ["REPORT", "Regression", "regression"]

REPORT = "regression"
"""Name of the report's files in the shop's `reports`, .json and .txt."""


@dataclass(frozen=True)
class Regression:
    """The old bundle and the new one side by side.

    Args:
        old: Id of the bundle in force; "" where there is none.
        new: Id of the new bundle.
        old_model: The model that orders the old one's slates.
        new_model: Likewise.
        split_day: First day of the sessions that were asked.
        verdict: better, worse, same or cannot tell.
        why: What the verdict rests on, in one line.
        found: The numbers; None where nothing could be measured.
    """

    old: str
    new: str
    old_model: str = ""
    new_model: str = ""
    split_day: str = ""
    verdict: str = "cannot tell"
    why: str = ""
    found: SideBySide | None = None

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)

    def text(self) -> str:
        """Return the verdict first, then what it rests on."""
        lines = [
            f"regression: {self.verdict}",
            f"  {self.why}",
            f"  old: {self.old or 'none in force'} {self.old_model}".rstrip(),
            f"  new: {self.new} {self.new_model}".rstrip(),
        ]
        if self.found is not None:
            lines.append(f"  {self.found.cases:,} steps of {self.found.users:,} users from {self.split_day} on")
            lines += [_line(name, each) for name, each in self.found.measures.items()]
            lines += [_slice_line(name, each) for name, each in self.found.slices.items()]
        return "\n".join(lines)


def regression(flow: Flow, new: str) -> Regression:
    """Compare a new bundle with the one in force, and write both into `reports/regression.json` and `.txt`.

    What keeps the old one from being made again (a version that is gone, an algorithm that is no longer installed)
    makes the verdict `cannot tell`, with the reason.

    Args:
        flow: The run, whose tables the new bundle was made from.
        new: Id of the new bundle.
    """
    result = _compare(flow, flow.shop.bundle_in_force(), new)
    plain = msgspec.json.format(msgspec.json.encode(result.to_plain()), indent=1)
    write_atomically(flow.shop.reports / f"{REPORT}.json", plain + b"\n")
    write_atomically(flow.shop.reports / f"{REPORT}.txt", (result.text() + "\n").encode())
    return result


def _compare(flow: Flow, old: str, new: str) -> Regression:
    if old == new:
        return Regression(old, new, verdict="same", why="it is the bundle in force: nothing that it is made of changed")
    if not old:
        return Regression(old, new, why="no bundle is in force to compare it with")
    try:
        return _measured(flow, read_manifest(flow.shop.bundles / old), read_manifest(flow.shop.bundles / new))
    except EndcapError as error:
        return Regression(old, new, why=f"the old one cannot be made again: {error.what}")


def _measured(flow: Flow, old: BundleManifest, new: BundleManifest) -> Regression:
    settings = flow.shop.config.models.evaluation
    parts = flow.ledger.parts(SEQUENCES.name)
    split_day = settings.first_test_day({day: parts[day].rows for day in flow.days(SEQUENCES)})
    past = _past(flow, old)
    data, old_data = read_model_data(flow), read_model_data(past)
    split = split_by("session_next", data.sequences, day_start_us(split_day))
    number = {item: at for at, item in enumerate(old_data.catalogue.item_ids)}
    found = side_by_side(
        _fitted(past, old_data, old, split_day),
        _fitted(flow, data, new, split_day),
        split.cases,
        to_old_N=np.array([number.get(item, -1) for item in data.catalogue.item_ids], np.int32),
        num_old=len(number),
        train_counts_N=np.bincount(split.train.items, minlength=len(data.catalogue)),
        ks=tuple(sorted({*settings.ks, ALWAYS_MEASURED})),
        measure=flow.shop.config.monitoring.measure,
        seed=flow.seed,
        resamples=settings.resamples,
    )
    told = found.measures[found.measure]
    low, high = told["ci"]
    why = (
        "there are too few users to tell" if low is None else
        f"{found.measure} new - old {told['difference']:+.4f}, 95 % interval {low:+.4f} to {high:+.4f}"
    )  # fmt: skip
    return Regression(old.bundle_id, new.bundle_id, old.default_model, new.default_model, split_day, found.verdict, why,
                      found)  # fmt: skip


def _past(flow: Flow, manifest: BundleManifest) -> Flow:
    """Return the flow as it was when a bundle was made: its tables, settings and last day."""
    versions = {each.table: each.version for each in manifest.snapshots}
    tables = flow.tables.at(versions)
    known = {
        each.table: {partition: Part("past", 1, each.version) for partition in tables.partitions(TABLES[each.table])}
        for each in manifest.snapshots
    }
    ledger = _PastLedger(flow.ledger.catalog, flow.ledger.scope, flow.ledger.retry, known)
    shop = Shop(flow.shop.root, _config(flow, manifest))
    return replace(flow, shop=shop, ledger=ledger, tables=tables, through=manifest.through, _engine=flow.engine)


@dataclass
class _PastLedger(Ledger):
    """The ledger as far as past tables are concerned."""

    known: dict[str, dict[str, Part]] = field(default_factory=dict)

    def parts(self, table: str) -> dict[str, Part]:
        """Return what each partition of a table held."""
        return self.known.get(table, {})


def _config(flow: Flow, manifest: BundleManifest) -> ShopConfig:
    """Return the settings that a bundle was made under."""
    config = flow.shop.config
    if manifest.config_digest == config.digest():
        return config
    gone = BundleError(
        "the settings of the run that made it are gone",
        where=f"{flow.runs[-1].where}/{manifest.run_id}.json",
        fix="nothing: compare the next bundle",
        code=Code.BUNDLE_DAMAGED,
    )
    if (run := read_run(flow, manifest.run_id)) is None:
        raise gone
    try:
        return ShopConfig.model_validate_json(msgspec.json.encode(run.settings), strict=True)
    except ValueError as error:
        raise gone from error


def _fitted(flow: Flow, data: ModelData, manifest: BundleManifest, split_day: str) -> Scorer:
    train = split_by("session_next", data.sequences, day_start_us(split_day)).train
    recipe = flow.shop.config.models.recipes()[manifest.default_model]
    run = TrainingRun(flow.shop.config.models.training, scratch=flow.shop.scratch)
    return fitted(recipe, train, data.catalogue, seed=manifest.seed, run=run)


def _line(name: str, each: Any) -> str:
    def told(value: float | None) -> str:
        return "-" if value is None else f"{value:.4f}"

    low, high = (("-" if end is None else f"{end:+.4f}") for end in each["ci"])
    return f"  {name:<10} {told(each['old']):>8} -> {told(each['new']):>8}   difference {low} to {high}"


def _slice_line(name: str, found: SideBySide) -> str:
    few = f", fewer than {LEAST_CASES} steps" if found.cases < LEAST_CASES else ""
    measured = _line(found.measure, found.measures[found.measure]).strip()
    return f"  {name} ({found.cases:,} steps): {found.verdict}{few}\n    {measured}"
