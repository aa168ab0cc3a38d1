"""The version of Endcap, as manifests and the ledger name it."""

__all__ = ["__version__"]

__version__ = "0.1.0"
