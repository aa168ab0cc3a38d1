"""Where table expressions are computed: an engine reads files and snapshots as Ibis tables and materialises them.

In: Ibis expressions. Out: materialised tables, Arrow streams, content digests.
Must hold: a batch room's function gives the same rows on every engine.
Not here: which engine is used (flows/wiring), where snapshots lie (stores).
"""
