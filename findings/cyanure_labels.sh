#!/usr/bin/env bash
# cyanure 1.2.2 (scikit-learn 1.9.1, Python 3.11): Classifier takes any integers as labels, keeps them in classes_, and
# predicts its own code in their place: 1 for the second class of two, 0, 1, ... for more. Accuracy, grid searches and
# confusion matrices are then of other labels, without a warning. Strings, {-1, 1} and {0, 1} come back right.
# Seen: labels 5, 6: predicted 1, 5, score 0.50 where {0, 1} scores 0.98; labels 5, 6, 7: predicted 0, 1, 2, score 0.
# Ends with an error when that is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    cyanure==1.2.2 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" -W error::UserWarning - <<'PYTHON'
import numpy as np
from cyanure.estimators import Classifier

rng = np.random.default_rng(0)
X = rng.standard_normal((200, 12))
score = X[:, 0] - 2 * X[:, 1] + 0.3 * rng.standard_normal(200)
three = np.digitize(score, np.quantile(score, [0.3, 0.6]))
found = {}
for labels in ((score > 0).astype(int), (score > 0) + 5, three, three + 5):
    loss = "logistic" if len(set(labels)) == 2 else "multiclass-logistic"
    model = Classifier(loss=loss, penalty="l1", lambda_1=1e-3, fit_intercept=True, verbose=False).fit(X, labels)
    found[tuple(np.unique(labels).tolist())] = np.unique(model.predict(X)).tolist(), model.score(X, labels)
print(found)
assert found[0, 1][0] == [0, 1] and found[0, 1][1] > 0.9 and found[0, 1, 2][1] > 0.9
assert found[5, 6][0] == [1, 5] and found[5, 6][1] < 0.6
assert found[5, 6, 7][0] == [0, 1, 2] and found[5, 6, 7][1] == 0
PYTHON
