"""Training of the sequence model with torch, on one thread.

Shapes: B sequences of a step, L places (the beginning, then elements), D embedding, N items, T targets of a step,
C columns (items that a step scores), H heads, K numbers of a head.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from endcap.core.errors import Code, ModelError
from endcap.core.sampling import draw, integer_weights
from endcap.core.sequences import EVENT_KINDS, Catalogue, Int64, Queries, Sequences
from endcap.models.sequence_elements import NUM_GAPS, Elements
from endcap.models.sequence_scorer import SequenceScorer, rotations
from endcap.models.training import one_thread, pace

if TYPE_CHECKING:
    from endcap.models.sequence import SequenceModel

__all__ = ["Reader", "train"]

_ALL_OF = 4
"""A catalogue of no more than so many times the negatives is scored whole: that is quicker than to draw."""
_LONGEST_STEP = 1.0
"""The gradient is cut to this length."""
_NO_TARGET = -1


class Reader(torch.nn.Module):
    """Reads sequences; its parameters are the arrays of `SequenceScorer`, by the same names."""

    def __init__(self, recipe: "SequenceModel", num_items: int) -> None:
        super().__init__()
        self.recipe = recipe
        dim, blocks = recipe.dim, recipe.blocks
        self.items_ND = _normal(num_items, dim, scale=0.05)
        self.biases_N = torch.nn.Parameter(torch.zeros(num_items))
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

    def forward(self, elements: Elements) -> Tensor:
        """Return what each beginning of each history comes to, B x L x D: place 0 has seen nothing."""
        items_BLD = functional.embedding(torch.from_numpy(elements.items_BL), self.items_ND)
        if self.training:
            items_BLD = items_BLD * (torch.rand(*items_BLD.shape[:2], 1) >= self.recipe.item_dropout)
        events_BLD = functional.embedding(torch.from_numpy(elements.events_BL), self.events_ED)
        gaps_BLD = functional.embedding(torch.from_numpy(elements.gaps_BL), self.gaps_GD)
        begin_B1D = self.begin_D.expand(len(items_BLD), 1, -1)
        values_BLD = torch.cat([begin_B1D, self._dropped(items_BLD + events_BLD + gaps_BLD)], dim=1)
        for block in range(self.recipe.blocks):
            norm_BLD = _normed(values_BLD, self.norms_MD[2 * block])
            gate_BLD = torch.sigmoid(
                functional.linear(norm_BLD, self.attend_gate[block], self.attend_gate_biases[block])
            )
            values_BLD = values_BLD + gate_BLD * self._dropped(self._attended(norm_BLD, self.attend[block]))
            norm_BLD = _normed(values_BLD, self.norms_MD[2 * block + 1])
            gate_BLD = torch.sigmoid(functional.linear(norm_BLD, self.inner_gate[block], self.inner_gate_biases[block]))
            left, right = functional.linear(norm_BLD, self.inner[block]).chunk(2, dim=-1)
            wide = functional.linear(functional.silu(left) * right, self.outer[block])
            values_BLD = values_BLD + gate_BLD * self._dropped(wide)
        return _normed(values_BLD, self.norms_MD[-1])

    def back(self, hidden_BLD: Tensor) -> Tensor:
        """Return what each place adds to the scores of elements that it has read, B x L x (L - 1); 0 for later ones."""
        asked_BLD = functional.linear(hidden_BLD, self.ask)
        known_BLD = functional.linear(hidden_BLD[:, 1:], self.know)
        scores_BLL: Tensor = asked_BLD @ known_BLD.transpose(1, 2) * hidden_BLD.shape[-1] ** -0.5
        return scores_BLL.tril(-1)

    def _attended(self, values_BLD: Tensor, weights: Tensor) -> Tensor:
        batch, length, dim = values_BLD.shape
        heads = self.recipe.heads
        joined = functional.linear(values_BLD, weights[: 3 * dim]).view(batch, length, 3, heads, dim // heads)
        asked, known, told = joined.permute(2, 0, 3, 1, 4)
        cosines, sines = (torch.from_numpy(each) for each in rotations(length, dim // heads))
        asked, known = (_turned(each, cosines, sines) for each in (asked, known))
        together = functional.scaled_dot_product_attention(asked, known, told, is_causal=True)
        return functional.linear(together.transpose(1, 2).reshape(batch, length, dim), weights[3 * dim :])

    def _dropped(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.recipe.dropout, self.training)


def train(recipe: "SequenceModel", sequences: Sequences, catalogue: Catalogue, *, seed: int) -> SequenceScorer:
    """Fit a reader and return its numpy twin; see `SequenceModel.fit`."""
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reader = Reader(recipe, len(catalogue))
        _fit(reader, sequences, len(catalogue), seed=seed)
        return _scorer_of(reader)


def _fit(reader: Reader, sequences: Sequences, num_items: int, *, seed: int) -> None:
    """Fit by AdamW over a number of passes that `most_tokens` allows."""
    recipe = reader.recipe
    whole = Elements.of(_as_queries(sequences), recipe.history + 1)
    num_tokens = int(whole.lengths_B.sum())
    if not num_tokens:
        return
    epochs = max(1, min(recipe.epochs, recipe.most_tokens // num_tokens))
    steps = [
        list(_steps_of(whole.lengths_B, recipe.tokens, np.random.default_rng([seed, epoch]))) for epoch in range(epochs)
    ]
    num_steps = sum(map(len, steps))
    optimizer = torch.optim.AdamW(
        reader.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay, fused=True
    )
    weights_N = integer_weights(np.bincount(sequences.items, minlength=num_items), power=recipe.negative_power)
    reader.train()
    for number, rows in enumerate(rows for epoch in steps for rows in epoch):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * pace(number / num_steps)
        optimizer.zero_grad()
        loss = _loss(reader, whole, rows, weights_N, number=number, seed=seed)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(reader.parameters(), _LONGEST_STEP)
        optimizer.step()
    reader.eval()


def _as_queries(sequences: Sequences) -> Queries:
    return Queries(sequences.starts, sequences.items, sequences.events, sequences.at_us)


def _steps_of(lengths_S: Int64, tokens: int, rng: np.random.Generator) -> Iterator[Int64]:
    """Yield the sequences of each step of an epoch: of about one length, as what is padded is computed in vain."""
    order_S = np.lexsort((rng.random(len(lengths_S)), lengths_S))
    order_S = order_S[lengths_S[order_S] > 0]
    fits_S = np.maximum(1, tokens // lengths_S[order_S])
    cuts, first = [], 0
    while first < len(order_S):
        last = first + int(fits_S[min(len(order_S), first + int(fits_S[first])) - 1])
        cuts.append(order_S[first : max(first + 1, last)])
        first = max(first + 1, last)
    for at in rng.permutation(len(cuts)):
        yield cuts[at]


def _loss(
    reader: Reader, whole: Elements, rows: Int64, weights_N: NDArray[np.int64], *, number: int, seed: int
) -> Tensor:
    """Return the mean loss over the targets of a step: the softmax over all items, or over drawn ones and the target.

    Drawn items weigh 1 / (draws x probability), so that their sum estimates that over all items; what was drawn of the
    target itself is left out (accidental hits).
    """
    recipe, longest = reader.recipe, int(whole.lengths_B[rows].max())
    target_BL = np.where(np.arange(longest) < whole.lengths_B[rows, None], whole.items_BL[rows, :longest], _NO_TARGET)
    told_B1 = np.random.default_rng([seed, number]).random((len(rows), 1)) >= recipe.event_dropout
    read = Elements(  # the last element is a target alone
        whole.items_BL[rows, : longest - 1],
        whole.events_BL[rows, : longest - 1] * told_B1,
        whole.gaps_BL[rows, : longest - 1] * told_B1,
        whole.lengths_B[rows] - 1,
    )
    is_target_BL = torch.from_numpy(target_BL != _NO_TARGET)
    target_T = torch.from_numpy(target_BL)[is_target_BL]
    hidden_BLD = reader(read)
    hidden_TD, back_TL = hidden_BLD[is_target_BL], reader.back(hidden_BLD)[is_target_BL]
    history_TL = torch.from_numpy(read.items_BL).repeat_interleave(is_target_BL.sum(dim=1), dim=0)
    if len(weights_N) <= _ALL_OF * recipe.num_negatives:
        scores_TN = functional.linear(hidden_TD, reader.items_ND, reader.biases_N)
        return functional.cross_entropy(scores_TN.scatter_add(1, history_TL, back_TL), target_T)
    drawn, chances = draw(np.array([number], np.uint64), weights_N, recipe.num_negatives, seed=seed)
    drawn_C = torch.from_numpy(drawn[0].astype(np.int64))
    log_weights_C = torch.from_numpy(-np.log(recipe.num_negatives * chances[0]).astype(np.float32))
    is_own_TL = history_TL == target_T.unsqueeze(1)
    own_T = (hidden_TD * functional.embedding(target_T, reader.items_ND)).sum(dim=1) + reader.biases_N[target_T]
    own_T = own_T + (back_TL * is_own_TL).sum(dim=1)
    vectors_CD = functional.embedding(drawn_C, reader.items_ND)
    other_TC = functional.linear(hidden_TD, vectors_CD, reader.biases_N[drawn_C] + log_weights_C)
    other_TC = other_TC.masked_fill(drawn_C == target_T.unsqueeze(1), -math.inf)
    # What the history adds to its own items counts exactly; that they may have been drawn too is a small matter.
    vectors_BLD = functional.embedding(torch.from_numpy(read.items_BL), reader.items_ND)
    history_BLL = hidden_BLD @ vectors_BLD.transpose(1, 2) + reader.biases_N[torch.from_numpy(read.items_BL)].unsqueeze(
        1
    )
    seen_TL = torch.ones_like(history_BLL, dtype=torch.bool).tril(-1)[is_target_BL] & ~is_own_TL
    back_TL = (history_BLL[is_target_BL] + back_TL).masked_fill(~seen_TL, -math.inf)
    every = torch.cat([own_T.unsqueeze(1), other_TC, back_TL], dim=1)
    loss: Tensor = (torch.logsumexp(every, dim=1) - own_T).mean()
    return loss


def _scorer_of(reader: Reader) -> SequenceScorer:
    """Take the fitted reader over to numpy.

    Raises:
        ModelError: A number is not finite.
    """
    arrays = {
        name: np.array(values.detach().numpy(), np.float32, order="C") for name, values in reader.named_parameters()
    }
    scorer = SequenceScorer(**arrays, settings=reader.recipe.model_dump(mode="json"))
    if not scorer.is_finite():
        raise ModelError(
            "the sequence model's training ran out of the range of numbers",
            where=f"learning_rate = {reader.recipe.learning_rate}",
            fix="lower sequence's learning_rate, say to 0.001",
            code=Code.MODEL_NOT_FITTED,
        )
    return scorer


def _normal(*shape: int, scale: float) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(*shape) * scale)


def _normed(values: Tensor, scales_D: Tensor) -> Tensor:
    return functional.rms_norm(values, (values.shape[-1],), scales_D, eps=1e-6)


def _turned(values: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    even, odd = values[..., 0::2], values[..., 1::2]
    return torch.stack([even * cosines - odd * sines, even * sines + odd * cosines], dim=-1).flatten(-2)
