"""RecTools' SASRec on sessions from a file: `python benchmarks/rectools_fit.py FOLDER EPOCHS`.

Run by `build/rectools/bin/python`, which knows nothing of Endcap: `FOLDER/asked.npz` has what is learned (`starts`,
`items`, equal neighbours collapsed) and asked (`q_starts`, `q_items`); `FOLDER/answered.npz` gets the first `COUNT`
items of each question, -1 where there are fewer, and the CPU seconds of fitting.
"""

import logging
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pytorch_lightning import Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

COUNT = 21
"""One more than is measured, as the current item is no candidate."""


def main(folder: Path, epochs: int) -> None:
    """Fit and answer."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    torch.manual_seed(17)
    asked = np.load(folder / "asked.npz")
    learned, questions = _frame(asked["starts"], asked["items"]), _frame(asked["q_starts"], asked["q_items"])
    model = SASRecModel(
        n_factors=128, n_blocks=2, n_heads=2, session_max_len=50, lr=0.001, batch_size=128, loss="softmax",
        dropout_rate=0.2, dataloader_num_workers=0, train_min_user_interactions=2,
        get_trainer_func=lambda: Trainer(
            max_epochs=epochs, min_epochs=epochs, deterministic=True, accelerator="cpu", devices=1, logger=False,
            enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        ),
    )  # fmt: skip
    began = time.process_time()
    model.fit(Dataset.construct(learned))
    fit_cpu_s = time.process_time() - began
    questions = questions[questions[Columns.Item].isin(set(learned[Columns.Item]))]
    found = model.recommend(
        users=np.unique(questions[Columns.User]),
        dataset=Dataset.construct(questions),
        k=COUNT,
        filter_viewed=False,
        on_unsupported_targets="ignore",
    )
    first_BC = np.full((len(asked["q_starts"]) - 1, COUNT), -1)
    first_BC[found[Columns.User].to_numpy(), found[Columns.Rank].to_numpy() - 1] = found[Columns.Item].to_numpy()
    np.savez(folder / "answered.npz", first=first_BC, fit_cpu_s=fit_cpu_s)


def _frame(starts: NDArray[np.int64], items: NDArray[np.int32]) -> pd.DataFrame:
    """Return sessions as RecTools takes them: a session is a user, elements stand in order."""
    return pd.DataFrame({
        Columns.User: np.repeat(np.arange(len(starts) - 1), np.diff(starts)),
        Columns.Item: items,
        Columns.Weight: 1.0,
        Columns.Datetime: pd.to_datetime(np.arange(len(items)), unit="s"),
    })  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
