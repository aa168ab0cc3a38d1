"""Adapters of the tracking server that a shop's runs are mirrored to."""

from importlib.util import find_spec

from endcap.core.errors import Code, ConfigError
from endcap.flows.shop import Shop
from endcap.stores.tracking import Tracking

__all__ = ["open_tracking"]

_SQLITE = "sqlite:///"


def open_tracking(shop: Shop) -> Tracking:
    """Open the server that `[tracking]` names; nobody is asked anything before the first run is put there.

    Raises:
        ConfigError: MLflow is not installed (TRACKING_MISSING).
    """
    found = find_spec("mlflow")
    if found is None or found.origin is None:  # a folder of that name is no package
        raise ConfigError(
            "endcap.toml names an MLflow server, and MLflow is not installed",
            where="$.tracking.mlflow",
            fix="pip install 'endcap[mlflow]', or take tracking.mlflow out",
            code=Code.TRACKING_MISSING,
        )
    from endcap.stores.adapters.mlflow import MlflowTracking  # noqa: PLC0415 - only shops that need it load it

    settings, uri = shop.config.tracking, shop.config.tracking.mlflow
    if uri.startswith(_SQLITE):  # a relative path is one from the shop's folder on
        uri = f"{_SQLITE}{(shop.root / uri.removeprefix(_SQLITE)).resolve()}"
    return MlflowTracking(uri, settings.experiment or f"endcap/{shop.config.shop.project}")
