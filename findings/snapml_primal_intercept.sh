#!/usr/bin/env bash
# snapml 1.17.2 (Python 3.11): with dual=False, which penalty="l1" needs, an intercept is fitted and then lost. The
# coefficients are those of the model with an intercept, intercept_ is 0, and predict() lacks it.
# Seen: coefficients 1e-05 from least squares with an intercept, 4e-01 from least squares without; intercept_ 0.0;
#       mean of y - predict(X) 2.04 on the training data.
# Ends with an error when that is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    snapml==1.17.2 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from sklearn.linear_model import LinearRegression
from snapml import LinearRegression as SnapLinearRegression

rng = np.random.default_rng(0)
X = rng.standard_normal((200, 12)) + 0.5
y = X[:, :3] @ [1.0, -2.0, 1.5] + 2.0 + 0.3 * rng.standard_normal(200)

model = SnapLinearRegression(
    fit_intercept=True, penalty="l1", dual=False, regularizer=1e-3, tol=1e-10, max_iter=20000
).fit(X, y)
coef, intercept = np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])
free = np.abs(coef - LinearRegression().fit(X, y).coef_).max()
without = np.abs(coef - LinearRegression(fit_intercept=False).fit(X, y).coef_).max()
missing = float(np.mean(y - model.predict(X)))
print(f"with intercept {free:.0e}, without {without:.0e}; intercept_ {intercept}; mean residual {missing:.2f}")
assert free < 1e-2 < 0.1 < without and intercept == 0.0 and missing > 1.0
PYTHON
