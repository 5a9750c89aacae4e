"""Linear regression: ElasticNet, Lasso, GroupLasso and HuberRegressor."""

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
from .._docstring_templates import filled
from ..losses import HuberLoss, SquaredLoss
from ..penalties import ElasticNetPenalty, GroupPenalty
from ..shards.dask_chunks import is_collection
from ._base import AsyncLinearModel, all_or_nothing
from ._dask_fit import fit_rows
from ._dask_predict import PredictsCollections
from ._groups import checked_group_weights, checked_groups
from ._parameters import OfElasticNet, OfGroupLasso, OfHuberRegressor, OfLasso
from ._shared_docs import DATA, documented
from ._validation import checked_data, is_read_first
from ._weights import checked_penalty_weights, checked_weights, scaled


@documented
class ElasticNet(
    OfElasticNet, PredictsCollections, MultiOutputMixin, RegressorMixin, LinearModel, AsyncLinearModel
):
    """Linear regression with l1 and l2 penalty, trained asynchronously.

    Minimises, with ``S`` the sum of the sample weights,
    ``sum_i s_i (y_i - x_i.w - b)^2 / (2 S) + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio) |w|_2^2 / 2``.

    {parameters}

    {attributes}

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

    @all_or_nothing
    @filled(DATA)
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model.

        {parameters}
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets. Several are problems of their own, solved one after the other on one copy of the data.

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
        later = partial(is_read_first, loss=self._loss)
        X, y = checked_data(self, X, y, y_numeric=True, later=later, multi_output=True)
        penalty, sample_weight = self._penalty(), checked_weights(sample_weight, X)
        fitted, (weights, _) = partial(self._fitted, X.dtype, y.ndim > 1), scaled(sample_weight)
        return self._solve(X, y, self._loss, penalty, weights, begin, fitted, (X, y, sample_weight))

    def _penalty(self, *_):
        """Penalty, which does not depend on the weights of the samples."""
        l1 = self.alpha * self.l1_ratio
        weights = checked_penalty_weights(self.penalty_weights, self.n_features_in_)
        return ElasticNetPenalty(l1, self.alpha - l1, self.positive, weights)

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

    {parameters}

    {attributes}

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


@documented
class GroupLasso(OfGroupLasso, Lasso):
    """Linear regression with the group lasso's penalty, trained asynchronously.

    Minimises, with ``S`` the sum of the sample weights,
    ``sum_i s_i (y_i - x_i.w - b)^2 / (2 S) + alpha sum_g weight_g |w_g|_2``: the coefficients of a group are
    zero together, or none is.

    {parameters}

    {attributes}

    See Also
    --------
    Lasso : Every feature is a group of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox import GroupLasso
    >>> X = np.random.default_rng(0).standard_normal((50, 6))
    >>> model = GroupLasso(alpha=0.1, groups=3).fit(X, X[:, :3] @ [1.0, 2.0, 3.0])
    >>> (model.coef_ != 0).tolist()
    [True, True, True, False, False, False]
    """

    def _penalty(self, *_):
        n_features = self.n_features_in_
        labels = checked_groups(self.groups, n_features)
        sizes = np.bincount(labels)
        weights = checked_group_weights(self.group_weights, sizes)
        if self.alpha == 0.0 or len(sizes) == n_features:
            return ElasticNetPenalty(self.alpha, weights=None if np.all(weights == 1.0) else weights[labels])
        return GroupPenalty(self.alpha, labels, weights)


@documented
class HuberRegressor(OfHuberRegressor, ElasticNet):
    """Linear regression with the Huber loss and l1 and l2 penalty, trained asynchronously.

    Minimises, with ``S`` the sum of the sample weights,
    ``sum_i s_i huber(y_i - x_i.w - b) / S + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio) |w|_2^2 / 2``, where
    ``huber(r)`` is ``r^2 / 2`` up to ``|r| = epsilon`` and ``epsilon |r| - epsilon^2 / 2`` beyond: a residual
    pulls no harder than ``epsilon``, however large it is.

    {parameters}

    {attributes}

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
