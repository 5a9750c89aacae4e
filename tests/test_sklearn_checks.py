"""The estimators pass scikit-learn's own checks, alone and with two workers (a Lasso is an ElasticNet)."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_asyncprox import (
    ElasticNet,
    ElasticNetCV,
    GroupLasso,
    HuberRegressor,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
)

# Scikit-learn's equivalence checks compare at rtol 1e-7, so the fits must be as good as that.
ESTIMATORS = [
    Lasso(tol=1e-14),
    ElasticNet(tol=1e-14),
    ElasticNet(tol=1e-14, n_jobs=2),
    LogisticRegression(tol=1e-14),
    LogisticRegression(tol=1e-14, n_jobs=2),
    GroupLasso(tol=1e-14),
    HuberRegressor(tol=1e-14),
    # Another test compares what workers find with what one finds.
    LassoCV(tol=1e-14, n_jobs=2, cv=2, alphas=2, eps=0.1),
    ElasticNetCV(tol=1e-14, cv=2, alphas=2, eps=0.1),
    LogisticRegressionCV(tol=1e-14, cv=2, Cs=[0.1, 1.0]),
]


@pytest.mark.filterwarnings("ignore:.*did not converge:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.*did not reach the tolerance:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:The least populated class in y has only:UserWarning")
@parametrize_with_checks(ESTIMATORS)
def test_sklearn_checks(estimator, check):
    check(estimator)
