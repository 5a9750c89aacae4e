#!/usr/bin/env bash
# skglm 0.5 and glum 3.4.1 (Python 3.11): the tolerances are absolute. With y and alpha multiplied by 1e-6, which is the
# same problem in other units, both return the zero model at their default tolerance, without a warning.
# Seen: 3 non-zero coefficients of each at scale 1, 0 of each at scale 1e-6; scikit-learn's Lasso: 3 and 3.
# Ends with an error when that is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    skglm==0.5 glum==3.4.1 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 pandas==3.0.6
"$folder/venv/bin/python" -W error::UserWarning - <<'PYTHON'
import numpy as np
from glum import GeneralizedLinearRegressor
from sklearn.linear_model import Lasso
from skglm import Lasso as SkglmLasso

rng = np.random.default_rng(0)
X = rng.standard_normal((200, 12)) + 0.5
y = X[:, :3] @ [1.0, -2.0, 1.5] + 2.0 + 0.3 * rng.standard_normal(200)
found = {}
for scale in (1.0, 1e-6):
    models = {
        "scikit-learn": Lasso(alpha=0.05 * scale),
        "skglm": SkglmLasso(alpha=0.05 * scale),
        "glum": GeneralizedLinearRegressor(alpha=0.05 * scale, l1_ratio=1),
    }
    for name, model in models.items():
        found[name, scale] = int(np.count_nonzero(model.fit(X, y * scale).coef_))
print(found)
assert all(found[name, 1.0] == 3 for name in models)
assert found["scikit-learn", 1e-6] == 3 and found["skglm", 1e-6] == found["glum", 1e-6] == 0
PYTHON
