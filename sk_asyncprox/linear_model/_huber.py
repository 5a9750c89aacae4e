"""Robust regression."""

from ..losses import HuberLoss
from ._declared import documented
from ._parameters import OfHuberRegressor
from ._regression import ElasticNet


@documented
class HuberRegressor(OfHuberRegressor, ElasticNet):
    """Linear regression with the Huber loss and l1 and l2 penalty, trained asynchronously.

    Minimises, with ``S`` the sum of the sample weights,
    ``sum_i s_i huber(y_i - x_i.w - b) / S + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio) |w|_2^2 / 2``, where
    ``huber(r)`` is ``r^2 / 2`` up to ``|r| = epsilon`` and ``epsilon |r| - epsilon^2 / 2`` beyond: a residual
    pulls no harder than ``epsilon``, however large it is.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {linear}
    {fitted}

    See Also
    --------
    ElasticNet : The squared loss, what is left when `epsilon` is larger than every residual.

    Notes
    -----
    The class of this name in scikit-learn estimates a scale of the residuals along with the coefficients, so
    that its `epsilon` is a number of such scales; it has no l1 penalty. Here `epsilon` is a residual, and the
    problem convex in the coefficients alone, with a duality gap that proves how well it is solved. For 95 %
    efficiency with normal errors take 1.35 times their standard deviation: 2 times the median absolute
    residual of a first fit, say.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox import HuberRegressor
    >>> X, y = np.arange(20.0)[:, None], 2.0 * np.arange(20.0)
    >>> y[3] = 1000.0
    >>> model = HuberRegressor(alpha=0.01).fit(X, y)
    >>> print(np.round(model.coef_, 1))
    [2.]
    """

    _advice = "give it a small value, with which a duality gap tells how good the solution is"

    @property
    def _loss(self):
        return HuberLoss(self.epsilon)
