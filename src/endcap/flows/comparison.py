"""What a comparison of models found: for machines, and as text for people."""

from dataclasses import dataclass
from typing import Any

from endcap.models.evaluation import Evaluation
from endcap.models.evaluation_text import evaluation_text

__all__ = ["Comparison"]

_DIGITS = 3


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Args:
        evaluation: Measures, intervals, differences and slices.
        protocol: What was asked, in the words of the caller.
        counts: Rows, users, items and cases.
    """

    evaluation: Evaluation
    protocol: dict[str, Any]
    counts: dict[str, int]

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold: protocol, counts, models (with `fit_s` and `ci`), differences, slices, not_fitted.

        All but `fit_s` and `not_fitted` is the same for the same file, arguments and models.
        """
        found = self.evaluation.to_plain()
        models = {
            name: {"fit_s": round(self.evaluation.fit_s[name], _DIGITS), **measures}
            for name, measures in found["models"].items()
        }
        return {
            "protocol": self.protocol, "counts": self.counts, "models": models, "differences": found["differences"],
            "slices": found["slices"],
            "not_fitted": {
                name: {"why": each.why, "needed_s": _rounded(each.needed_s), "left_s": _rounded(each.left_s)}
                for name, each in self.evaluation.not_fitted.items()
            },
        }  # fmt: skip

    def text(self) -> str:
        """Return the tables, what does not beat a reference, how long each fit took, and who was not fitted."""
        lines = [evaluation_text(self.evaluation), "", f"fitted in: {self.seconds_told()}", *self.not_fitted_told()]
        return "\n".join([*lines, *self.notes()])

    def seconds_told(self) -> str:
        """Return how long each fit took."""
        return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self.evaluation.fit_s.items())

    def not_fitted_told(self) -> list[str]:
        """Return a line for each model that was asked for and has no measures."""
        return [f"{name}: {each.why}" for name, each in self.evaluation.not_fitted.items()]

    def asked_told(self) -> list[str]:
        """Return what was asked, a line each."""
        return [f"{name}: {_told(value)}" for name, value in self.protocol.items() if value not in (None, "")]

    def notes(self) -> list[str]:
        """Return what else must be known of the numbers."""
        lines = []
        if self.protocol["final_fit"]:
            lines.append(f"fitted on: {self.protocol['final_fit']}")
        if left_out := self.counts["rows_left_out"]:
            lines.append(
                f"left out: {left_out:,} of {self.counts['rows']:,} rows, without a user, an item or an instant"
            )
        return lines


def _told(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, _DIGITS)
