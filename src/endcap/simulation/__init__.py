"""A simulated shop with a known truth: a world of visitors and items, the export it would hand over, and the answers.

In: a preset and what differs from it, a policy that fills the lists, a seed, faults if wanted.
Out: OUT/export, as a real shop would hand it over (events by day, feeds, inventory), and beside it OUT/truth: who is
who, tastes, propensities, what each list was expected to bring, the clean log. Verb: simulate.
Must hold: the same settings give the same bytes, in one process or several, whole or resumed; two policies meet the
same world; what is said to be expected is exact, never another draw.
Not here: reading such a folder (events), models, experiments. It imports no other room but core.
"""
