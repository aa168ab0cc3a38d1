"""The only place where adapters are chosen: `batch` for the flows, `serving` for the online path."""
