"""blend: several models' answers as one, mixed by shares that are chosen on a held-out part of the time.

This file holds the settings alone; the members' libraries are loaded when `fit` is called.
"""

from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from endcap.core.sequences import Catalogue, Sequences
from endcap.models.blend_scorer import BlendScorer
from endcap.models.training.settings import TrainingRun
from endcap.models.training.source import InMemory, Source

__all__ = ["Blend"]


class Blend(BaseModel):
    """The recipe of a mixture: each member's scores are made shares of one, and the shares are mixed.

    The members are fitted on the earlier part of the time, their weights are moved to where NDCG@20 is best on the
    later part, and the members that keep a weight are fitted again on everything.

    Source: Breiman 1996 (stacked regressions: weights that are not negative, chosen on what the members did not see).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reads_windows: ClassVar[bool] = False
    """Members may have to tell users apart, or need all at once."""

    kind: Literal["blend"] = "blend"
    members: tuple[str, ...] = Field(
        ("sequence", "two_tower", "item_markov"),
        min_length=1,
        description="Models to mix, by name. These three: on held-out sessions the third still gained .005 NDCG@10.",
    )
    logits: tuple[str, ...] = Field(
        ("sequence", "two_tower"),
        description="Members whose scores are logarithms: their shares are a softmax. All others' are what an item's "
        "score above 0 has of their sum.",
    )
    ask: Literal["session_next", "next_basket"] = Field(
        "session_next",
        description="What the weights are chosen by: the next different item of a sequence, or a user's next basket, "
        "for a shop with orders alone.",
    )
    held_out: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Share of the elements, the latest, that the weights are chosen on: by up to 4,096 questions, "
        "evenly spread over it.",
    )
    settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Settings of members, by name: [models.blend.settings.NAME]."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Accept members that stand once and are no blends, and settings of members."""
        if self.kind in self.members or len(set(self.members)) < len(self.members):
            raise ValueError("members names a model twice, or a blend")
        if unused := sorted(set(self.settings) - set(self.members)):
            raise ValueError(f"settings.{unused[0]} would be ignored: {unused[0]} is not named in members")
        return self

    def fit(self, sequences: Sequences, catalogue: Catalogue, *, seed: int) -> BlendScorer:
        """Choose the weights and fit the members; see `train`."""
        return self.train(InMemory(sequences), catalogue, seed=seed, run=TrainingRun())

    def train(self, source: Source, catalogue: Catalogue, *, seed: int, run: TrainingRun) -> BlendScorer:
        """Choose the weights and fit the members; see `models.protocol.TrainedAlgorithm`. All is read into memory.

        Raises:
            ModelError: There is no algorithm of a member's name, or a member cannot be fitted.
        """
        from endcap.models.blend_training import train  # noqa: PLC0415 - it knows all algorithms, this one among them

        return train(self, source.read(range(len(source.sizes))), catalogue, seed=seed, run=run)
