#!/usr/bin/env bash
# adelie 1.1.52 (numpy 1.26.4, Python 3.11): grpnet leaves out the end of a path that was given strength by strength:
# it stops where 90 % of the deviance are explained (adev_tol=0.9, early_exit=True are the defaults), without a
# warning. Whoever takes the last row of the result has the model of another strength.
# Seen: 3 of 5 solutions; with early_exit=False 5 of 5.
# Ends with an error when that is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    adelie==1.1.52 scikit-learn==1.9.1 numpy==1.26.4 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import adelie as ad
import numpy as np

rng = np.random.default_rng(0)
X = np.asfortranarray(rng.standard_normal((200, 12)) + 0.5)
y = X[:, :3] @ [1.0, -2.0, 1.5] + 2.0 + 0.3 * rng.standard_normal(200)
strengths = [1.0, 0.5, 0.1, 0.05, 0.01]
given = ad.grpnet(X, ad.glm.gaussian(y), lmda_path=strengths, progress_bar=False)
whole = ad.grpnet(X, ad.glm.gaussian(y), lmda_path=strengths, early_exit=False, progress_bar=False)
print(f"{given.betas.shape[0]} of {len(strengths)}, with early_exit=False {whole.betas.shape[0]}")
assert given.betas.shape[0] == 3 and whole.betas.shape[0] == 5
PYTHON
