"""What shoppers are likely to want next: recipes that learn from sequences, the scorers they become, their measures.

In: sequences of item numbers and the catalogue (`core/sequences.py`).
Out: a folder a model (`scorer.json`, `arrays.safetensors`), evaluations.
Verb: train, evaluate.
Must hold: the same sequences, recipe and seed give the same bytes; a score is never NaN; every ranking is over the full
catalogue; a scorer needs numpy alone, so that serving never loads torch.
Not here: reading tables (flows), building an index (index), eligibility of items (serving).
"""
