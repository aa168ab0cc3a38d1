"""Settings of the room: from where on a number is worth a look, and from where on it is bad."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Limits", "MonitoringConfig"]


class Limits(BaseModel):
    """Two limits of one number: beyond `warn` somebody should look, beyond `bad` somebody must act."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    warn: float = Field(ge=0, description="beyond it the check warns; in the unit of the check")
    bad: float = Field(ge=0, description="beyond it the check is bad; in the unit of the check, not less than warn")

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        if self.warn > self.bad:
            raise ValueError(f"warn ({self.warn:g}) must not be greater than bad ({self.bad:g})")
        return self


def _limits(warn: float, bad: float, description: str) -> Limits:
    return Field(default=Limits(warn=warn, bad=bad), description=description)


class MonitoringConfig(BaseModel):
    """[monitoring]: the limits of the health report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    freshness_h: Limits = _limits(
        3,
        12,
        "hours from the newest event to the end of the day it is refreshed through; a small shop sleeps for 2 hours",
    )
    lag_days: Limits = _limits(
        2, 7, "days from the end of the day refreshed through to now; a daily refresh is never more than 1 behind"
    )
    replay_days: int = Field(
        default=90,
        ge=1,
        description="days; older data is taken for a replay of history, which warns and is not bad: nobody is 90 days "
        "late without having seen it",
    )
    volume_times: Limits = _limits(
        2.5, 6, "times more or fewer events on the day than on the mean of the 7 days before; weekends reach 2"
    )
    mix_bits: Limits = _limits(
        0.02,
        0.1,
        "bits (0..1) of Jensen-Shannon divergence between the day's event names and those of the 7 days before",
    )
    quarantine_share: Limits = _limits(
        0.01, 0.05, "share (0..1) of the source's rows in quarantine; a clean export has less than one in a thousand"
    )
    measure: str = Field(
        default="ndcg@10", description="measure by which the default model is compared with that of the bundle before"
    )
    measure_drop: Limits = _limits(
        0.05, 0.15, "share (0..1) of the measure lost since the bundle before; noise of a small test set reaches 0.05"
    )
    recall_loss: Limits = _limits(0.01, 0.05, "share (0..1) of the exact best items that the index does not find")
    no_price_share: Limits = _limits(
        0.1, 0.5, "share (0..1) of items without a price; orders and filters by price need one"
    )
    out_of_stock_share: Limits = _limits(0.3, 0.8, "share (0..1) of items out of stock; they are not recommended")
    features_behind_days: Limits = _limits(0, 1, "days that the features are behind the events")
