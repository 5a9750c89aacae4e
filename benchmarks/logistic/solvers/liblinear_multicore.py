import numpy as np
from benchmark_utils.solver import LadderSolver, one_of_both
from liblinear.liblinearutil import problem, train

PRIMAL_L2, L1 = 0, 6


class Solver(LadderSolver):
    """liblinear with several threads, which scikit-learn's copy has not."""

    name = "liblinear-multicore"
    requirements = ["pip::liblinear-multicore"]
    parameters = {"n_threads": [2]}
    by_rows = True

    def refuses(self, l1, l2):
        return one_of_both(l1, l2)

    def fit(self, X, y, l1, l2, tol):
        kind = L1 if l1 > 0 else PRIMAL_L2
        options = f"-s {kind} -c {1.0 / (l1 or l2)!r} -e {10.0 * tol!r} -m {self.n_threads} -q"
        model = train(problem(y, X), options)
        sign = 1.0 if model.get_labels()[0] == 1 else -1.0
        return sign * np.asarray(model.get_decfun()[0])
