"""What was known of users and items at the start of a day, and what models learn from.

In: tables `events`, `sessions`, `exposures`, and for hard negatives the neighbours of items in a model; online, the
histories of a bundle and the events since.
Out: tables `user_features`, `item_features`, `sequences`, `examples`.
Verb: featurize.
Must hold: a feature of a day sees nothing of that day or later; appending events changes no row of an earlier day;
what is computed day by day equals what is computed at once; the order of rows does not matter.
Not here: which model learns from an example (models), writing tables and the ledger (flows).
"""
