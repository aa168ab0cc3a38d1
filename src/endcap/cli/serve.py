"""`endcap serve`."""

from pathlib import Path

from endcap.flows.serve import serve_shop

__all__ = ["serve_verb"]


def serve_verb(shop: Path, *, host: str = "", port: int | None = None, workers: int | None = None) -> None:
    """Serve recommendations over HTTP until it is stopped; a new bundle is taken up within a second.

    Args:
        shop: The shop's folder.
        host: Address to listen on; by default the one of endcap.toml.
        port: Port; 0 takes a free one; by default the one of endcap.toml.
        workers: Processes, 1 to 256; by default as in endcap.toml.
    """
    serve_shop(
        shop, host=host, port=port, workers=workers, on_listening=lambda url: print(f"listening on {url}", flush=True)
    )
