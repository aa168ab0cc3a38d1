"""Training of the two-tower model with torch, on one thread.

Shapes: B examples of a step, N items, D embedding, L items of history, H hidden, C columns (items that a step scores),
P negatives from pools, U items that a step touches, M features of one item.
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Catalogue, Sequences
from endcap.models.training import one_thread, pace
from endcap.models.two_tower_content import content_features, content_names
from endcap.models.two_tower_examples import Examples, columns_of_step, examples_of
from endcap.models.two_tower_scorer import TwoTowerScorer

if TYPE_CHECKING:
    from endcap.models.two_tower import TwoTower

__all__ = ["Towers", "fit_towers", "scorer_of", "train"]

_START_DECAY = 0.7
"""Weight of a place in the history at the start, relative to the next later one."""

_STEPS_AN_EPOCH, _SMALLEST_BATCH = 20, 32
"""A small shop has small batches, else an epoch would be one step."""


class Towers(torch.nn.Module):
    """Both towers. The history is read with the same item vectors that are ranked.

    Two tables, one read and one ranked, were .03 HR@20 worse; so was the history without its direct way to the output
    (.027, both on a validation week of a shop of 462 items). A GRU in its place was .027 worse at 2.4 times the time.
    """

    def __init__(
        self, recipe: "TwoTower", features_NM: NDArray[np.int64], num_features: int, draws: torch.Generator
    ) -> None:
        super().__init__()
        self.features_NM = features_NM
        self.per_feature_N = (np.maximum((features_NM > 0).sum(axis=1), 1) ** -0.5).astype(np.float32)
        self.draws = draws
        self.id_dropout = recipe.id_dropout if num_features else 0.0
        self.dropout = recipe.dropout
        dim, hidden = recipe.dim, recipe.hidden
        self.ids_ND = self._normal(len(features_NM), dim, scale=0.1)
        self.contents_FD = self._normal(num_features + 1, dim, scale=0.1)
        self.places_L = torch.nn.Parameter(_START_DECAY ** torch.arange(recipe.history, dtype=torch.float32))
        self.hidden_HI = self._normal(hidden, 2 * dim, scale=(2 * dim) ** -0.5)
        self.hidden_bias_H = torch.nn.Parameter(torch.zeros(hidden))
        self.out_DH = self._normal(dim, hidden, scale=0.5 * hidden**-0.5)
        self.out_bias_D = torch.nn.Parameter(torch.zeros(dim))

    def item_vectors(self, items_U: NDArray[np.int64]) -> Tensor:
        """Return vectors of items: id plus the sum of its features' vectors over the root of their number."""
        ids_UD = functional.embedding(torch.from_numpy(items_U), self.ids_ND)
        if self.training and self.id_dropout:
            ids_UD = ids_UD * (torch.rand(len(items_U), 1, generator=self.draws) >= self.id_dropout)
        features_UM = self.features_NM[items_U]
        rows, places = np.nonzero(features_UM)
        share = torch.from_numpy(self.per_feature_N[items_U][rows]).unsqueeze(1)
        contents_PD = functional.embedding(torch.from_numpy(features_UM[rows, places]), self.contents_FD) * share
        return ids_UD.index_add(0, torch.from_numpy(rows), contents_PD)

    def query_vectors(self, vectors_UD: Tensor, at_BL: NDArray[np.int64], filled_BL: NDArray[np.bool_]) -> Tensor:
        """Return vectors of shoppers.

        Args:
            vectors_UD: Vectors of items.
            at_BL: Rows of `vectors_UD`, latest first.
            filled_BL: False where a history has ended.
        """
        # Only filled places are read: most histories are far shorter than L.
        rows_P, places_P = (torch.from_numpy(found) for found in np.nonzero(filled_BL))
        history_PD = self._dropped(functional.embedding(torch.from_numpy(at_BL[filled_BL]), vectors_UD))
        empty_BD = torch.zeros(len(at_BL), vectors_UD.shape[1])
        mean_BD = empty_BD.index_add(0, rows_P, history_PD * self.places_L[places_P].unsqueeze(1))
        latest_P = places_P == 0
        latest_BD = empty_BD.index_add(0, rows_P[latest_P], history_PD[latest_P])
        both_BI = torch.cat([latest_BD, mean_BD], dim=1)
        inner_BH = functional.linear(both_BI, self.hidden_HI, self.hidden_bias_H)
        hidden_BH = self._dropped(functional.gelu(inner_BH, approximate="tanh"))
        return mean_BD + functional.linear(hidden_BH, self.out_DH, self.out_bias_D)

    def _dropped(self, values: Tensor) -> Tensor:
        if not (self.training and self.dropout):
            return values
        kept = torch.empty_like(values).bernoulli_(1 - self.dropout, generator=self.draws)
        return values * kept / (1 - self.dropout)

    def _normal(self, rows: int, columns: int, *, scale: float) -> torch.nn.Parameter:
        return torch.nn.Parameter(torch.randn(rows, columns, generator=self.draws) * scale)


def train(recipe: "TwoTower", sequences: Sequences, catalogue: Catalogue, *, seed: int) -> TwoTowerScorer:
    """Fit the towers and return their numpy twin; see `TwoTower.fit`."""
    with one_thread():
        towers = fit_towers(recipe, sequences, catalogue, seed=seed)
        scorer = scorer_of(towers, recipe, _seen(sequences, len(catalogue)))
        return replace(scorer, content_names=content_names(catalogue))


def fit_towers(recipe: "TwoTower", sequences: Sequences, catalogue: Catalogue, *, seed: int) -> Towers:
    """Fit the towers by Adam over a fixed number of epochs."""
    draws = torch.Generator().manual_seed(seed)
    towers = Towers(recipe, *content_features(catalogue), draws)
    examples = examples_of(sequences, len(catalogue))
    if len(examples) == 0:
        return towers.eval()
    batch = min(recipe.batch, max(_SMALLEST_BATCH, len(examples) // _STEPS_AN_EPOCH))
    num_steps = recipe.epochs * math.ceil(len(examples) / batch)
    optimizer = torch.optim.Adam(towers.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), fused=True)
    step = 0
    for epoch in range(recipe.epochs):
        order = np.random.default_rng([seed, epoch]).permutation(len(examples))
        for begin in range(0, len(order), batch):
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * pace(step / num_steps)
            optimizer.zero_grad()
            loss = _loss(towers, recipe, examples, _Step(np.sort(order[begin : begin + batch]), step, seed))
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            step += 1
    return towers.eval()


def scorer_of(towers: Towers, recipe: "TwoTower", seen_N: NDArray[np.bool_]) -> TwoTowerScorer:
    """Take the fitted towers over to numpy; an item without any event keeps its content alone.

    Raises:
        ModelError: A number is not finite.
    """
    with torch.no_grad():
        towers.ids_ND[torch.from_numpy(~seen_N)] = 0.0
        vectors_ND = towers.item_vectors(np.arange(len(seen_N)))
    scorer = TwoTowerScorer(
        item_vectors_ND=_to_numpy(vectors_ND),
        place_weights_L=_to_numpy(towers.places_L),
        hidden_weights_HI=_to_numpy(towers.hidden_HI),
        hidden_biases_H=_to_numpy(towers.hidden_bias_H),
        out_weights_DH=_to_numpy(towers.out_DH),
        out_biases_D=_to_numpy(towers.out_bias_D),
        contents_CD=_to_numpy(towers.contents_FD)[1:],
        settings=recipe.model_dump(mode="json"),
    )
    if not scorer.is_finite():
        raise ModelError(
            "two_tower's training ran out of the range of numbers",
            where=f"learning_rate = {recipe.learning_rate}",
            fix="lower two_tower's learning_rate, say to 0.001",
            code=Code.MODEL_NOT_FITTED,
        )
    return scorer


def _to_numpy(values: Tensor) -> NDArray[np.float32]:
    return np.array(values.detach().numpy(), np.float32, order="C")


@dataclass(frozen=True)
class _Step:
    """The examples of a step, its number, and the seed of the run."""

    rows: NDArray[np.int64]
    number: int
    seed: int


def _loss(towers: Towers, recipe: "TwoTower", examples: Examples, step: _Step) -> Tensor:
    """Return the mean sampled softmax loss of a step.

    The sum over all items is estimated by weighted columns; the target itself counts once and exactly, and whatever was
    drawn of it is left out (accidental hits).

    Draws from a pool of the example's own cannot stand for all items: their probability is that within the pool. They
    estimate the sum over the pool, which is added: its items count once more for this example alone, because it is
    known of them that they were there to be chosen, or are easily taken for the target.
    """
    columns = columns_of_step(
        examples,
        step.rows,
        num_negatives=recipe.num_negatives,
        power=recipe.negative_power,
        name=step.number,
        seed=step.seed,
    )
    history_BL, filled_BL = examples.histories(step.rows, recipe.history)
    longest = max(1, int(filled_BL.sum(axis=1).max()))
    history_BL, filled_BL = history_BL[:, :longest], filled_BL[:, :longest]
    pool_BP = np.maximum(examples.pool_negatives[step.rows], 0)
    parts = (columns.items, history_BL.ravel(), pool_BP.ravel())
    touched_U, at = np.unique(np.concatenate(parts), return_inverse=True)
    at_C, at_history, at_pool = np.split(at, np.cumsum([len(part) for part in parts[:-1]]))
    at_BL, at_BP = at_history.reshape(history_BL.shape), at_pool.reshape(pool_BP.shape)
    vectors_UD = towers.item_vectors(touched_U)
    query_BD = towers.query_vectors(vectors_UD, at_BL, filled_BL)
    logits_BC = query_BD @ functional.embedding(torch.from_numpy(at_C), vectors_UD).T
    target_B1 = torch.from_numpy(columns.target).unsqueeze(1)
    log_weights_C = torch.from_numpy(np.log(columns.weights).astype(np.float32))
    log_weights_BC = log_weights_C.repeat(len(step.rows), 1).scatter(1, target_B1, 0.0)
    weighted_BC = logits_BC + log_weights_BC
    if pool_BP.shape[1]:
        pool_BPD = functional.embedding(torch.from_numpy(at_BP), vectors_UD)
        logits_BP = (pool_BPD @ query_BD.unsqueeze(2)).squeeze(2)
        weighted_BC = torch.cat([weighted_BC, logits_BP + torch.from_numpy(_pool_log_weights(examples, step.rows))], 1)
    losses_B = torch.logsumexp(weighted_BC, dim=1) - logits_BC.gather(1, target_B1).squeeze(1)
    return (losses_B * torch.from_numpy(examples.weights[step.rows])).mean()


def _pool_log_weights(examples: Examples, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the B x P logarithms of the weights of draws from pools; minus infinity leaves a place out."""
    pool_BP, target_B = examples.pool_negatives[rows], examples.items[examples.targets[rows]]
    counts_BP = (pool_BP >= 0) & (pool_BP != target_B[:, None])
    weights_BP = np.where(counts_BP, examples.pool_weights[rows], 1.0).astype(np.float32)
    return np.where(counts_BP, np.log(weights_BP), -np.inf).astype(np.float32)


def _seen(sequences: Sequences, num_items: int) -> NDArray[np.bool_]:
    return np.bincount(sequences.items, minlength=num_items) > 0
