"""From what a shop exports to events and items that the other rooms can trust.

In: source files (GA4 export, any flat Parquet / CSV / JSON lines, the server's own segments), feeds and updates
of the catalogue.
Out: tables `events`, `catalogue`, `item_mentions`, `items`, `slates`, `quarantine`, and counts that account
for every row that was read.
Verb: ingest.
Must hold: read = kept + folded + deduplicated + quarantined + ignored, to the row, for each day and event name; no raw
user id or cookie in any output; equal input gives equal rows whatever their order.
Not here: sessions and exposures (sessions), writing tables and the ledger (flows).
"""
