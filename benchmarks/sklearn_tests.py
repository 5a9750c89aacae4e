"""Scikit-learn's own tests of Lasso, ElasticNet and LogisticRegression, with this package's in their place.

Usage: sklearn_tests.py [pytest arguments]

Runs those of the installed ``test_coordinate_descent.py`` and ``test_logistic.py`` of
``sklearn/linear_model/tests`` that use one of the three classes and no path or cross-validated form
(``sklearn_tests_cv.py`` runs these). Parameters that this package drops are taken and ignored, scikit-learn's
names of solvers run ``"bcd"``, and `tol`, of a gradient there and of a gap here, is squared for
LogisticRegression. What does not apply is left out, with its reason below (printed at the end);
everything else has to pass.
"""

import inspect
import sys
from pathlib import Path

import pytest
import sklearn.linear_model
from sklearn import linear_model as peer

import sk_asyncprox as own

NAMES = ("Lasso", "ElasticNet", "LogisticRegression")
OTHERS = ("CV", "_path")
DROPPED = {"precompute", "dual", "intercept_scaling", "penalty"}

NOT_APPLICABLE = {
    "test_set_order": "private function of scikit-learn",
    "test_cython_solver_equivalence": "private function of scikit-learn",
    "test_multi_task": "multi-task estimators have another penalty, not offered",
    "test_warm_start_multitask": "multi-task estimators have another penalty, not offered",
    "test_elasticnet_precompute": "parameter `precompute` is dropped",
    "test_overridden_gram_matrix": "parameter `precompute` is dropped",
    "test_check_input_false": "parameter `check_input` of fit is not offered",
    "test_enet_copy_X": "parameter `check_input` of fit is not offered",
    "test_enet_sample_weight_does_not_overwrite": "parameter `check_input` of fit is not offered",
    "test_check_solver_option": "which of scikit-learn's solvers can do what",
    "test_liblinear": "about liblinear",
    "test_sample_and_class_weight_equivalence_liblinear": "about liblinear",
    "test_logreg_intercept_scaling": "parameter `intercept_scaling` is dropped",
    "test_newton_cholesky": "about another solver's fallback",
    "test_warm_start_newton_solver": "iterations of another solver",
    "deprecated": "deprecations of scikit-learn",
    "test_logisticregression_warns_with_n_jobs": "deprecations of scikit-learn",
    "test_lr_penalty_l1ratio_incompatible": "deprecations of scikit-learn",
    "test_logistic_regression_array_api": "array API input is not offered",
    "test_l1_ratio_non_elasticnet": "deprecations of scikit-learn",
    "test_elastic_net_l1_l2_equivalence": "parameter `penalty` is dropped",
    "test_penalty_none": "parameter `penalty` is dropped",
    "test_zero_max_iter": "`max_iter` counts passes, at least one",
    "test_max_iter": "`max_iter` counts passes; the words of other solvers' warnings",
    "test_enet_coordinate_descent_raises_convergence": "the words of scikit-learn's warning",
    "test_large_sparse_matrix": "asserts that int64 indices are refused; here they work",
    "test_enet_nonfinite_params": "asserts an error for features near the largest float; here a warning",
    "test_lasso_dual_gap": "asserts the gap of one dual point; here the best of a run, which is smaller",
    "test_warm_start_convergence": "`n_iter_` counts passes, at least one",
    "test_logistic_regression_callback_support": "counts the tasks of scikit-learn's solver",
    "-False-liblinear]": "about liblinear, which returns double precision",
    "-True-liblinear]": "about liblinear, which returns double precision",
}


def adapted(name):
    """The package's class, which takes the parameters of scikit-learn's and ignores those dropped."""
    ours, theirs = getattr(own, name), getattr(peer, name)
    known = dict(inspect.signature(theirs).parameters)
    mine = {k: p.default for k, p in inspect.signature(ours).parameters.items()}
    defaults = {k: mine.get(k, p.default) for k, p in known.items()} | mine

    def __init__(self, *args, **given):
        given |= dict(zip(known, args, strict=False))
        if unknown := set(given) - set(defaults):
            raise TypeError(f"unexpected parameters {unknown}")
        for key, value in (defaults | given).items():
            setattr(self, key, value)

    keywords = [inspect.Parameter(k, inspect.Parameter.KEYWORD_ONLY, default=v) for k, v in defaults.items()]
    receiver = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    __init__.__signature__ = inspect.Signature([receiver, *keywords])

    def _options(self):
        options = ours._options(self)
        if name == "LogisticRegression":
            options = options._replace(tol=max(options.tol**2, 1e-15))
        return options if options.solver in ("bcd", "piag") else options._replace(solver="bcd")

    free = {"solver", *DROPPED}
    constraints = {k: v for k, v in ours._parameter_constraints.items() if k not in free}
    body = {"__init__": __init__, "_options": _options, "_parameter_constraints": constraints}
    return type(name, (ours,), body)


SUBSTITUTES = {name: adapted(name) for name in NAMES}


class Plugin:
    """Puts the package's classes into the test modules and keeps the tests that use them."""

    def __init__(self):
        self.left_out, self.outcomes = {}, {}

    def pytest_collection_modifyitems(self, items):
        kept = []
        for item in items:
            text = item.name + inspect.getsource(item.function)
            if any(other in text for other in OTHERS) or not any(name in text for name in NAMES):
                continue
            reason = next((r for part, r in NOT_APPLICABLE.items() if part in item.name), None)
            if reason is not None:
                self.left_out[item.name] = reason
                continue
            kept.append(item)
            for name, substitute in SUBSTITUTES.items():
                if hasattr(item.module, name):
                    setattr(item.module, name, substitute)
            # Classes that are parameters of the tests were bound when the module was read.
            for key, value in getattr(getattr(item, "callspec", None), "params", {}).items():
                if value in (peer.Lasso, peer.ElasticNet, peer.LogisticRegression):
                    item.callspec.params[key] = SUBSTITUTES[value.__name__]
        items[:] = kept

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.nodeid.rsplit("::")[-1]] = report.outcome


def main():
    folder = Path(sklearn.linear_model.__file__).parent / "tests"
    files = [str(folder / f"test_{part}.py") for part in ("coordinate_descent", "logistic")]
    plugin = Plugin()
    status = pytest.main([*files, "-q", "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[plugin])
    outcomes = list(plugin.outcomes.values())
    print(f"{outcomes.count('passed')} of {len(outcomes)} applicable tests pass, "
          f"{outcomes.count('skipped')} skipped by scikit-learn itself; "
          f"{len(plugin.left_out)} do not apply:")  # fmt: skip
    for name, reason in plugin.left_out.items():
        print(f"  {name}: {reason}")
    return status


if __name__ == "__main__":
    sys.exit(main())
