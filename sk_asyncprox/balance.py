"""Factors of the classes that make a classifier's dual point feasible with a free intercept.

``sum(weights * theta)`` has to vanish for every output. ``-theta`` is what the probabilities of a sample
exceed its label by: all that it gives to other classes, it takes from its own. With the samples of each class
scaled by a factor, a class gives as much as it receives exactly when the factors are a stationary
distribution of the Markov chain that moves between classes at the rates of what is given. There always is
one.
"""

import numpy as np

TINY = 1e-290


def balance_of(given):
    """Factors, the largest one, with which every class gives as much as it receives.

    By the elimination of Grassmann, Taksar and Heyman [1]_, which subtracts nothing, so that small factors
    are exact too.

    Parameters
    ----------
    given : ndarray of shape (K, K)
        Non-negative: what the samples of class ``k`` give to class ``j``, in all at most 1; the diagonal has
        no meaning.

    Returns
    -------
    ndarray of shape (K,)

    References
    ----------
    .. [1] W. K. Grassmann, M. I. Taksar, D. P. Heyman. Regenerative analysis and steady state distributions
       for Markov chains. Operations Research 33, 1985.
    """
    rates, size = given.copy(), len(given)
    for k in range(size - 1, 0, -1):
        # A class that gives nothing away keeps all: beside its factor the others are zero.
        rates[:k, k] /= max(rates[k, :k].sum(), TINY)
        rates[:k, :k] += np.outer(rates[:k, k], rates[k, :k])
    factors = np.ones(size)
    for k in range(1, size):
        factors[k] = factors[:k] @ rates[:k, k]
        factors[: k + 1] /= factors[: k + 1].max()
    return factors
