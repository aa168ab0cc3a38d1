"""Training of the two-tower model with torch.

Shapes: B examples of a batch, N items, D embedding, L items of history, H hidden, C columns, Q draws from pools of an
example, U items that a batch touches; see `two_tower_batches`.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Catalogue, Int64
from endcap.models.training.context import Context
from endcap.models.training.lookup import Rows
from endcap.models.training.loop import Step, train
from endcap.models.training.place import place_of, seeded
from endcap.models.training.ranks import joined
from endcap.models.training.settings import TrainingRun
from endcap.models.training.source import Source, held_out, walk
from endcap.models.training.table import Table
from endcap.models.two_tower_batches import Batch, Batches, Contents
from endcap.models.two_tower_content import content_features, content_names
from endcap.models.two_tower_examples import Examples, Frequencies, examples_of
from endcap.models.two_tower_scorer import TwoTowerScorer

if TYPE_CHECKING:
    from endcap.models.two_tower import TwoTower

__all__ = ["Towers", "TwoTowerTask", "fit"]

_START_DECAY = 0.7
"""Weight of a place in the history at the start, relative to the next later one."""
_STEPS_AN_EPOCH, _SMALLEST_BATCH = 20, 32
"""A small shop has small batches, else an epoch would be one step."""
_LARGE = 50_000
"""Rows of a table from which on it is changed by rows: below, an optimiser of all of it costs little."""
_ITEMS_AT_ONCE = 65_536


class Towers(torch.nn.Module):
    """Both towers. The history is read with the same item vectors that are ranked.

    Two tables, one read and one ranked, were .03 HR@20 worse; so was the history without its direct way to the output
    (.027, both on a validation week of a shop of 462 items). A GRU in its place was .027 worse at 2.4 times the time.
    """

    def __init__(self, recipe: "TwoTower", contents: Contents, context: Context) -> None:
        super().__init__()
        self.id_dropout = recipe.id_dropout if contents.num_features else 0.0
        self.dropout = recipe.dropout
        dim, hidden = recipe.dim, recipe.hidden

        def table(rows: int, name: int) -> Table:
            by_rows = recipe.tables == "by_rows" or (recipe.tables == "auto" and rows > _LARGE)
            return Table(rows, dim, scale=0.1, by_rows=by_rows, context=replace(context, seed=context.seed + name))

        self.ids_ND = table(len(contents.features_NM), 0)
        self.contents_FD = table(contents.num_features + 1, 1)
        seeded(context.seed, 0)
        self.places_L = torch.nn.Parameter(_START_DECAY ** torch.arange(recipe.history, dtype=torch.float32))
        self.hidden_HI = torch.nn.Parameter(torch.randn(hidden, 2 * dim) * (2 * dim) ** -0.5)
        self.hidden_bias_H = torch.nn.Parameter(torch.zeros(hidden))
        self.out_DH = torch.nn.Parameter(torch.randn(dim, hidden) * 0.5 * hidden**-0.5)
        self.out_bias_D = torch.nn.Parameter(torch.zeros(dim))
        self.to(context.place.device)

    def item_vectors(self, batch: Mapping[str, Tensor], ids_UD: Tensor, contents_VD: Tensor) -> Tensor:
        """Return vectors of the items that a batch touches, U x D: its id's plus the weighted ones of its features.

        Args:
            batch: Which features each item has.
            ids_UD: Vectors of the items' ids.
            contents_VD: Vectors of the features.
        """
        if self.training and self.id_dropout:
            ids_UD = ids_UD * (torch.rand(len(ids_UD), 1, device=ids_UD.device) >= self.id_dropout)
        contents_PD = functional.embedding(batch["feature_at_P"], contents_VD)
        shares_PD = contents_PD * batch["feature_share_P"].unsqueeze(1)
        return ids_UD.index_add(0, batch["feature_row_P"], shares_PD)

    def query_vectors(self, vectors_UD: Tensor, batch: Mapping[str, Tensor], num: int) -> Tensor:
        """Return vectors of shoppers, B x D.

        Args:
            vectors_UD: Vectors of items.
            batch: The filled places of the histories: most are far shorter than L.
            num: B.
        """
        places_H = batch["history_place_H"]
        history_HD = self._dropped(functional.embedding(batch["history_at_H"], vectors_UD))
        empty_BD = vectors_UD.new_zeros(num, vectors_UD.shape[1])
        weights_H1 = functional.embedding(places_H, self.places_L.unsqueeze(1))
        mean_BD = empty_BD.index_add(0, batch["history_row_H"], history_HD * weights_H1)
        latest_G = batch["latest_G"]
        latest_BD = empty_BD.index_add(0, batch["history_row_H"][latest_G], history_HD[latest_G])
        both_BI = torch.cat([latest_BD, mean_BD], dim=1)
        inner_BH = functional.linear(both_BI, self.hidden_HI, self.hidden_bias_H)
        hidden_BH = self._dropped(functional.gelu(inner_BH, approximate="tanh"))
        return mean_BD + functional.linear(hidden_BH, self.out_DH, self.out_bias_D)

    def _dropped(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.dropout, self.training)


class TwoTowerTask:
    """A two-tower model that is being fitted; see `training.loop.Task`."""

    name = "two_tower"

    def __init__(
        self,
        recipe: "TwoTower",
        source: Source,
        contents: Contents,
        context: Context,
        *,
        held: Source | None = None,
    ) -> None:
        self.recipe, self.source, self.held, self.seed = recipe, source, held, context.seed
        self.learning_rate, self.row_learning_rate = recipe.learning_rate, recipe.row_learning_rate
        num_items = len(contents.features_NM)
        counts_N, self.seen_N = np.zeros(num_items, np.int64), np.zeros(num_items, bool)
        self.num_of_shard, weight, told = [], 0.0, hashlib.sha256()
        self._window: tuple[tuple[int, ...], Examples] | None = None
        for shard in range(len(source.sizes)):
            examples = self._examples((shard,))
            counts_N += examples.counts(num_items)
            self.seen_N[examples.items] = True
            self.num_of_shard.append(len(examples))
            weight += float(examples.weights.sum(dtype=np.float64))
            for values in vars(examples).values():
                told.update(values.tobytes())
        self.num = sum(self.num_of_shard)
        self.total = recipe.epochs * self.num
        self.batch = min(recipe.batch, max(_SMALLEST_BATCH, self.num // _STEPS_AN_EPOCH))
        self.mean_weight = weight / max(self.num, 1)
        self.module = Towers(recipe, contents, context)
        self.reads = {"items_U": (self.module.ids_ND,), "features_V": (self.module.contents_FD,)}
        frequencies = Frequencies.of(counts_N, power=recipe.negative_power)
        # Two makers: the next pass is being made by a thread while the validation part is asked.
        self.batches, self.asking = (
            Batches(each, frequencies, history=recipe.history, num_negatives=recipe.num_negatives, seed=self.seed)
            for each in (contents, Contents(contents.features_NM, contents.num_features))
        )
        told.update(contents.features_NM.tobytes())
        told.update(f"{recipe.model_dump_json()} {self.seed} {num_items} {contents.num_features}".encode())
        self.of = told.hexdigest()

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam."""
        whole = [each for each in self.module.parameters() if each.requires_grad]
        return torch.optim.Adam(whole, lr=self.learning_rate, betas=(0.9, 0.98), fused=True)

    def steps(self, done: int, parts: Sequence[int], num_parts: int) -> Iterator[Step]:
        """Yield steps of up to `batch` examples; see `training.loop.Task`."""
        for window, begin in walk(self.source, self.num_of_shard, passes=self.recipe.epochs, done=done, seed=self.seed):
            yield from self._steps_of(window, begin, done, parts, num_parts)

    def validation(self) -> Iterator[tuple[Any, float]]:
        """Yield the batches of the validation part, with nothing left out of them, and their examples."""
        if self.held is None:
            return
        for shard in range(len(self.held.sizes)):
            examples = examples_of(self.held.read([shard]))
            for first in range(0, len(examples), self.batch):
                rows = np.arange(first, min(first + self.batch, len(examples)))
                weight = 1 / (len(rows) * self.mean_weight)
                yield self.asking.of(examples, rows, name=first, weight=weight), len(rows)

    def loss(self, batch: Mapping[str, Any], rows: Rows) -> Tensor:
        """Return the weighted sum of the sampled softmax losses of a batch.

        The sum over all items is estimated by weighted columns; the target itself counts once and exactly, and whatever
        was drawn of it is left out (accidental hits).

        Draws from a pool of the example's own cannot stand for all items: their probability is that within the pool.
        They estimate the sum over the pool, which is added: its items count once more for this example alone, because
        it is known of them that they were there to be chosen, or are easily taken for the target.
        """
        vectors_UD = self.module.item_vectors(batch, *rows["items_U"], *rows["features_V"])
        query_BD = self.module.query_vectors(vectors_UD, batch, len(batch["target_B"]))
        logits_BC = (query_BD @ functional.embedding(batch["column_at_C"], vectors_UD).T).float()
        target_B1 = batch["target_B"].unsqueeze(1)
        log_weights_BC = batch["column_log_weights_C"].repeat(len(logits_BC), 1).scatter(1, target_B1, 0.0)
        weighted_BC = logits_BC + log_weights_BC
        if batch["pool_at_BQ"].shape[1]:
            pool_BQD = functional.embedding(batch["pool_at_BQ"], vectors_UD)
            logits_BQ = (pool_BQD @ query_BD.unsqueeze(2)).squeeze(2).float()
            weighted_BC = torch.cat([weighted_BC, logits_BQ + batch["pool_log_weights_BQ"]], 1)
        losses_B = torch.logsumexp(weighted_BC, dim=1) - logits_BC.gather(1, target_B1).squeeze(1)
        loss: Tensor = (losses_B * batch["weights_B"]).sum()
        return loss

    def _steps_of(
        self, window: tuple[int, ...], begin: int, done: int, parts: Sequence[int], num_parts: int
    ) -> Iterator[Step]:
        """Yield the steps of a window that end after a cursor."""
        examples = self._examples(window)
        order = np.random.default_rng([self.seed, begin]).permutation(len(examples))
        for first in range(0, len(order), self.batch):
            rows = np.sort(order[first : first + self.batch])
            if begin + first < done:
                continue
            weight = 1 / (len(rows) * self.mean_weight)
            end = begin + first + len(rows)
            made: dict[int, Batch] = {
                part: self.batches.of(
                    examples, rows[part::num_parts], name=(begin + first) * num_parts + part, weight=weight
                )
                for part in parts
            }
            yield Step(begin + first, end, made, ends_pass=end % self.num == 0)

    def _examples(self, window: tuple[int, ...]) -> Examples:
        if self._window is None or self._window[0] != window:
            self._window = window, examples_of(self.source.read(window))
        return self._window[1]


def fit(recipe: "TwoTower", source: Source, catalogue: Catalogue, *, seed: int, run: TrainingRun) -> TwoTowerScorer:
    """Fit the towers and return their numpy twin; see `TwoTower.fit`."""
    place = place_of(run.settings)
    with place.training(), joined(place.device) as ranks:
        context, contents = Context(place, ranks, seed), Contents(*content_features(catalogue))
        learned, held = held_out(source, run.settings)
        task = TwoTowerTask(recipe, learned, contents, context, held=held)
        train(task, run, context, of=task.of)
        scorer = scorer_of(task.module, recipe, contents, task.seen_N)
        return replace(scorer, content_names=content_names(catalogue))


def scorer_of(towers: Towers, recipe: "TwoTower", contents: Contents, seen_N: NDArray[np.bool_]) -> TwoTowerScorer:
    """Take the fitted towers over to numpy; an item without any event keeps its content alone.

    Raises:
        ModelError: A number is not finite.
    """
    scorer = TwoTowerScorer(
        item_vectors_ND=_vectors(towers, contents, seen_N),
        place_weights_L=_to_numpy(towers.places_L),
        hidden_weights_HI=_to_numpy(towers.hidden_HI),
        hidden_biases_H=_to_numpy(towers.hidden_bias_H),
        out_weights_DH=_to_numpy(towers.out_DH),
        out_biases_D=_to_numpy(towers.out_bias_D),
        contents_CD=_to_numpy(towers.contents_FD.whole())[1:],
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


def _vectors(towers: Towers, contents: Contents, seen_N: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the vectors of all items, N x D."""
    ids_ND, features_FD = (_to_numpy(table.whole()) for table in (towers.ids_ND, towers.contents_FD))
    vectors_ND = np.where(seen_N[:, None], ids_ND, np.float32(0))
    for first in range(0, len(vectors_ND), _ITEMS_AT_ONCE):
        items_U: Int64 = np.arange(first, min(first + _ITEMS_AT_ONCE, len(vectors_ND)))
        touched = contents.touched(items_U)
        found_PD = features_FD[touched.features_V[touched.feature_at_P]] * touched.feature_share_P[:, None]
        np.add.at(vectors_ND, first + touched.feature_row_P, found_PD)
    return vectors_ND


def _to_numpy(values: Tensor) -> NDArray[np.float32]:
    return np.array(values.detach().cpu().numpy(), np.float32, order="C")
