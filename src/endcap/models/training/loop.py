"""The one loop that trains every model of torch.

A fit is a walk over examples, each as often as there are passes; the cursor, how many are done, is all that is needed
to go on after a kill: the order of examples and every random draw are functions of the seed and the cursor. A step is
computed in parts that are added up, one after the other or by several ranks.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from endcap.core.errors import Code, ModelError
from endcap.models.training.ahead import ahead
from endcap.models.training.best import Best
from endcap.models.training.checkpoints import Checkpoints
from endcap.models.training.context import Context
from endcap.models.training.lookup import Lookup, Reading, Rows, change
from endcap.models.training.place import seeded
from endcap.models.training.ranks import gradients_of
from endcap.models.training.settings import Progress, TrainingRun
from endcap.models.training.table import Table

__all__ = ["Step", "Task", "pace", "train"]

_TELLINGS = 50
"""How often progress is told in a fit."""
_AHEAD = 3
"""Steps whose batches are ready before they are needed."""
_LOOKS_ON_CUDA = 20
"""Steps between two looks at the loss where a look waits for the device."""


@dataclass(frozen=True)
class Step:
    """What one step learns from.

    Args:
        begin: The cursor before it.
        end: The cursor after it.
        parts: The batches of this rank's parts, by the number of the part.
        ends_pass: Whether it is the last one of a pass.
    """

    begin: int
    end: int
    parts: Mapping[int, Any]
    ends_pass: bool


class Task(Protocol):
    """A model that is being fitted: its parameters, its examples in order, and the loss of a batch."""

    @property
    def name(self) -> str:
        """The algorithm's tag."""
        ...

    @property
    def module(self) -> torch.nn.Module:
        """All parameters and tables."""
        ...

    @property
    def total(self) -> int:
        """Examples of all passes."""
        ...

    @property
    def learning_rate(self) -> float:
        """Highest step size of the optimiser."""
        ...

    @property
    def row_learning_rate(self) -> float:
        """Highest step size of tables that are changed by rows."""
        ...

    @property
    def reads(self) -> Mapping[str, Sequence[Table]]:
        """What a batch reads: tables, by the name of the batch's field with the numbers of their rows.

        Tables of one field have one length, and all are changed by rows or none; in the first case the numbers are
        different ones in ascending order.
        """
        ...

    def optimizer(self) -> torch.optim.Optimizer:
        """Make the optimiser of the parameters that are changed as a whole."""
        ...

    def steps(self, done: int, parts: Sequence[int], num_parts: int) -> Iterator[Step]:
        """Yield the steps from a cursor on, with the batches of some of the parts that each is cut into."""
        ...

    def validation(self) -> Iterator[tuple[Any, float]]:
        """Yield the batches of the validation part and what each weighs; none where there is none.

        Batches of `steps` are made by another thread at the same time.
        """
        ...

    def loss(self, batch: Mapping[str, Any], rows: Rows) -> Tensor:
        """Return what a batch adds to the mean loss of its step, with the batch's arrays as tensors.

        Args:
            batch: Its fields.
            rows: What it reads of tables, by the names of `reads`.
        """
        ...


def pace(done: float) -> float:
    """Return the share of the learning rate: up over the first 5 % of the examples, then down as half a cosine.

    Args:
        done: Share of the examples that are done, from 0.

    >>> [round(pace(done), 3) for done in (0.0, 0.05, 0.5, 1.0)]
    [0.02, 0.994, 0.5, 0.0]
    """
    return min(1.0, (done + 1e-3) / 0.05) * 0.5 * (1 + math.cos(math.pi * done))


def train(task: Task, run: TrainingRun, context: Context, *, of: str, longest_step: float = math.inf) -> None:
    """Train a task's module in place, from its latest checkpoint to the end, and leave it ready to be asked.

    Args:
        task: What is fitted.
        run: Settings, folder of checkpoints, who is told.
        context: Where it is computed, who trains, and the seed.
        of: Digest of settings, data and seed: what a checkpoint must be of to be gone on with.
        longest_step: Length to which the gradient of all that is changed as a whole is cut.

    Raises:
        ModelError: The loss is no number: the last good checkpoint stays. Or the disk is full.
    """
    _Fit(task, run, context, of=of, longest_step=longest_step).go()


@dataclass(frozen=True)
class _Asked:
    """A step, and what its parts read.

    Args:
        step: The step.
        readings: By the number of the part.
    """

    step: Step
    readings: Mapping[int, Reading]

    def lookups(self) -> list[Lookup]:
        """Return all lookups, in the one order that all ranks have."""
        return [each for reading in self.readings.values() for each in reading.lookups.values()]


class _Fit:
    """One fit under way."""

    def __init__(self, task: Task, run: TrainingRun, context: Context, *, of: str, longest_step: float) -> None:
        self.task, self.run = task, run
        self.place, self.ranks, self.seed = context.place, context.ranks, context.seed
        self.longest_step = longest_step
        self.optimizer = task.optimizer()
        self.whole = [each for each in task.module.parameters() if each.requires_grad]
        self.num_parts = self.ranks.parts(run.settings.num_parts)
        self.best = Best.of(task.module) if run.settings.patience else None
        self.checkpoints = None
        if run.checkpoints is not None:
            of = f"{of} {self.num_parts} {run.settings.patience} {self.place.device.type} {self.place.products}"
            self.checkpoints = Checkpoints(run.checkpoints, run.settings.keep_checkpoints, of, self.ranks)

    def go(self) -> None:
        """Train to the end."""
        task, module = self.task, self.task.module
        done = self.checkpoints.load(module, self.optimizer, self.best) if self.checkpoints else 0
        telling = _Telling(self.run, task.total, done)
        seen_every = _LOOKS_ON_CUDA if self.place.device.type == "cuda" else 1
        loss = torch.zeros((), device=self.place.device)
        module.train()
        own = self.ranks.own(self.num_parts)
        with closing(ahead(task.steps(done, own, self.num_parts), _AHEAD)) as steps:
            for number, (now, after) in enumerate(
                _with_next(map(self._asked, steps), is_wanted=self.ranks.size > 1), 1
            ):
                step = now.step
                loss += self._take(now, after)
                is_due = self._is_due(number, step)
                if number % seen_every == 0 or step.ends_pass or is_due:
                    self._check(loss, telling.looked_at, step.end)
                    telling.add(float(loss), number, step.end)
                    loss.zero_()
                if step.ends_pass and self.best is not None:
                    telling.tell(step.end, validation=self._validate(self.best))
                    if self.best.passes_since >= self.run.settings.patience:
                        break
                if self.checkpoints and is_due and self._is_finite():
                    self.checkpoints.save(step.end, module, self.optimizer, self.best)
        if self.best is not None and self.best.is_there:
            module.load_state_dict(self.best.state)
        module.eval()

    def _asked(self, step: Step) -> _Asked:
        """Ask for what a step reads."""
        readings = {part: Reading(self.task.reads, batch, self.place) for part, batch in step.parts.items()}
        found = _Asked(step, readings)
        for each in found.lookups():
            each.ask()
        return found

    def _take(self, now: _Asked, after: _Asked | None) -> Tensor:
        """Learn from a step; return its loss, of all ranks.

        Args:
            now: The step.
            after: The one that follows, if it is known yet: what ranks tell each other of it is under way meanwhile.
        """
        share = pace(now.step.begin / self.task.total)
        for group in self.optimizer.param_groups:
            group["lr"] = self.task.learning_rate * share
        self.optimizer.zero_grad()
        loss = torch.zeros((), device=self.place.device)
        for part, reading in now.readings.items():
            loss += self._learn(reading, now.step.begin * self.num_parts + part)
        coming = after.lookups() if after else []
        for each in coming:
            each.say_which()
        for each in now.lookups():
            each.give_back()
        if self.ranks.size > 1:  # alone, a parameter without a gradient stays without: the optimiser leaves it out
            self.ranks.add_up([*gradients_of(self.whole), loss])
        change(list(now.readings.values()), self.task.row_learning_rate * share)
        for each in coming:
            each.fetch()
        if self.longest_step < math.inf:
            torch.nn.utils.clip_grad_norm_(self.whole, self.longest_step)
        self.optimizer.step()
        return loss

    def _learn(self, reading: Reading, name: int) -> Tensor:
        """Add the gradients of a batch; return its loss."""
        seeded(self.seed, name)
        rows = reading.rows()
        with self.place.computing():
            loss = self.task.loss(reading.batch(), rows)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return loss.detach()

    def _is_due(self, number: int, step: Step) -> bool:
        """Say whether a checkpoint is to be kept after a step."""
        every = self.run.settings.checkpoint_steps
        return self.checkpoints is not None and number % every == 0 and step.end < self.task.total

    def _is_finite(self) -> bool:
        """Say whether every parameter of every rank is a number: gradients may be none while the loss still is."""
        with torch.no_grad():
            wrong = torch.zeros((), device=self.place.device)
            for each in self.task.module.parameters():
                wrong += (~torch.isfinite(each)).sum()
        self.ranks.add_up([wrong])
        return float(wrong) == 0

    def _check(self, loss: Tensor, begin: int, end: int) -> None:
        if torch.isfinite(loss):
            return
        last = self.checkpoints.last() if self.checkpoints else 0
        kept = f"the checkpoint after example {last:,} is whole" if last else "there is no checkpoint before it"
        raise ModelError(
            f"the loss of {self.task.name} is {float(loss)} at the examples {begin:,} to {end:,} of "
            f"{self.task.total:,}; {kept}",
            where=f"learning_rate = {self.task.learning_rate}",
            fix=f"lower {self.task.name}'s learning_rate, say to {self.task.learning_rate / 4:.2g}",
            code=Code.MODEL_NOT_FITTED,
        )

    @torch.no_grad()
    def _validate(self, best: Best) -> float | None:
        """Ask the validation part at the end of a pass; every rank computes all of it."""
        module = self.task.module.eval()
        summed, weights = 0.0, 0.0
        for batch, weight in self.task.validation():
            reading = Reading(self.task.reads, batch, self.place)
            rows = reading.rows()
            with self.place.computing():
                summed += float(self.task.loss(reading.batch(), rows)) * weight
            weights += weight
        module.train()
        return best.take(summed / weights, module) if weights else None


def _with_next(steps: Iterator[_Asked], *, is_wanted: bool) -> Iterator[tuple[_Asked, _Asked | None]]:
    """Yield each step, where it is wanted with the one that follows; an error in making that one comes in its turn."""
    if not is_wanted:
        yield from ((step, None) for step in steps)
        return
    now = next(steps, None)
    while now is not None:
        after, failed = None, None
        try:
            after = next(steps, None)
        except Exception as error:  # noqa: BLE001 - it is raised once the step before it is learned
            failed = error
        yield now, after
        if failed is not None:
            raise failed
        now = after


class _Telling:
    """Tells progress at its times."""

    def __init__(self, run: TrainingRun, total: int, done: int) -> None:
        self.run, self.total = run, total
        self.told_at, self.told_s, self.step, self.loss = done, run.clock(), 0, 0.0
        self.loss_since, self.steps_since = 0.0, 0
        self.looked_at = done

    def add(self, loss: float, step: int, done: int) -> None:
        """Take in the losses of the steps up to this one, and tell where it is time."""
        self.loss_since += loss
        self.steps_since += step - self.step
        self.step, self.looked_at = step, done
        if done == self.total or (done - self.told_at) * _TELLINGS >= self.total:
            self.tell(done)

    def tell(self, done: int, *, validation: float | None = None) -> None:
        """Tell how far training is."""
        now = self.run.clock()
        if self.steps_since:
            self.loss = self.loss_since / self.steps_since
        speed = (done - self.told_at) / max(now - self.told_s, 1e-9)
        if self.run.told is not None:
            self.run.told(Progress(done, self.total, self.loss, speed, validation))
        self.told_at, self.told_s, self.loss_since, self.steps_since = done, now, 0.0, 0
