"""item_markov: what followed the last items in earlier sequences. Half a second of CPU, and hard to beat.

Forward co-occurrence in a sequence's order, gaps weighted 1/gap, the query's items weighted decay^k from its end,
popularity for all that never followed. Sources: the 1/gap weights of sequential rules (Ludewig and Jannach 2018), the
decay over the session of STAN (Garg et al. 2019).
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from endcap.core.sequences import Catalogue, Sequences
from endcap.models.item_markov_choice import choose_settings
from endcap.models.item_markov_scorer import ItemMarkovScorer, fit_scorer

__all__ = ["ItemMarkov", "ItemMarkovScorer"]

Auto = Literal["auto"]


class ItemMarkov(BaseModel):
    """Recipe: count what followed what. A setting of "auto" is chosen on the latest fifth of the training sequences."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["item_markov"] = "item_markov"
    max_gap: Annotated[int, Field(ge=1, le=50)] | Auto = Field(
        default="auto",
        description="Steps between two items that still count as one following the other, weighted 1/gap; auto tries "
        "1, 3, 5, 8.",
    )
    decay: Annotated[float, Field(gt=0, le=1)] | Auto = Field(
        default="auto",
        description="Weight of the k-th item from the end of a history is decay^k; auto tries .1 to .85. Small where "
        "the last item says all.",
    )
    penalty: Annotated[float, Field(ge=0, le=1)] | Auto = Field(
        default="auto",
        description="Divide by the followed item's popularity to this power; auto tries 0, .25, .5. A long catalogue "
        "wants .5, a few hundred products 0.",
    )
    rows_sum: Annotated[float, Field(ge=0, le=1)] | Auto = Field(
        default="auto",
        description="Divide what followed an item by its sum to this power: 0 leaves counts, 1 makes probabilities; "
        "auto tries 0, .5, 1.",
    )

    def fit(self, sequences: Sequences, catalogue: Catalogue, *, seed: int) -> ItemMarkovScorer:  # noqa: ARG002 - a recipe's form
        """Choose what is "auto", then count over all sequences; nothing is drawn. See `Algorithm.fit`."""
        options = {
            "max_gap": self.max_gap, "decay": self.decay, "penalty": self.penalty, "rows_sum": self.rows_sum
        }  # fmt: skip
        given = {name: value for name, value in options.items() if not isinstance(value, str)}
        settings = choose_settings(sequences, len(catalogue), given)
        return fit_scorer(sequences, len(catalogue), settings)
