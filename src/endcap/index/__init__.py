"""Finding the items with the highest inner product to a query's vector.

In: item vectors of a model. Out: `index/<name>/` with `flat.faiss` and `report.json` of its recall.
Verb: index.
Must hold: what it finds is what an exact scan finds, as far as the bar in endcap.toml says; the same vectors give the
same file.
Not here: making vectors (models), which item may be shown (serving).
"""
