"""The estimators pass scikit-learn's own checks, alone and with two workers."""

import pytest
import sklearn
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression

# Scikit-learn's equivalence checks compare at rtol 1e-7, so the fits must be as good as that.
ESTIMATORS = [
    estimator(tol=1e-14, n_jobs=n_jobs)
    for estimator in (Lasso, ElasticNet, LogisticRegression)
    for n_jobs in (None, 2)
]

BINARISED_APART = (
    "scikit-learn 1.6 draws three classes and makes them two from the first label of each data set it "
    "compares, which differs between the weighted and the repeated one"
)


def expected_failures(estimator):
    if isinstance(estimator, LogisticRegression) and parse_version(sklearn.__version__) < parse_version(
        "1.7"
    ):
        return {
            "check_sample_weight_equivalence_on_dense_data": BINARISED_APART,
            "check_sample_weight_equivalence_on_sparse_data": BINARISED_APART,
        }
    return {}


@pytest.mark.filterwarnings("ignore:.*did not converge:sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_sklearn_checks(estimator, check):
    check(estimator)
