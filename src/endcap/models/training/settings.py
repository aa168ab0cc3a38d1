"""How models are trained, whichever they are: `[models.training]`. No torch here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import lcm
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Progress", "TrainingRun", "TrainingSettings"]

_SAME_IN_ANY_ORDER = 2
"""Numbers that have the same sum in floats whichever is added first."""


class TrainingSettings(BaseModel):
    """Where and how exactly models are trained; what they are is told by their recipes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="What computes. auto: a CUDA device where there is one, else the processor."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="Of matrix products; parameters are float32 always. auto: bfloat16 on CUDA, float32 on the "
        "processor, where the same seed gives the same bytes.",
    )
    parts: int = Field(
        default=1,
        ge=1,
        le=4096,
        description="Parts of a step, computed one after the other and added up (gradient accumulation): more need "
        "less memory. Ranks share them out, so more ranks with the same parts learn the same; a number that they "
        "cannot share evenly is raised to the next one that they can.",
    )
    ranks: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="Processes of this machine that share each fit: on processors one thread each, on CUDA one device "
        "each. Ranks that torchrun started stay as many as it says. 1: a process takes seconds to start.",
    )
    patience: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Passes without a lower loss on the validation part after which training stops, and the best pass "
        "is kept; 0 trains all passes on everything.",
    )
    validation_share: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Share of the sequences, the latest, that are the validation part where patience is above 0.",
    )
    window: int = Field(
        default=0,
        ge=0,
        description="Elements of sequences that are in memory at once, for models that are trained by steps; a pass "
        "shuffles within windows of them, and negatives that were sampled for the examples are not read. 0 reads all.",
    )
    checkpoint_steps: int = Field(
        default=500, ge=1, description="Steps from one checkpoint to the next. 500: some seconds to minutes of work."
    )
    keep_checkpoints: int = Field(default=2, ge=1, le=100, description="The latest checkpoints that are kept.")

    @property
    def num_parts(self) -> int:
        """Parts that a step is cut into, whoever computes them: `parts`, or the next number that the ranks can share.

        >>> TrainingSettings(parts=3, ranks=2).num_parts
        6
        """
        return lcm(self.parts, self.ranks)

    def counted(self) -> dict[str, Any]:
        """Return as plain values what a model depends on: into how many parts a step is cut, not who computes them.

        From three parts on each rank adds up its own first, and last bits depend on how many there are.
        """
        do_ranks_count = self.ranks > 1 and self.num_parts > _SAME_IN_ANY_ORDER
        found = self.model_dump(mode="json", exclude=set() if do_ranks_count else {"ranks"})
        return {**found, "parts": self.num_parts}


@dataclass(frozen=True)
class Progress:
    """How far training is.

    Args:
        done: Examples that were learned from, each as often as it was.
        total: How many there will be.
        loss: Mean loss since the last one of these.
        examples_per_s: Speed since the last one of these.
        validation: Loss on the validation part at the end of a pass; None else.
    """

    done: int
    total: int
    loss: float
    examples_per_s: float
    validation: float | None = None

    def text(self) -> str:
        """Return one line.

        >>> Progress(done=50, total=200, loss=2.5, examples_per_s=1234.5).text()
        '25 %, loss 2.500, 1,234 examples a second'
        """
        validation = "" if self.validation is None else f", validation {self.validation:.3f}"
        share = 100 * self.done // max(self.total, 1)
        return f"{share} %, loss {self.loss:.3f}{validation}, {self.examples_per_s:,.0f} examples a second"


@dataclass(frozen=True)
class TrainingRun:
    """What one fit gets from whoever runs it.

    Args:
        settings: How to train.
        checkpoints: Folder of checkpoints, from the latest of which a fit of the same data goes on; None keeps none.
        told: Gets progress, some fifty times in a fit and at the end of each pass that is validated.
        clock: Seconds, for speeds alone; ranks that a fit starts have their own.
        scratch: Where ranks are handed what they learn from; None is the system's folder for temporary files.
    """

    settings: TrainingSettings = field(default_factory=TrainingSettings)
    checkpoints: Path | None = None
    told: Callable[[Progress], None] | None = None
    clock: Callable[[], float] = perf_counter
    scratch: Path | None = None
