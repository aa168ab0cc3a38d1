"""Settings of the models room: `[models]` of endcap.toml."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from endcap.models.als import Als
from endcap.models.blend import Blend
from endcap.models.bought_together import BoughtTogether
from endcap.models.item_markov import ItemMarkov
from endcap.models.popular import Popular
from endcap.models.protocol import Algorithm
from endcap.models.recent import Recent
from endcap.models.registry import algorithm
from endcap.models.sequence import SequenceModel
from endcap.models.training.settings import TrainingSettings
from endcap.models.two_tower import TwoTower

__all__ = ["ALWAYS_MEASURED", "BEST", "MEASURES", "OURS", "EvaluationSettings", "ModelsConfig"]

OURS = ("popular", "recent", "item_markov", "bought_together", "two_tower", "sequence", "als", "blend")
"""The models that come with the house: each has a section of its own."""

MEASURES = ("hr", "ndcg", "mrr", "coverage")

BEST = "best"
"""In the place of a model's name: the one that is measured best."""

ALWAYS_MEASURED = 10
"""Length of the lists by which the best model is chosen: measured whatever `ks` says."""

_LEAST_SHARE = 0.05
"""Least share of all sequences that a test has, if the first day alone is not needed for it."""

_frozen = ConfigDict(frozen=True, extra="forbid")


class EvaluationSettings(BaseModel):
    """How models are measured before one is put in force: `[models.evaluation]`."""

    model_config = _frozen

    protocol: Literal["session_next", "time"] = Field(
        default="session_next",
        description="session_next asks for the next different item of a session; time asks for every later item of a "
        "user. session_next: most visitors of a shop have one session.",
    )
    split_day: str = Field(
        default="",
        pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$",
        description="First UTC day of the test, as YYYY-MM-DD; empty takes the last test_days days.",
    )
    test_days: int = Field(
        default=7,
        ge=1,
        le=365,
        description="Days with sequences that the test has where split_day is empty. 7: a whole week; a shop with "
        "fewer than four times as many such days takes a quarter of them.",
    )
    ks: tuple[int, ...] = Field(
        default=(5, 10, 20), min_length=1, description="Lengths of the lists that are measured."
    )
    resamples: int = Field(
        default=200,
        ge=20,
        le=10_000,
        description="Resamples of the bootstrap over users. 200: ends to a tenth of the width.",
    )

    @field_validator("split_day")
    @classmethod
    def _is_a_day(cls, day: str) -> str:
        """Accept days of the calendar."""
        if day:
            date.fromisoformat(day)
        return day

    @field_validator("ks")
    @classmethod
    def _are_lengths(cls, ks: tuple[int, ...]) -> tuple[int, ...]:
        """Accept lengths from 1, each once, ascending."""
        if min(ks) < 1 or len(set(ks)) < len(ks):
            raise ValueError("each length is at least 1 and stands once")
        return tuple(sorted(ks))

    def measures(self) -> list[str]:
        """Return the names of what is measured, such as ndcg@10, which always is."""
        return [f"{name}@{k}" for name in MEASURES for k in sorted({*self.ks, ALWAYS_MEASURED})]

    def first_test_day(self, num_sequences: Mapping[str, int]) -> str:
        """Return the first UTC day of the test.

        Days without sequences do not count, and the test reaches back until it has a fair share of all sequences: else
        a lone visit long after an old export, or a day that has just begun, would be the whole test.

        Args:
            num_sequences: Day -> its sequences, at least one, for one day or more.

        >>> EvaluationSettings().first_test_day({"2016-08-01": 9, "2016-08-02": 9, "2016-08-03": 9, "2016-08-09": 9})
        '2016-08-09'
        """
        if self.split_day:
            return self.split_day
        days = sorted(num_sequences)
        first = len(days) - max(1, min(self.test_days, len(days) // 4))
        wanted = _LEAST_SHARE * sum(num_sequences.values())
        while first > 1 and sum(num_sequences[day] for day in days[first:]) < wanted:
            first -= 1
        return days[first]


class ModelsConfig(BaseModel):
    """Which models are trained, with which settings, and how they are measured."""

    model_config = _frozen

    train: tuple[str, ...] = Field(
        default=("popular", "item_markov", "two_tower"),
        min_length=1,
        description="Models to train, by name. These three: popular answers a new visitor, item_markov is hard to "
        "beat, two_tower knows a new item before its first click.",
    )
    default: str = Field(
        default="best",
        description="The model that orders slates: one of `train`, or best for the one with the highest NDCG@10 on the "
        "test days. best: which model wins differs from shop to shop.",
    )
    popular: Popular = Field(default_factory=Popular, description="Everybody gets what most people chose.")
    recent: Recent = Field(default_factory=Recent, description="What the visitor looked at last, again.")
    item_markov: ItemMarkov = Field(
        default_factory=ItemMarkov, description="What followed the last items in earlier sequences."
    )
    bought_together: BoughtTogether = Field(
        default_factory=BoughtTogether,
        description="What lies in the same baskets more often than chance puts it there.",
    )
    two_tower: TwoTower = Field(
        default_factory=TwoTower, description="A vector for each history and each item, of ids and content."
    )
    sequence: SequenceModel = Field(
        default_factory=SequenceModel, description="A transformer that reads what a visitor did, and when."
    )
    als: Als = Field(
        default_factory=Als, description="Users and items as vectors, by matrix factorisation; needs endcap[als]."
    )
    blend: Blend = Field(
        default_factory=Blend, description="Several models' answers as one, by weights chosen on held-out time."
    )
    training: TrainingSettings = Field(
        default_factory=TrainingSettings, description="Where and how exactly models are trained by steps."
    )
    others: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Settings of algorithms of other packages, by name: [models.others.NAME]. Name them in `train`.",
    )
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings, description="How models are measured.")

    @model_validator(mode="after")
    def _fits(self) -> "ModelsConfig":
        """Accept a default that is trained, names that stand once, and settings of models that are trained."""
        if len(set(self.train)) < len(self.train):
            raise ValueError("train names a model twice")
        if self.default not in (BEST, *self.train):
            raise ValueError(f"default = '{self.default}' is not among the models to train: {', '.join(self.train)}")
        if unused := sorted(set(self.others) - (set(self.train) - set(OURS))):
            raise ValueError(
                f"others.{unused[0]} would be ignored: {unused[0]} is not named in train, or has a section of its own"
            )
        return self

    def serving_model(self, metrics: Mapping[str, Mapping[str, float | None]]) -> str:
        """Return the model that orders slates.

        Args:
            metrics: Model -> measure -> value, of the models trained; None where it is undefined.

        Returns:
            `default`, or for best the first of those with the highest NDCG@10; where none was measured, the first of
            item_markov and the models in the order of `train`.

        >>> ModelsConfig().serving_model({"popular": {"ndcg@10": 0.1}, "two_tower": {"ndcg@10": 0.2}})
        'two_tower'
        >>> ModelsConfig().serving_model({})
        'item_markov'
        """
        if self.default != BEST:
            return self.default
        measured = {name: (metrics.get(name) or {}).get("ndcg@10") for name in self.train}
        known = {name: value for name, value in measured.items() if value is not None}
        if known:
            return max(known, key=lambda name: known[name])
        return "item_markov" if "item_markov" in self.train else self.train[0]

    def recipes(self) -> dict[str, Algorithm]:
        """Return the recipes to train by name, in the order of `train`.

        Raises:
            ModelError: No package has an algorithm of that name, or its settings cannot be used.
        """
        return {
            name: getattr(self, name) if name in OURS else algorithm(name, self.others.get(name)) for name in self.train
        }
