"""How likely chance alone is to give what was counted: exact tails and a bound that holds for every size."""

from math import exp, lgamma, log, log1p

__all__ = ["binomial_at_most", "hits_at_most"]


def binomial_at_most(count: int, *, trials: int, p: float) -> float:
    """Return the probability that at most `count` of `trials` succeed.

    Args:
        count: 0..trials.
        trials: Independent trials, >= 0; no trial gives 1.
        p: Probability of each, in (0, 1).

    >>> round(binomial_at_most(1, trials=3, p=0.5), 6)
    0.5
    """
    if count >= trials:
        return 1.0
    terms = [
        lgamma(trials + 1) - lgamma(hit + 1) - lgamma(trials - hit + 1) + hit * log(p) + (trials - hit) * log1p(-p)
        for hit in range(count + 1)
    ]
    return min(1.0, sum(exp(term) for term in terms))


def hits_at_most(count: int, *, expected: float) -> float:
    """Bound the probability that at most `count` of many independent draws hit, whatever the chance of each.

    Args:
        count: Hits that were counted.
        expected: The sum of the draws' chances.

    Returns:
        Chernoff's bound on the lower tail of a sum of independent draws (Mitzenmacher and Upfal 2017, theorem 4.5):
        never less than the probability itself. 1 where as many as expected were counted.

    >>> hits_at_most(0, expected=20.0) == exp(-20.0)
    True
    """
    if count >= expected:
        return 1.0
    return exp(count - expected - (count * log(count / expected) if count else 0.0))
