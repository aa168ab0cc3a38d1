"""Two-tower: items and shoppers as vectors, learned together; a new item gets its vector from its content.

This file holds the settings alone; torch is loaded when `fit` is called.
"""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from endcap.core.sequences import Catalogue, Sequences
from endcap.models.searched import Among, Between, Searched
from endcap.models.training.settings import TrainingRun
from endcap.models.training.source import InMemory, Source
from endcap.models.two_tower_scorer import TwoTowerScorer

__all__ = ["TwoTower"]


class TwoTower(BaseModel):
    """The recipe of a two-tower model.

    Vectors are not scaled to length one: an inner product can learn how popular an item is, and needs no temperature.

    Source: Yi et al. 2019 (in-batch negatives corrected by their frequency); Covington et al. 2016 (history as a mean).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    searched: ClassVar[Searched] = {
        "dim": Among((32, 64, 96, 128)),
        "epochs": Between(3, 30, by_factor=True, whole=True),
        "learning_rate": Between(0.001, 0.03, by_factor=True),
        "history": Among((5, 10, 20, 50)),
        "dropout": Between(0.0, 0.5),
        "id_dropout": Between(0.0, 0.4),
        "negative_power": Between(0.0, 1.0),
    }

    reads_windows: ClassVar[bool] = True
    shares_steps: ClassVar[bool] = True

    kind: Literal["two_tower"] = "two_tower"
    dim: int = Field(
        64,
        ge=1,
        le=1024,
        description="Numbers in a vector. 64: 96 gained .006 HR@20 at 1.3 times the time.",
    )
    hidden: int = Field(
        128, ge=1, le=4096, description="Width of the shopper tower's hidden layer. 128: twice the vector."
    )
    history: int = Field(
        20, ge=1, le=1000, description="Last items of a history that are read. 20: 12 was .002 HR@20 worse, and faster."
    )
    epochs: int = Field(
        10, ge=1, le=1000, description="Passes over the examples. 10: HR@20 is flat from 5 on, NDCG@10 still rose .004."
    )
    batch: int = Field(
        512,
        ge=1,
        le=65536,
        description="Examples in a step, at most. 512; a small shop gets smaller ones, so that an epoch has 20 steps "
        "or a step has 32 examples.",
    )
    learning_rate: float = Field(
        0.006,
        gt=0,
        le=1,
        description="Highest step size of Adam, rising for 5 % of the steps, then falling. .006: .003 was worse.",
    )
    tables: Literal["auto", "dense", "by_rows"] = Field(
        "auto",
        description="How tables of vectors learn. dense: by Adam, all of it at each step. by_rows: by row-wise "
        "Adagrad, the rows that a step has read; ranks share the table out. auto: by_rows from 50,001 rows on.",
    )
    row_learning_rate: float = Field(
        0.1, gt=0, le=10, description="Highest step size of row-wise Adagrad, paced like the other."
    )
    num_negatives: int = Field(
        1024,
        ge=0,
        le=65536,
        description="Items drawn for a step beside the targets of its other examples; fewer where the examples bring "
        "negatives of their own. A shop with no more items than this has all of them scored. 1024: costs little.",
    )
    negative_power: float = Field(
        0.75, ge=0, le=1, description="Items are drawn by count^power; 0 is uniform. .75: the usual middle."
    )
    id_dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of items that a step knows by their content alone, so that content speaks for a new item. "
        ".1: .3 cost nothing either. Has no effect where the catalogue has no content.",
    )
    dropout: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="Share of numbers left out of the history and the hidden layer. .2: .3 was as good.",
    )

    def fit(self, sequences: Sequences, catalogue: Catalogue, *, seed: int) -> TwoTowerScorer:
        """Learn from sequences; see `train`."""
        return self.train(InMemory(sequences), catalogue, seed=seed, run=TrainingRun())

    def train(self, source: Source, catalogue: Catalogue, *, seed: int, run: TrainingRun) -> TwoTowerScorer:
        """Learn from sequences; see `models.protocol.TrainedAlgorithm`.

        Without sequences the vectors come from content alone, and a new visitor's scores are all equal.

        Raises:
            ModelError: Training ran out of the numbers' range.
        """
        from endcap.models.two_tower_training import fit  # noqa: PLC0415 - only training may load torch

        return fit(self, source, catalogue, seed=seed, run=run)
