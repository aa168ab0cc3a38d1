"""The conformance suite of algorithms. Every algorithm passes it before it is registered.

Subclass it in a test file of yours, and pytest runs the tests::

    class TestMyRecipe(AlgorithmConformance):
        recipe = MyRecipe()
"""

from contextlib import suppress
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from endcap.core.errors import ModelError
from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.metrics.ranking import ndcg_at
from endcap.models.evaluate import answer
from endcap.models.popular import Popular
from endcap.models.protocol import Scorer, TakesItems, VectorScorer
from endcap.models.protocols import session_next
from endcap.testing.worlds import SPLIT_US, no_sequences, planted_catalogue, planted_sequences

__all__ = ["AlgorithmConformance"]

_SEED = 17
_HISTORIES = [[3], [], [0, 1, 2], [11, 4, 4], [7, 8, 9, 10, 11, 0], [5, 5, 5]]


class AlgorithmConformance:
    """What must be true of any algorithm. Subclasses set `recipe`."""

    recipe: ClassVar[Any]
    """The recipe: a frozen pydantic model with `kind` and `fit`."""

    learns: ClassVar[bool] = True
    """Whether it learns what follows what, so that it must beat popularity on the planted world."""

    @pytest.fixture(scope="class")
    @classmethod
    def scorer(cls) -> Scorer:
        """The recipe fitted on the whole planted world."""
        return cls._fit(planted_sequences(), planted_catalogue())

    def test_the_recipe_is_frozen_settings_with_a_kind(self) -> None:
        """A recipe cannot change, and says what it is."""
        assert isinstance(self.recipe, BaseModel)
        with pytest.raises(ValidationError):
            self.recipe.kind = "other"  # type: ignore[attr-defined] # it must refuse

    def test_the_recipe_survives_json(self) -> None:
        """A recipe can be written into a manifest and read back."""
        assert type(self.recipe).model_validate_json(self.recipe.model_dump_json()) == self.recipe

    def test_an_unknown_setting_is_refused(self) -> None:
        """A typo in a setting is never ignored."""
        with pytest.raises(ValidationError):
            type(self.recipe)(no_such_setting=1)

    def test_the_result_has_the_same_kind_and_is_frozen(self, scorer: Scorer) -> None:
        """What was fitted cannot change either."""
        assert scorer.kind == self.recipe.kind
        with pytest.raises((FrozenInstanceError, AttributeError, ValidationError)):
            scorer.kind = "other"  # type: ignore[misc] # it must refuse

    def test_scores_are_one_float32_for_each_query_and_item(self, scorer: Scorer) -> None:
        """B x N float32."""
        scores_BN = scorer.score(Queries.of(_HISTORIES))
        assert scores_BN.shape == (len(_HISTORIES), 12)
        assert scores_BN.dtype == np.float32

    def test_scores_are_finite_also_for_a_new_visitor(self, scorer: Scorer) -> None:
        """Never NaN, never infinite."""
        assert np.isfinite(scorer.score(Queries.of(_HISTORIES))).all()

    def test_no_queries_are_answered_with_no_scores(self, scorer: Scorer) -> None:
        """0 x N."""
        assert scorer.score(Queries.of([])).shape == (0, 12)

    def test_only_new_visitors_are_answered_alike(self, scorer: Scorer) -> None:
        """A batch without any history works, and its rows are equal."""
        scores_BN = scorer.score(Queries.of([[], []]))
        assert np.array_equal(scores_BN[0], scores_BN[1])

    def test_batching_does_not_matter(self, scorer: Scorer) -> None:
        """A query asked alone gets the scores that it gets among others."""
        together_BN = scorer.score(Queries.of(_HISTORIES))
        alone_BN = np.concatenate([scorer.score(Queries.of([history])) for history in _HISTORIES])
        np.testing.assert_allclose(alone_BN, together_BN, rtol=1e-4, atol=1e-5)

    def test_the_order_of_queries_does_not_matter(self, scorer: Scorer) -> None:
        """Each row belongs to its own query."""
        there_BN = scorer.score(Queries.of(_HISTORIES))
        back_BN = scorer.score(Queries.of(_HISTORIES[::-1]))[::-1]
        np.testing.assert_allclose(back_BN, there_BN, rtol=1e-4, atol=1e-5)

    def test_queries_may_begin_in_the_middle_of_an_array(self, scorer: Scorer) -> None:
        """Offsets count, not the array's ends."""
        part = Queries(np.array([2, 4], np.int64), np.array([9, 9, 1, 2, 9], np.int32))
        np.testing.assert_allclose(scorer.score(part), scorer.score(Queries.of([[1, 2]])), rtol=1e-4, atol=1e-5)

    def test_a_question_may_tell_what_was_done_and_when(self, scorer: Scorer) -> None:
        """A server knows it and a file may not: both are answered, each question by what it tells alone."""
        together_BN = scorer.score(_told(_HISTORIES))
        assert np.isfinite(together_BN).all()
        alone_BN = np.concatenate([scorer.score(_told([history])) for history in _HISTORIES])
        np.testing.assert_allclose(alone_BN, together_BN, rtol=1e-4, atol=1e-5)

    def test_what_was_done_and_when_begins_with_the_history(self, scorer: Scorer) -> None:
        """Offsets count there too."""
        whole = _told([[8, 8], [1, 2], [9]])
        part = Queries(whole.starts[1:3], whole.items, whole.events, whole.at_us)
        alone = Queries(np.array([0, 2]), *(each[2:4] for each in (whole.items, whole.events, whole.at_us)))
        np.testing.assert_allclose(scorer.score(part), scorer.score(alone), rtol=1e-4, atol=1e-5)

    def test_asking_changes_nothing(self, scorer: Scorer) -> None:
        """The same question gets the same bytes, even after somebody wrote into an answer."""
        first_BN = scorer.score(Queries.of(_HISTORIES))
        kept = first_BN.tobytes()
        if first_BN.flags.writeable:
            first_BN[:] = -1
        assert scorer.score(Queries.of(_HISTORIES)).tobytes() == kept

    def test_a_long_history_is_answered(self, scorer: Scorer) -> None:
        """A thousand items, most of them again and again."""
        assert np.isfinite(scorer.score(Queries.of([[number % 12 for number in range(1000)]]))).all()

    def test_what_was_loaded_scores_as_what_was_saved(self, scorer: Scorer, tmp_path: Path) -> None:
        """To the bit."""
        scorer.save(tmp_path)
        loaded = type(scorer).load(tmp_path)
        assert loaded.kind == scorer.kind
        assert loaded.score(Queries.of(_HISTORIES)).tobytes() == scorer.score(Queries.of(_HISTORIES)).tobytes()

    def test_a_model_is_two_files_without_code(self, scorer: Scorer, tmp_path: Path) -> None:
        """JSON and safetensors; a model that is made of models has a folder with these two for each of them."""
        names = set(_saved(scorer, tmp_path / "one"))
        folders = {Path(name).parent for name in names}
        assert Path() in folders
        assert names == {str(folder / name) for folder in folders for name in ("arrays.safetensors", "scorer.json")}

    def test_saving_what_was_loaded_gives_the_same_bytes(self, scorer: Scorer, tmp_path: Path) -> None:
        """Nothing is lost and nothing is added."""
        first = _saved(scorer, tmp_path / "first")
        assert _saved(type(scorer).load(tmp_path / "first"), tmp_path / "second") == first

    def test_the_same_data_and_seed_give_the_same_bytes(self, scorer: Scorer, tmp_path: Path) -> None:
        """Fitting is repeatable."""
        again = self._fit(planted_sequences(), planted_catalogue())
        assert _saved(again, tmp_path / "again") == _saved(scorer, tmp_path / "first")

    def test_a_missing_or_damaged_file_is_a_model_error(self, scorer: Scorer, tmp_path: Path) -> None:
        """Not a traceback."""
        for name in _saved(scorer, tmp_path / "one"):
            path = tmp_path / "one" / name
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
            with pytest.raises(ModelError):
                type(scorer).load(tmp_path / "one")
            path.unlink()
            with pytest.raises(ModelError):
                type(scorer).load(tmp_path / "one")
            path.write_bytes(whole)

    def test_fitting_leaves_its_input_alone(self) -> None:
        """Sequences are shared by all recipes."""
        sequences = planted_sequences()
        self._fit(sequences, planted_catalogue())
        assert sequences.items.tobytes() == planted_sequences().items.tobytes()

    def test_a_shop_nobody_has_visited_is_answered_or_refused_with_a_reason(self) -> None:
        """Finite scores, or a ModelError."""
        with suppress(ModelError):  # its reason and what to do are there by construction
            scorer = self._fit(no_sequences(), planted_catalogue())
            assert np.isfinite(scorer.score(Queries.of([[], [3]]))).all()

    def test_a_shop_of_one_item_has_one_answer(self) -> None:
        """N = 1, no content."""
        one = Sequences(np.array([0, 1, 3]), np.zeros(3, np.int32), np.arange(3), np.arange(2))
        scores_BN = self._fit(one, Catalogue(("only",))).score(Queries.of([[0], []]))
        assert scores_BN.shape == (2, 1)
        assert np.isfinite(scores_BN).all()

    def test_items_without_content_and_never_seen_are_scored_too(self) -> None:
        """The catalogue may have neither titles nor prices, and items that nobody touched."""
        bare = Catalogue(tuple(f"item-{number:03d}" for number in range(15)))
        scores_BN = self._fit(planted_sequences(), bare).score(Queries.of([[14], [3], []]))
        assert scores_BN.shape == (3, 15)
        assert np.isfinite(scores_BN).all()

    def test_a_vector_scorer_scores_by_inner_product(self, scorer: Scorer) -> None:
        """So that an index finds what `score` ranks first."""
        if isinstance(scorer, VectorScorer):
            query_BD = scorer.query_vectors_BD(Queries.of(_HISTORIES))
            product_BN = query_BD @ scorer.item_vectors_ND.T
            np.testing.assert_allclose(product_BN, scorer.score(Queries.of(_HISTORIES)), rtol=1e-4, atol=1e-5)

    def test_a_model_that_takes_new_items_in_keeps_what_it_knew_of_the_others(self, scorer: Scorer) -> None:
        """Whatever numbers they have in the catalogue of now."""
        if isinstance(scorer, TakesItems):
            known = planted_catalogue()
            later = scorer.with_items(
                Catalogue(("0-new", *known.item_ids)), np.array([-1, *range(len(known))], np.int32)
            )
            histories = [[item + 1 for item in history] for history in _HISTORIES]
            scores_BN = later.score(Queries.of(histories))
            np.testing.assert_allclose(scores_BN[:, 1:], scorer.score(Queries.of(_HISTORIES)), rtol=1e-4, atol=1e-5)
            assert np.isfinite(scores_BN).all()

    def test_it_beats_popularity_on_the_planted_world(self) -> None:
        """Where item i is followed by item i + 1, what has learned must see it."""
        split = session_next(planted_sequences(), split_us=SPLIT_US)
        found = [
            ndcg_at(answer(recipe.fit(split.train, planted_catalogue(), seed=_SEED), split.cases, 12, count=5).ranks, 5)
            for recipe in (self.recipe, Popular())
        ]
        if self.learns:
            assert found[0].mean() > 1.5 * found[1].mean()
        else:
            assert found[0].mean() >= 0.5 * found[1].mean()

    @classmethod
    def _fit(cls, sequences: Sequences, catalogue: Catalogue) -> Scorer:
        scorer: Scorer = cls.recipe.fit(sequences, catalogue, seed=_SEED)
        return scorer


def _told(histories: list[list[int]]) -> Any:
    """Return questions with kinds of events, each in its turn, and instants of ever longer pauses."""
    bare = Queries.of(histories)
    places = np.concatenate([np.arange(len(history), dtype=np.int64) for history in histories])
    return Queries(bare.starts, bare.items, ((places + bare.items) % 4).astype(np.int8), 60_000_000 * 9**places)


def _saved(scorer: Scorer, folder: Path) -> dict[str, bytes]:
    """Save into a new folder and return its files, by their path in it."""
    folder.mkdir()
    scorer.save(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
