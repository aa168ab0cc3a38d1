"""Sequence: a causal transformer reads what a visitor did, and when, and says what comes next.

This file holds the settings alone; torch is loaded when `fit` is called.
"""

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from endcap.core.sequences import Catalogue, Sequences
from endcap.models.searched import Among, Between, Searched
from endcap.models.sequence_scorer import SequenceScorer
from endcap.models.training.settings import TrainingRun
from endcap.models.training.source import InMemory, Source

__all__ = ["SequenceModel"]


class SequenceModel(BaseModel):
    """The recipe of a sequence model.

    Each element of a history is the sum of three vectors: of its item, of what was done with it (viewed, put into the
    cart, bought) and of the time since the one before. The item vectors that are read are the ones that are ranked.
    Items of the history score more or less by what was done with them: shoppers come back to what they saw, and buy
    what lies in the cart, and no vector of an item knows that it is there.

    Sources: Kang and McAuley 2018 (SASRec: causal attention over items); Su et al. 2021 (rotary places); Zhang et al.
    2019 (root mean square norm); Shazeer 2020 (SwiGLU); Borisyuk et al. 2025 (LiGR: gates on what a layer adds);
    Vinyals et al. 2015 (pointing back at what was read), here as a term of the score.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    searched: ClassVar[Searched] = {
        "dim": Among((32, 64, 96, 128)),
        "blocks": Among((1, 2, 3)),
        "epochs": Between(6, 48, by_factor=True, whole=True),
        "learning_rate": Between(0.001, 0.01, by_factor=True),
        "row_learning_rate": Between(0.03, 0.4, by_factor=True),
        "dropout": Between(0.0, 0.5),
        "item_dropout": Between(0.0, 0.4),
        "weight_decay": Between(0.001, 0.3, by_factor=True),
    }

    reads_windows: ClassVar[bool] = True
    shares_steps: ClassVar[bool] = True

    kind: Literal["sequence"] = "sequence"
    dim: int = Field(64, ge=4, le=1024, description="Numbers in a vector.")
    blocks: int = Field(2, ge=1, le=12, description="Layers of attention.")
    heads: int = Field(2, ge=1, le=16, description="Heads of a layer; dim is a multiple of twice as many.")
    history: int = Field(50, ge=1, le=1000, description="Last items of a history that are read.")
    epochs: int = Field(24, ge=1, le=1000, description="Passes over the sequences, if `most_tokens` allows them.")
    most_tokens: int = Field(
        20_000_000,
        ge=1,
        description="Elements that are learned from in all, each as often as it comes: fewer passes over a large shop. "
        "20,000,000: some ten minutes of one core.",
    )
    tokens: int = Field(2048, ge=1, le=1_048_576, description="Elements in a step, at most; one sequence at least.")
    learning_rate: float = Field(
        0.004, gt=0, le=1, description="Highest step size of AdamW, rising for 5 % of the steps, then falling."
    )
    tables: Literal["dense", "by_rows"] = Field(
        "by_rows",
        description="How the table of items learns. dense: by AdamW, all of it at each step. by_rows: by row-wise "
        "Adagrad, the rows that a step has read; ranks share the table out. by_rows: after half as many passes it was "
        "as good.",
    )
    row_learning_rate: float = Field(
        0.1, gt=0, le=10, description="Highest step size of row-wise Adagrad, paced like the other."
    )
    weight_decay: float = Field(0.01, ge=0, le=1, description="Of AdamW.")
    dropout: float = Field(0.2, ge=0, lt=1, description="Share of numbers left out of what a layer adds.")
    item_dropout: float = Field(0.1, ge=0, lt=1, description="Share of items of a history that a step does not see.")
    event_dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of sequences of which a step sees items alone, so that it can answer who knows no more.",
    )
    num_negatives: int = Field(
        1024,
        ge=1,
        le=65536,
        description="Items drawn for a step beside its targets. A shop with no more than four times as many items has "
        "all of them scored.",
    )
    negative_power: float = Field(
        0.75, ge=0, le=1, description="Items are drawn by count^power; 0 is uniform. .75: the usual middle."
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        """Accept heads that the vector can be cut into, of an even width: places are rotations of pairs."""
        if self.dim % (2 * self.heads):
            raise ValueError(f"dim = {self.dim} is no multiple of 2 x heads = {2 * self.heads}")
        return self

    def fit(self, sequences: Sequences, catalogue: Catalogue, *, seed: int) -> SequenceScorer:
        """Learn from sequences; see `train`."""
        return self.train(InMemory(sequences), catalogue, seed=seed, run=TrainingRun())

    def train(self, source: Source, catalogue: Catalogue, *, seed: int, run: TrainingRun) -> SequenceScorer:
        """Learn from sequences; see `models.protocol.TrainedAlgorithm`.

        Raises:
            ModelError: Training ran out of the numbers' range.
        """
        from endcap.models.sequence_training import fit  # noqa: PLC0415 - only training may load torch

        return fit(self, source, catalogue, seed=seed, run=run)
