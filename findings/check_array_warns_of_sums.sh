#!/usr/bin/env bash
# scikit-learn 1.9.1 with NumPy 2.4.6 (Python 3.11): check_array sums the entries to see whether all are finite. It
# hushes the overflow of that sum, but not what comes of it: where large entries of both signs stand in turn, NumPy's
# partial sums are inf and -inf, and finite data give "RuntimeWarning: invalid value encountered in reduce", which
# filters that make warnings errors turn into a failed fit. The same entries in another order pass without a word.
# Seen: in turn: invalid value encountered in reduce; sorted: nothing; both are returned whole.
# Ends with an error when that is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import numpy as np
from sklearn.utils import check_array

turns = 1e308 * np.array([[1.0, -1.0] * 8, [1.0, -1.0] * 8])
said = []
for X in (turns, np.sort(turns)):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        assert np.array_equal(check_array(X), X)
    said.append([str(warning.message) for warning in heard])
print(f"in turn: {said[0]}; sorted: {said[1]}")
assert said == [["invalid value encountered in reduce"], []]
PYTHON
