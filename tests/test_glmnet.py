"""What the page "Coming from" says of glmnet: numbers that glmnet 4.1 for R has printed, to eight digits."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression

I = np.arange(1, 41)
X = np.sin(np.outer(I, [1.0, 2.3, 3.7, 5.1])) * [1.0, 2.0, 3.0, 0.5]
Y = X @ [1.0, -1.0, 0.2, 2.0] + np.cos(I * I) + 3.0
N, SCALE, STD = len(Y), X.std(axis=0), Y.std()
FACTORS = np.array([1.0, 2.0, 1.0, 4.0]) / 2.0  # 1, 2, 1, 4, scaled to sum to the number of columns

GAUSSIAN = {
    "standardize": (Lasso(0.1), SCALE, 1.0, [3.1970757, 0.79430192, -0.94099882, 0.10274886, 1.1837465]),
    "alpha=0.4": (
        ElasticNet(0.5 / STD, l1_ratio=0.4),
        1.0,
        STD,
        [3.1973161, 0.35724393, -0.84838467, 0.093244648, 0.0],
    ),
    "penalty.factor": (Lasso(0.1), FACTORS, 1.0, [3.1790552, 0.77060792, -0.97168935, 0.1383769, 0.0]),
    "lower.limits": (
        Lasso(0.1, positive=True),
        1.0,
        1.0,
        [3.1934025, 0.70736832, 0.0, 0.074769958, 0.71298784],
    ),
}


@pytest.mark.parametrize("row", GAUSSIAN)
def test_gaussian(row):
    model, divisor, unit, printed = GAUSSIAN[row]
    model.set_params(tol=1e-14).fit(X / divisor, Y / unit)
    found = unit * np.r_[model.intercept_, model.coef_ / divisor]
    assert_allclose(found, printed, rtol=2e-7, atol=1e-9)


def test_binomial():
    model = LogisticRegression(C=1 / (0.05 * N), l1_ratio=1.0, tol=1e-14).fit(X, Y > 3)
    printed = [0.56977798, 0.65906614, -1.281099, 0.35788642, 0.0]
    assert_allclose(np.r_[model.intercept_, model.coef_[0]], printed, rtol=2e-7, atol=1e-9)


def test_multinomial():
    model = LogisticRegression(C=1 / (0.02 * N), l1_ratio=0.5, tol=1e-14).fit(X, I % 3)
    printed = [
        [-0.033797039, 0.0, 0.16497379, 0.0, 0.0],
        [0.065990488, 0.0, 0.0, -0.0014404511, 0.0],
        [-0.032193449, 0.0, -0.15349874, 0.024939098, 0.0],
    ]
    assert_allclose(np.c_[model.intercept_, model.coef_], printed, rtol=1e-6, atol=1e-8)
