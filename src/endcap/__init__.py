"""Endcap: raw shop events in, recommendations out that are fresh, measured and safe.

>>> import endcap
>>> endcap.__version__
'0.1.0'

Names are loaded on first use (PEP 562), so that a server never loads what only training needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from endcap.core.version import __version__

if TYPE_CHECKING:
    from endcap.flows.compare import compare
    from endcap.flows.comparison import Comparison
    from endcap.flows.library import OpenShop
    from endcap.flows.library import open_shop as open  # noqa: A004 - `endcap.open(...)` is how it reads

__all__ = ["Comparison", "OpenShop", "__version__", "compare", "open"]

_PLACES = {
    "Comparison": ("endcap.flows.comparison", "Comparison"),
    "OpenShop": ("endcap.flows.library", "OpenShop"),
    "compare": ("endcap.flows.compare", "compare"),
    "open": ("endcap.flows.library", "open_shop"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'endcap' has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
