"""Training of als by the library `implicit`, on one thread.

Shapes: S sequences, E elements, U users, N items, D embedding.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Catalogue, Sequences
from endcap.models.als_scorer import AlsScorer

if TYPE_CHECKING:
    from endcap.models.als import Als

__all__ = ["confidences", "train"]


def train(recipe: "Als", sequences: Sequences, catalogue: Catalogue, *, seed: int) -> AlsScorer:
    """Factorise what users did with items; see `Als.fit`."""
    items_ND = np.zeros((len(catalogue), recipe.factors), np.float32)
    users_UD = np.zeros((1, recipe.factors), np.float32)
    if len(sequences.items):
        users_UD, items_ND = _factorised(recipe, sequences, len(catalogue), seed=seed)
    wide_ND = items_ND.astype(np.float64)
    scorer = AlsScorer(
        item_vectors_ND=items_ND,
        gram_DD=(wide_ND.T @ wide_ND + recipe.regularization * np.eye(recipe.factors)).astype(np.float32),
        newcomer_D=users_UD.mean(axis=0, dtype=np.float64).astype(np.float32),
        event_weights=np.array(recipe.event_weights.by_kind(), np.float32),
        settings=recipe.model_dump(mode="json"),
    )
    if not scorer.is_finite():
        raise _out_of_range(recipe)
    return scorer


def confidences(recipe: "Als", sequences: Sequences, num_items: int) -> Any:
    """Return how much each item of each user counts, as a sparse U x N matrix of float32 >= 1.

    Args:
        recipe: alpha, and the weights of events; where no kinds are told, the elements' own weights count.
        sequences: S sequences; those of one user are one row.
        num_items: N.
    """
    from scipy.sparse import coo_matrix  # noqa: PLC0415 - comes with the library

    users, user_S = np.unique(sequences.users, return_inverse=True)
    weights_E = np.full(len(sequences.items), recipe.event_weights.other)
    if sequences.events is not None:
        weights_E = np.array(recipe.event_weights.by_kind())[sequences.events]
    elif sequences.weights is not None:
        weights_E = recipe.event_weights.other * sequences.weights.astype(np.float64)
    rows_E = user_S[sequences.sequence_of()]
    found = coo_matrix((weights_E, (rows_E, sequences.items)), shape=(len(users), num_items)).tocsr()
    found.sum_duplicates()
    found.data = 1 + recipe.alpha * found.data
    return found.astype(np.float32)


def _factorised(recipe: "Als", sequences: Sequences, num_items: int, *, seed: int) -> tuple[Any, Any]:
    """Return the U x D vectors of users and the N x D vectors of items.

    Raises:
        ModelError: The library is not installed, or ran out of the range of numbers.
    """
    try:
        from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415 - see this function's errors
        from implicit.recommender_base import ModelFitError  # noqa: PLC0415
        from threadpoolctl import threadpool_limits  # noqa: PLC0415
    except ImportError as error:
        raise ModelError(
            f"als needs the library implicit, which cannot be loaded: {error}",
            fix="pip install 'endcap[als]', or take als out of the models to train",
            code=Code.MODEL_NOT_FITTED,
        ) from error
    with threadpool_limits(1, "blas"):  # the library warns of more: it has threads of its own
        model = AlternatingLeastSquares(
            factors=recipe.factors,
            regularization=recipe.regularization,
            iterations=recipe.iterations,
            num_threads=1,
            random_state=seed,
        )
        try:
            model.fit(confidences(recipe, sequences, num_items), show_progress=False)
        except ModelFitError as error:
            raise _out_of_range(recipe) from error
    return model.user_factors, model.item_factors


def _out_of_range(recipe: "Als") -> ModelError:
    return ModelError(
        "the training of als ran out of the range of numbers",
        where=f"alpha = {recipe.alpha}, regularization = {recipe.regularization}",
        fix="lower als's alpha, or raise its regularization",
        code=Code.MODEL_NOT_FITTED,
    )
