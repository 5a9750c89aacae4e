"""Lasso and ElasticNet."""

import time
import warnings
from functools import partial
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from .._compat import LinearModel
from ..losses import SquaredLoss
from ..penalties import ElasticNetPenalty
from ..shards.blocks import is_collection
from ._base import AsyncLinearModel, whole
from ._blockwise import PredictsCollections
from ._checks import checked_data, checked_penalty_weights, checked_weights, scaled
from ._collections import fit_rows
from ._declared import documented
from ._parameters import OfElasticNet, OfLasso


@documented
class ElasticNet(
    OfElasticNet, PredictsCollections, MultiOutputMixin, RegressorMixin, LinearModel, AsyncLinearModel
):
    """Linear regression with l1 and l2 penalty, trained asynchronously.

    Minimises, with ``S`` the sum of the sample weights,
    ``sum_i s_i (y_i - x_i.w - b)^2 / (2 S) + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio) |w|_2^2 / 2``.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {linear}
    {fitted}

    See Also
    --------
    Lasso : The same with the l1 part alone.
    ElasticNetCV : Finds both penalties by cross-validation.
    enet_path : Coefficients along many penalties.
    sklearn.linear_model.ElasticNet : The same problem, by one worker and without a history.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sk_asyncprox import ElasticNet
    >>> X, y = make_regression(n_features=2, random_state=0)
    >>> model = ElasticNet(alpha=0.1).fit(X, y)
    >>> bool(model.dual_gap_ <= 1e-4 * ((y - y.mean()) ** 2).mean())
    True
    """

    _loss, _advice = SquaredLoss(), "use the LinearRegression estimator"

    @whole
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix or array} of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets. Several are problems of their own, solved one after the other on one copy of the data.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Sample weights, non-negative and not all zero.

        Returns
        -------
        self
        """
        begin = time.perf_counter()
        if self.alpha == 0:
            warnings.warn(
                f"With alpha=0, this algorithm does not converge well. You are advised to {self._advice}",
                UserWarning,
                stacklevel=2,
            )
        if is_collection(X):
            return fit_rows(self, X, y, sample_weight, begin)
        X, y = checked_data(self, X, y, multi_output=True, y_numeric=True)
        penalty, sample_weight = self._penalty(), checked_weights(sample_weight, X)
        fitted, (weights, _) = partial(self._fitted, X.dtype, y.ndim > 1), scaled(sample_weight)
        return self._solve(X, y, self._loss, penalty, weights, begin, fitted, (X, y, sample_weight))

    def _penalty(self, *_):
        """Penalty, which does not depend on the weights of the samples."""
        l1 = self.alpha * self.l1_ratio
        penalty = ElasticNetPenalty(l1, self.alpha - l1, self.positive)
        return penalty.weighted(checked_penalty_weights(self.penalty_weights, self.n_features_in_))

    def _fitted(self, dtype, in_row, w, intercept, n_iter):
        """Attributes of the fitted estimator; ``in_row``: whether there is an array of intercepts."""
        if not self.fit_intercept:
            intercept = 0.0
        else:
            intercept = np.array(intercept, dtype=dtype).reshape(-1) if in_row else dtype.type(intercept)
        return {"coef_": w.astype(dtype, copy=False), "intercept_": intercept, "n_iter_": n_iter}

    @property
    def sparse_coef_(self):
        """Sparse representation of the fitted coefficients."""
        check_is_fitted(self)
        return sp.csr_matrix(self.coef_)


@documented
class Lasso(OfLasso, ElasticNet):
    """Linear regression with l1 penalty, trained asynchronously.

    Minimises, with ``S`` the sum of the sample weights,
    ``sum_i s_i (y_i - x_i.w - b)^2 / (2 S) + alpha |w|_1``.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {linear}
    {fitted}

    See Also
    --------
    ElasticNet : With an l2 part as well.
    LassoCV : Finds the penalty by cross-validation.
    lasso_path : Coefficients along many penalties.
    sklearn.linear_model.Lasso : The same problem, by one worker and without a history.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox import Lasso
    >>> model = Lasso(alpha=0.1).fit([[0, 0], [1, 1], [2, 2]], [0, 1, 2])
    >>> print(np.round(model.coef_, 4))
    [0.85 0.  ]
    """
