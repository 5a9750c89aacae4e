#!/usr/bin/env bash
# scikit-learn 1.9.1 with pandas 3.0.6 (Python 3.11): check_array(frame, dtype=np.float64) answers with bool where the
# frame is get_dummies(..., sparse=True), whose columns are Sparse[bool]. What is computed in that dtype fails or is
# cast to bool: Lasso raises an error about casting y. The dense frame is converted as asked.
# Seen: sparse bool, dense float64; Cannot cast ufunc 'subtract' output from dtype('float64') to dtype('bool').
# Ends with an error when that is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    scikit-learn==1.9.1 pandas==3.0.6 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import pandas as pd
from sklearn.linear_model import Lasso
from sklearn.utils import check_array

rng = np.random.default_rng(0)
letters = pd.DataFrame({"letter": rng.choice(list("abcdef"), 500)})
sparse, dense = pd.get_dummies(letters, sparse=True), pd.get_dummies(letters)
y = dense.to_numpy() @ np.arange(6.0)
found = [check_array(frame, accept_sparse="csc", dtype=np.float64).dtype for frame in (sparse, dense)]
Lasso(alpha=0.001).fit(dense, y)
try:
    Lasso(alpha=0.001).fit(sparse, y)
    said = "no error"
except Exception as error:
    said = str(error)
print(f"sparse {found[0]}, dense {found[1]}; {said}")
assert found == [bool, np.float64] and "Cannot cast" in said
PYTHON
