"""LogisticRegression."""

import time
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit, log_softmax, softmax

from .._compat import LinearClassifierMixin, SparseCoefMixin
from .._docstring_templates import filled
from ..penalties import ElasticNetPenalty
from ..shards.dask_chunks import is_collection
from ._base import AsyncLinearModel, all_or_nothing
from ._dask_fit import fit_rows, loss_of
from ._dask_predict import DecidesOnCollections, blockwise
from ._parameters import OfLogisticRegression
from ._shared_docs import DATA, documented
from ._validation import checked_data, classes_of, is_read_first
from ._weights import checked_penalty_weights, checked_weights, class_weighted, strength_of


@documented
class LogisticRegression(
    OfLogisticRegression, DecidesOnCollections, LinearClassifierMixin, SparseCoefMixin, AsyncLinearModel
):
    """Logistic regression with l1 and l2 penalty, trained asynchronously.

    Minimises, with ``S`` the sum of the sample weights and ``y_i`` in {-1, +1},
    ``sum_i s_i log(1 + exp(-y_i (x_i.w + b))) / S
    + (l1_ratio |w|_1 + (1 - l1_ratio) |w|_2^2 / 2) / (C S)``.

    With three and more classes the model is multinomial: each class ``k`` has coefficients ``w_k`` and
    an intercept ``b_k``, the loss of a sample is ``log(sum_k exp(x_i.w_k + b_k)) - x_i.w_y - b_y``, and
    all coefficients are penalised.

    {parameters}

    Attributes
    ----------
    {classifier}
    n_iter_ : ndarray of shape (1,)
        Passes over the data, rounded up.
    {fitted}

    See Also
    --------
    LogisticRegressionCV : Finds the penalty by cross-validation.
    sk_asyncprox.inspection.DelayDisplay : Draws the delays of a fit.
    sklearn.linear_model.LogisticRegression : The same problem, by one worker and without a history.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from sk_asyncprox import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = LogisticRegression(C=0.1, l1_ratio=1.0).fit(scale(X), y)
    >>> int((model.coef_ != 0).sum()) < 15
    True
    """

    @all_or_nothing
    @filled(DATA)
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model.

        {parameters}

        Returns
        -------
        self
        """
        begin = time.perf_counter()
        if is_collection(X):
            return fit_rows(self, X, y, sample_weight, begin)
        X, y = checked_data(self, X, y, later=is_read_first)
        checked = checked_weights(sample_weight, X)
        loss, targets, classes, _, weights, exponent = self._read_labels(y, checked)
        penalty = self._penalty(len(y) if weights is None else weights.sum(), loss.n_outputs, exponent)
        fitted = partial(self._fitted, X.dtype, classes)
        return self._solve(X, targets, loss, penalty, weights, begin, fitted, (X, y, sample_weight))

    def _penalty(self, total, n_outputs, exponent=0):
        """Penalty for sample weights whose sum is ``total 2^exponent``."""
        strength = strength_of(self.C, total, exponent)
        weights = checked_penalty_weights(self.penalty_weights, self.n_features_in_, n_outputs)
        return ElasticNetPenalty(self.l1_ratio * strength, (1 - self.l1_ratio) * strength, weights=weights)

    def _fitted(self, dtype, classes, w, intercept, n_iter):
        """Attributes of the fitted estimator."""
        return {
            "classes_": classes,
            "coef_": w.astype(dtype, copy=False).reshape(-1, self.n_features_in_),
            "intercept_": np.array(intercept, dtype=dtype).reshape(-1),
            "n_iter_": np.array([n_iter], dtype=np.int32),
        }

    def _read_labels(self, y, sample_weight):
        """Loss, targets as it wants them, classes, the number of every label's, and sample weights times
        those of the classes, with their exponent."""
        classes, codes = classes_of(y)
        loss = loss_of(classes)
        targets = codes if loss.n_outputs > 1 else 2.0 * codes - 1.0
        weights = class_weighted(sample_weight, self.class_weight, classes, codes)
        return loss, targets, classes, codes, *weights

    @blockwise
    @filled(DATA)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes.

        {parameters}

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        z = self.decision_function(X)
        return softmax(z, axis=1) if z.ndim == 2 else np.column_stack([expit(-z), expit(z)])

    @blockwise
    @filled(DATA)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of the probabilities, accurate for any margin.

        {parameters}

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        z = self.decision_function(X)
        return log_softmax(z, axis=1) if z.ndim == 2 else np.column_stack([log_expit(-z), log_expit(z)])
