#!/usr/bin/env bash
# celer 0.7.4 (scikit-learn 1.9.1, Python 3.11): Lasso.fit takes sample_weight with sparse X and an intercept, and
# returns coefficients of another problem, without a warning. The same call with dense X is right.
# Seen: dense 3.3e-16 from scikit-learn's coefficients, sparse 1.0e-02.
# Ends with an error when that is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    celer==0.7.4 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import scipy.sparse as sp
from celer import Lasso
from sklearn.linear_model import Lasso as Reference

rng = np.random.default_rng(0)
X = rng.standard_normal((200, 12)) + 0.5
X[np.abs(X) <= 1.0] = 0.0
y = X[:, :3] @ [1.0, -2.0, 1.5] + 2.0 + 0.3 * rng.standard_normal(200)
weights = rng.integers(1, 4, 200).astype(float)

right = Reference(alpha=0.05, tol=1e-12).fit(X, y, sample_weight=weights).coef_
dense = np.abs(Lasso(alpha=0.05, tol=1e-10).fit(X, y, sample_weight=weights).coef_ - right).max()
sparse = np.abs(Lasso(alpha=0.05, tol=1e-10).fit(sp.csc_matrix(X), y, sample_weight=weights).coef_ - right).max()
print(f"dense {dense:.1e}, sparse {sparse:.1e}")
assert dense < 1e-6 and sparse > 1e-3
PYTHON
