"""The small problem on which the cells of the page are checked, and checks that several libraries share.

A check is a function without arguments; it returns what the cell is to say, True (yes), False (no) or ``"p"``
(partly), and what was seen.
"""

from inspect import signature

import numpy as np
import scipy.sparse as sp

import sk_asyncprox as own

RNG = np.random.default_rng(0)
N, P, STRENGTH = 200, 12, 0.03
X = np.asfortranarray(RNG.standard_normal((N, P)) + 0.5)
Y = X[:, :3] @ [1.0, -2.0, 1.5] + 2.0 + 0.3 * RNG.standard_normal(N)
LABELS = (Y + RNG.standard_normal(N) > 1.0).astype(float)
CLASSES = np.digitize(Y, np.quantile(Y, [0.3, 0.6]))
WEIGHTS = RNG.integers(0, 4, N).astype(float)
SPARSE = sp.csc_matrix(np.where(np.abs(X) > 1.0, X, 0.0))
SMALL = 1e-6
"""What targets and penalty are multiplied by to see whether a tolerance follows the scale."""


def value(coef, intercept, y, l1_ratio=1.0, weights=None, data=X):
    """Objective of a regression, or of a logistic regression where `y` are labels."""
    coef = np.asarray(coef, dtype=float)
    coef = coef.T if coef.shape == (P, 3) else coef.reshape(-1, P)
    z = data @ coef.T + np.ravel(intercept)
    if y is Y:
        loss = 0.5 * (y - z[:, 0]) ** 2
    elif y is LABELS:
        loss = np.logaddexp(0.0, -(2.0 * y - 1.0) * z[:, 0])
    else:
        loss = np.logaddexp.reduce(z, axis=1) - z[np.arange(N), y]
    size = l1_ratio * np.abs(coef).sum() + 0.5 * (1.0 - l1_ratio) * (coef**2).sum()
    return np.average(loss, weights=weights) + STRENGTH * size


def best(y, l1_ratio=1.0, weights=None, data=X, **params):
    """This package's model, to a tight tolerance."""
    if y is Y:
        model = own.ElasticNet(alpha=STRENGTH, l1_ratio=l1_ratio, tol=1e-12, **params)
    else:
        total = N if weights is None else weights.sum()
        model = own.LogisticRegression(C=1.0 / (STRENGTH * total), l1_ratio=l1_ratio, tol=1e-12, **params)
    return model.fit(data, y, sample_weight=weights)


def compare(coef, intercept, y, l1_ratio=1.0, weights=None, data=X, least=-np.inf, **params):
    """Whether a solution is as good as this package's; the excess of its objective."""
    ours, data = best(y, l1_ratio, weights, data, **params), data.toarray() if sp.issparse(data) else data
    excess = value(coef, intercept, y, l1_ratio, weights, data)
    excess -= value(ours.coef_, ours.intercept_, y, l1_ratio, weights, data)
    return bool(excess < 1e-5 and np.min(coef) >= least), f"objective {excess:+.1e} from the best"


def solves(model, y, l1_ratio=1.0, weights=None, data=X, **params):
    """The same of an estimator that is fitted here."""
    given = {} if weights is None else {"sample_weight": weights}
    model.fit(data, y, **given)
    return compare(model.coef_, model.intercept_, y, l1_ratio, weights, data, **params)


def follows_scale(fit):
    """Whether ``fit(scale)``, the coefficients of targets and penalty times a small number, are those of the
    problem as it is times that number."""
    coef, ours = np.ravel(fit(SMALL)) / SMALL, best(Y).coef_
    error = np.abs(coef - ours).max()
    return bool(error < 1e-2), f"{np.count_nonzero(coef)} non-zeros, coefficients off by {error:.1e}"


def with_long_indices(X=SPARSE):
    """The sparse data with indices of 64 bits."""
    X = X.copy()
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def lacks(call, *names):
    """Whether the cell is no, because the signature has no such parameter."""
    found = [name for name in names if name in signature(call).parameters]
    return bool(found), f"parameters: {', '.join(found) or 'none of ' + ', '.join(names)}"


def one_against_rest(model):
    """Whether three classes are fitted, each against the others."""
    together = np.reshape(model.fit(X, CLASSES).coef_, (3, P))[0]
    alone = np.ravel(model.fit(X, np.where(CLASSES == 0, 1, 0)).coef_)
    return bool(np.allclose(together, alone, atol=1e-2)), "row 0 is the model of class 0 against the rest"


def second_fit(model, y, count):
    """Iterations of a first and of a warm second fit."""
    counts = [count(model.fit(X, y)) for _ in range(2)]
    return bool(counts[1] < counts[0]), f"iterations {counts}"


def runs(call):
    """Yes, if the call comes back."""
    found = call()
    return True, f"{type(found).__name__}"
