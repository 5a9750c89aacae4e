"""L1, L2 and elastic-net logistic regression without an intercept, at fractions of the largest penalty."""

import numpy as np
from benchmark_utils.gaps import largest_penalty, logistic_gap, signs
from benchopt import BaseObjective


class Objective(BaseObjective):
    name = "logistic"
    min_benchopt_version = "1.6"
    parameters = {"divisor": [10, 100], "l1_ratio": [1.0, 0.5, 0.0]}
    test_dataset_name = "simulated"

    def skip(self, X, y):
        return X is None, y if X is None else None

    def set_data(self, X, y):
        self.X, self.y = X, signs(y)
        penalty = largest_penalty(X, self.y, logistic=True) / self.divisor
        self.l1, self.l2 = penalty * self.l1_ratio, penalty * (1.0 - self.l1_ratio)

    def get_objective(self):
        return {"X": self.X, "y": self.y, "l1": self.l1, "l2": self.l2}

    def evaluate_result(self, w):
        gap, value = logistic_gap(self.X, self.y, w, self.l1, self.l2)
        return {"value": value, "gap": gap, "nonzero": int((w != 0).sum())}

    def get_one_result(self):
        return {"w": np.zeros(self.X.shape[1])}
