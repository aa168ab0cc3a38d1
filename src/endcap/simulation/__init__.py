"""A small simulated shop whose structure is known: what `make demo` and the tests are run on.

In: how many days, users and items, and a seed. Out: a folder as a real shop would hand it over:
`events_YYYYMMDD.parquet` (GA4 BigQuery export, one file a UTC day) and `catalog.tsv` (Merchant feed names).
Verb: simulate.
Must hold: the same arguments give the same bytes; files appear all at once or not at all.
Not here: reading such a folder (events), faults in it, experiments with a known answer.
"""
