"""The online path: a request becomes a slate, an event becomes durable and is felt by the next request.

In: a bundle (models, index, items, histories) and the events of visitors. Out: slates over HTTP or Python, and the
segments `landing/events/` and `landing/slates/`.
Verb: serve.
Must hold: an event that was acknowledged is on disk; the next answer reflects it; whatever part fails, the answer is a
simpler slate that says so; a bundle is taken whole or not at all; a raw user id is hashed at the edge and goes no
further; torch, pandas, duckdb, ibis and deltalake are never loaded.
Not here: which adapters are used and where a shop lies (flows/wiring), making bundles (flows).
"""
