from dataclasses import dataclass

import numpy as np
import pytest
import torch

from endcap.models.training.context import Context
from endcap.models.training.loop import Step
from endcap.models.training.place import place_of
from endcap.models.training.ranks import Ranks
from endcap.models.training.settings import TrainingSettings
from endcap.models.training.table import Table


@dataclass(frozen=True)
class Pairs:
    rows: np.ndarray
    wanted: np.ndarray
    weight: float


class Module(torch.nn.Module):
    def __init__(self, context):
        super().__init__()
        self.table = Table(20, 4, scale=0.5, by_rows=True, context=context)
        self.line = torch.nn.Linear(4, 1)
        draws = torch.Generator().manual_seed(1)  # of its own: ranks that are threads would draw from one together
        for each in self.line.parameters():
            each.data = torch.rand(each.shape, generator=draws) - 0.5


class Line:
    """Fits a number to each of 20 rows: a table, a line on it, and a step of 4 examples in an order of its own."""

    name, total, learning_rate, row_learning_rate = "line", 3 * 40, 0.05, 0.1

    def __init__(self, *, spoiled_from=1000, validated=(), bad_gradient_after=None, ranks=None, dropout=0.3):
        self.context = Context(place_of(TrainingSettings(device="cpu")), ranks or Ranks(), 5)
        self.dropout = dropout
        self.module = Module(self.context)
        self.reads = {"rows": (self.module.table,)}
        self.spoiled_from, self.validated = spoiled_from, list(validated)
        self.taken = []
        self.training_steps_until_bad = bad_gradient_after

    def optimizer(self):
        whole = [each for each in self.module.parameters() if each.requires_grad]
        return torch.optim.AdamW(whole, lr=self.learning_rate, fused=True)

    def steps(self, done, parts, num_parts):
        for begin in range(done, self.total, 4):
            order = np.random.default_rng([5, begin // 40]).permutation(40)[begin % 40 : begin % 40 + 4] % 20
            scale = np.nan if begin >= self.spoiled_from else 1.0
            made = {}
            for part in parts:
                rows = np.unique(order[part::num_parts])
                made[part] = Pairs(rows, (rows / 20 * scale).astype(np.float32), 0.25)
            yield Step(begin, begin + 4, made, ends_pass=(begin + 4) % 40 == 0)

    def validation(self):
        wanted = self.validated.pop(0) if self.validated else 0.0
        if wanted is not None:
            yield Pairs(np.arange(20), np.full(20, wanted, np.float32), 1.0), 20.0

    def loss(self, batch, rows):
        self.taken.append(batch["rows"].tolist())
        values = torch.nn.functional.dropout(*rows["rows"], self.dropout, self.module.training)
        found = self.module.line(values).squeeze(1)
        loss = (found - batch["wanted"]).square().sum() * batch["weight"]
        if self.training_steps_until_bad is not None and self.module.training:
            self.training_steps_until_bad -= 1
            if self.training_steps_until_bad < 0:
                loss = loss + (found * 0).sqrt().sum()  # nothing to add, and no number as a gradient
        return loss

    def digest(self):
        return b"".join(values.detach().numpy().tobytes() for values in self.module.state_dict().values())


@pytest.fixture
def line():
    return Line
