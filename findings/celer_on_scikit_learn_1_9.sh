#!/usr/bin/env bash
# celer 0.7.4 with scikit-learn 1.9.1 (Python 3.11), which its requirements allow: MultiTaskLasso raises AttributeError
# at the fit, every cross-validated estimator raises TypeError when it is made. Lasso, ElasticNet, GroupLasso and
# LogisticRegression work.
# Seen: 'MultiTaskLasso' object has no attribute '_validate_data';
#       LinearModelCV.__init__() got an unexpected keyword argument 'n_alphas'.
# Ends with an error when that is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    celer==0.7.4 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import celer
import numpy as np

rng = np.random.default_rng(0)
X = rng.standard_normal((50, 5))
Y = X[:, :2] + 0.1 * rng.standard_normal((50, 2))
celer.Lasso(alpha=0.1).fit(X, Y[:, 0])


def error(call):
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


fit = error(lambda: celer.MultiTaskLasso(alpha=0.1).fit(X, Y))
search = error(lambda: celer.LassoCV(cv=3))
print(fit, search, sep="\n")
assert "_validate_data" in fit and "n_alphas" in search
PYTHON
