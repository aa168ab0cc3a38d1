"""Training of the sequence model with torch.

Shapes: B sequences of a batch, L places (the beginning, then elements), D embedding, N items, T targets of a batch,
U items that a batch touches, C columns (items that a batch scores for all its targets), H heads, K numbers of a head.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from endcap.core.errors import Code, ModelError
from endcap.core.sampling import Sampler, integer_weights
from endcap.core.sequences import EVENT_KINDS, Catalogue, Queries
from endcap.models.sequence_batches import Batch, Batches, steps_of
from endcap.models.sequence_elements import NUM_GAPS, Collapsed
from endcap.models.sequence_scorer import SequenceScorer
from endcap.models.training.context import Context
from endcap.models.training.lookup import Rows
from endcap.models.training.loop import Step, train
from endcap.models.training.place import place_of, seeded
from endcap.models.training.ranks import joined
from endcap.models.training.settings import TrainingRun
from endcap.models.training.source import Source, held_out, walk
from endcap.models.training.table import Table

if TYPE_CHECKING:
    from endcap.models.sequence import SequenceModel

__all__ = ["Reader", "SequenceTask", "fit", "scorer_of"]

_LONGEST_STEP = 1.0
"""The gradient is cut to this length."""


class Reader(torch.nn.Module):
    """Reads sequences; its parameters and tables are the arrays of `SequenceScorer`, by the same names."""

    def __init__(self, recipe: "SequenceModel", num_items: int, context: Context) -> None:
        super().__init__()
        self.recipe = recipe
        dim, blocks = recipe.dim, recipe.blocks
        by_rows = recipe.tables == "by_rows"

        def table(columns: int, scale: float) -> Table:
            return Table(num_items, columns, scale=scale, by_rows=by_rows, context=context)

        self.items_ND, self.biases_N = table(dim, 0.05), table(1, 0.0)
        seeded(context.seed, 0)
        self.begin_D = _normal(dim, scale=0.05)
        self.events_ED = _normal(len(EVENT_KINDS), dim, scale=0.05)
        self.gaps_GD = _normal(NUM_GAPS, dim, scale=0.05)
        self.norms_MD = torch.nn.Parameter(torch.ones(2 * blocks + 1, dim))
        scale = dim**-0.5
        self.attend = _normal(blocks, 4 * dim, dim, scale=scale)
        self.attend_gate = _normal(blocks, dim, dim, scale=scale)
        self.attend_gate_biases = torch.nn.Parameter(torch.zeros(blocks, dim))
        self.inner = _normal(blocks, 4 * dim, dim, scale=scale)
        self.outer = _normal(blocks, dim, 2 * dim, scale=(2 * dim) ** -0.5)
        self.inner_gate = _normal(blocks, dim, dim, scale=scale)
        self.inner_gate_biases = torch.nn.Parameter(torch.zeros(blocks, dim))
        self.ask, self.know = (_normal(dim, dim, scale=scale) for _ in range(2))
        self.to(context.place.device)

    def forward(self, vectors_UD: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Return what each beginning of each history comes to, B x L x D: place 0 has seen nothing.

        Args:
            vectors_UD: Vectors of the items that are touched.
            batch: `at_BL`, `events_BL`, `gaps_BL`, `cosines_LK`, `sines_LK`; see `sequence_batches.Batch`.
        """
        items_BLD = functional.embedding(batch["at_BL"], vectors_UD)
        if self.training:
            seen_BL1 = torch.rand(*items_BLD.shape[:2], 1, device=items_BLD.device) >= self.recipe.item_dropout
            items_BLD = items_BLD * seen_BL1
        events_BLD = functional.embedding(batch["events_BL"], self.events_ED)
        gaps_BLD = functional.embedding(batch["gaps_BL"], self.gaps_GD)
        begin_B1D = self.begin_D.expand(len(items_BLD), 1, -1)
        values_BLD = torch.cat([begin_B1D, self._dropped(items_BLD + events_BLD + gaps_BLD)], dim=1)
        for block in range(self.recipe.blocks):
            norm_BLD = _normed(values_BLD, self.norms_MD[2 * block])
            gate_BLD = torch.sigmoid(
                functional.linear(norm_BLD, self.attend_gate[block], self.attend_gate_biases[block])
            )
            values_BLD = values_BLD + gate_BLD * self._dropped(self._attended(norm_BLD, self.attend[block], batch))
            norm_BLD = _normed(values_BLD, self.norms_MD[2 * block + 1])
            gate_BLD = torch.sigmoid(functional.linear(norm_BLD, self.inner_gate[block], self.inner_gate_biases[block]))
            left, right = functional.linear(norm_BLD, self.inner[block]).chunk(2, dim=-1)
            wide = functional.linear(functional.silu(left) * right, self.outer[block])
            values_BLD = values_BLD + gate_BLD * self._dropped(wide)
        return _normed(values_BLD, self.norms_MD[-1])

    def back(self, hidden_BLD: Tensor) -> Tensor:
        """Return what each place adds to the scores of elements, B x (L + 1) x L; it has not read those after it."""
        asked_BLD = functional.linear(hidden_BLD, self.ask)
        known_BLD = functional.linear(hidden_BLD[:, 1:], self.know)
        scores_BLL: Tensor = asked_BLD @ known_BLD.transpose(1, 2) * hidden_BLD.shape[-1] ** -0.5
        return scores_BLL

    def _attended(self, values_BLD: Tensor, weights: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        num, length, dim = values_BLD.shape
        heads = self.recipe.heads
        joined = functional.linear(values_BLD, weights[: 3 * dim]).view(num, length, 3, heads, dim // heads)
        asked, known, told = joined.permute(2, 0, 3, 1, 4)
        asked, known = (_turned(each, batch["cosines_LK"], batch["sines_LK"]) for each in (asked, known))
        together = functional.scaled_dot_product_attention(asked, known, told, is_causal=True)
        return functional.linear(together.transpose(1, 2).reshape(num, length, dim), weights[3 * dim :])

    def _dropped(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.recipe.dropout, self.training)


class SequenceTask:
    """A sequence model that is being fitted; see `training.loop.Task`. Its examples are sequences."""

    name = "sequence"

    def __init__(
        self,
        recipe: "SequenceModel",
        source: Source,
        num_items: int,
        context: Context,
        *,
        held: Source | None = None,
    ) -> None:
        self.recipe, self.source, self.held, self.seed = recipe, source, held, context.seed
        self.learning_rate, self.row_learning_rate = recipe.learning_rate, recipe.row_learning_rate
        counts_N, told, num_tokens = np.zeros(num_items, np.int64), hashlib.sha256(), 0
        self.num_of_shard: list[int] = []
        self._window: tuple[tuple[int, ...], Collapsed] | None = None
        for shard in range(len(source.sizes)):
            counts_N += np.bincount(source.read([shard]).items, minlength=num_items)
            found = self._read((shard,))
            self.num_of_shard.append(int(np.count_nonzero(found.lengths())))
            num_tokens += len(found.items_E)
            for values in (found.starts, found.items_E, found.events_E, found.gaps_E):
                told.update(values.tobytes())
        self.num = sum(self.num_of_shard)
        self.epochs = max(1, min(recipe.epochs, recipe.most_tokens // max(num_tokens, 1))) if self.num else 0
        self.total = self.epochs * self.num
        self.module = Reader(recipe, num_items, context)
        self.reads = {"items_U": (self.module.items_ND, self.module.biases_N)}
        drawn = Sampler(integer_weights(counts_N, power=recipe.negative_power))
        self.batches = Batches(recipe, drawn, num_items, seed=self.seed)
        # Of its own: the next pass is being made by a thread while the validation part is asked.
        asked = recipe.model_copy(update={"event_dropout": 0.0})
        self.asking = Batches(asked, drawn, num_items, seed=self.seed)
        told.update(f"{recipe.model_dump_json()} {self.seed} {num_items}".encode())
        self.of = told.hexdigest()

    def optimizer(self) -> torch.optim.Optimizer:
        """AdamW."""
        whole = [each for each in self.module.parameters() if each.requires_grad]
        decay = self.recipe.weight_decay
        return torch.optim.AdamW(whole, lr=self.learning_rate, betas=(0.9, 0.98), weight_decay=decay, fused=True)

    def steps(self, done: int, parts: Sequence[int], num_parts: int) -> Iterator[Step]:
        """Yield steps of up to `tokens` elements; see `training.loop.Task`."""
        for window, begin in walk(self.source, self.num_of_shard, passes=self.epochs, done=done, seed=self.seed):
            yield from self._steps_of(window, begin, done, parts, num_parts)

    def validation(self) -> Iterator[tuple[Any, float]]:
        """Yield the batches of the validation part, with nothing left out of them, and their targets."""
        if self.held is None:
            return
        for shard in range(len(self.held.sizes)):
            found = _collapsed(self.held, (shard,), self.recipe.history)
            for number, rows in enumerate(steps_of(found.lengths(), self.recipe.tokens, np.random.default_rng(0))):
                num = int(found.lengths()[rows].sum())
                yield self.asking.of(found, rows, name=number, num_targets=num), num

    def loss(self, batch: Mapping[str, Any], rows: Rows) -> Tensor:
        """Return the sum of a batch's softmax losses over the targets of its step.

        The softmax is over all items, or over drawn ones and the target: drawn items weigh 1 / (draws x probability),
        so that their sum estimates that over all items; what was drawn of the target itself is left out (accidental
        hits). What the history adds to the scores of its own items counts exactly.
        """
        reader = self.module
        vectors_UD, biases_U1 = rows["items_U"]
        biases_U = biases_U1.squeeze(1)
        hidden_BLD = reader(vectors_UD, batch)
        row_T, place_T, at_T = batch["target_row_T"], batch["target_place_T"], batch["target_at_T"]
        at_of_T = row_T * hidden_BLD.shape[1] + place_T
        hidden_TD = hidden_BLD.flatten(0, 1).index_select(0, at_of_T)
        read_TL = torch.arange(batch["at_BL"].shape[1], device=place_T.device) < place_T.unsqueeze(1)
        back_TL = reader.back(hidden_BLD).flatten(0, 1).index_select(0, at_of_T).float() * read_TL
        history_TL = batch["at_BL"].index_select(0, row_T)
        if batch["column_at_C"] is None:
            scores_TN = functional.linear(hidden_TD, vectors_UD, biases_U).float()
            losses = functional.cross_entropy(scores_TN.scatter_add(1, history_TL, back_TL), at_T, reduction="sum")
            return torch.div(losses, batch["num_targets"])
        is_own_TL = history_TL == at_T.unsqueeze(1)
        own_T = (hidden_TD.float() * functional.embedding(at_T, vectors_UD)).sum(dim=1) + biases_U[at_T]
        own_T = own_T + (back_TL * is_own_TL).sum(dim=1)
        columns_C = batch["column_at_C"]
        biases_C = biases_U[columns_C] + batch["column_log_weights_C"]
        other_TC = functional.linear(hidden_TD, functional.embedding(columns_C, vectors_UD), biases_C).float()
        other_TC = other_TC.masked_fill(columns_C == at_T.unsqueeze(1), -math.inf)
        # That an item of the history may have been drawn too is a small matter.
        vectors_BLD = functional.embedding(batch["at_BL"], vectors_UD)
        history_BLL = hidden_BLD @ vectors_BLD.transpose(1, 2) + biases_U[batch["at_BL"]].unsqueeze(1)
        back_TL = history_BLL.flatten(0, 1).index_select(0, at_of_T).float() + back_TL
        back_TL = back_TL.masked_fill(is_own_TL | ~read_TL, -math.inf)
        sums_T3 = [own_T, torch.logsumexp(other_TC, dim=1), torch.logsumexp(back_TL, dim=1)]
        loss: Tensor = (torch.logsumexp(torch.stack(sums_T3, dim=1), dim=1) - own_T).sum() / batch["num_targets"]
        return loss

    def _steps_of(
        self, window: tuple[int, ...], begin: int, done: int, parts: Sequence[int], num_parts: int
    ) -> Iterator[Step]:
        """Yield the steps of a window that end after a cursor."""
        found = self._read(window)
        lengths = found.lengths()
        for rows in steps_of(lengths, self.recipe.tokens, np.random.default_rng([self.seed, begin])):
            end = begin + len(rows)
            if begin >= done:
                num_targets = int(lengths[rows].sum())
                made: dict[int, Batch] = {
                    part: self.batches.of(
                        found, rows[part::num_parts], name=begin * num_parts + part, num_targets=num_targets
                    )
                    for part in parts
                }
                yield Step(begin, end, made, ends_pass=end % self.num == 0)
            begin = end

    def _read(self, window: tuple[int, ...]) -> Collapsed:
        if self._window is None or self._window[0] != window:
            self._window = window, _collapsed(self.source, window, self.recipe.history)
        return self._window[1]


def fit(
    recipe: "SequenceModel", source: Source, catalogue: Catalogue, *, seed: int, run: TrainingRun
) -> SequenceScorer:
    """Fit a reader and return its numpy twin; see `SequenceModel.fit`."""
    place = place_of(run.settings)
    with place.training(), joined(place.device) as ranks:
        context = Context(place, ranks, seed)
        learned, held = held_out(source, run.settings)
        task = SequenceTask(recipe, learned, len(catalogue), context, held=held)
        train(task, run, context, of=task.of, longest_step=_LONGEST_STEP)
        return scorer_of(task.module)


def scorer_of(reader: Reader) -> SequenceScorer:
    """Take a fitted reader over to numpy.

    Raises:
        ModelError: A number is not finite.
    """
    found: dict[str, Tensor] = {name: values for name, values in reader.named_parameters() if "." not in name}
    found |= {"items_ND": reader.items_ND.whole(), "biases_N": reader.biases_N.whole().squeeze(1)}
    arrays = {name: np.array(values.detach().cpu().numpy(), np.float32, order="C") for name, values in found.items()}
    scorer = SequenceScorer(**arrays, settings=reader.recipe.model_dump(mode="json"))
    if not scorer.is_finite():
        raise ModelError(
            "the sequence model's training ran out of the range of numbers",
            where=f"learning_rate = {reader.recipe.learning_rate}",
            fix="lower sequence's learning_rate, say to 0.001",
            code=Code.MODEL_NOT_FITTED,
        )
    return scorer


def _collapsed(source: Source, window: Sequence[int], history: int) -> Collapsed:
    found = source.read(window)
    return Collapsed.of(Queries(found.starts, found.items, found.events, found.at_us), history + 1)


def _normal(*shape: int, scale: float) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(*shape) * scale)


def _normed(values: Tensor, scales_D: Tensor) -> Tensor:
    return functional.rms_norm(values, (values.shape[-1],), scales_D, eps=1e-6)


def _turned(values: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    even, odd = values[..., 0::2], values[..., 1::2]
    return torch.stack([even * cosines - odd * sines, even * sines + odd * cosines], dim=-1).flatten(-2)
