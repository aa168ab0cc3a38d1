"""Faults of a shop's export: a pass over the clean log that breaks it, and the record by which each fault is undone.

In: the clean log of a simulated shop (a GA4 export in Parquet, by UTC day), which faults are wanted, a seed.
Out: a faulty drop of the same files, and a record: `break_log`; the clean log again: `mend_log`.
Must hold: the same log, faults and seed give the same bytes; mended, the log is the clean one, table for table; a fault
more changes nothing that another did to the clean rows.
Not here: what really changes in the shop (that is in its log), the feed, what ingest makes of a faulty drop (events).
"""
