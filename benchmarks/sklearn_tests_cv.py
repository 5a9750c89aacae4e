"""Scikit-learn's own tests of paths and cross-validated estimators, with this package's in their place.

Usage: sklearn_tests_cv.py [pytest arguments]

Runs the installed ``test_coordinate_descent.py`` and ``test_logistic.py`` of ``sklearn/linear_model/tests``,
of which the tests that use a path or a CV class are collected. Parameters that this package drops are taken
and ignored; names of scikit-learn's solvers run ``"bcd"``. What does not apply is left out, with its reason
below (printed at the end); everything else has to pass.
"""

import inspect
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.linear_model
from sklearn import linear_model as peer

import sk_asyncprox as own

SOLVERS = {"lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"}
NAMES = ("LassoCV", "ElasticNetCV", "LogisticRegressionCV", "lasso_path", "enet_path")
OURS = ("bcd", "piag")


def parameters(call):
    return {
        name: p.default
        for name, p in inspect.signature(call).parameters.items()
        if p.default is not inspect.Parameter.empty
    }


def adapted(name):
    """The package's class with the signature of scikit-learn's; values of dropped parameters are ignored."""
    ours, theirs = getattr(own, name), getattr(peer, name)
    mine, known = parameters(ours), parameters(theirs)
    defaults = {k: mine.get(k, v) if isinstance(v, str) else v for k, v in known.items()}
    defaults = {**{k: v for k, v in mine.items() if k not in known}, **defaults}
    # What these mean in scikit-learn 1.9 when they are not given.
    defaults.update({k: None for k in ("l1_ratios", "scoring") if k in known})

    def __init__(self, **given):
        if unknown := set(given) - set(defaults):
            raise TypeError(f"unexpected parameters {unknown}")
        for key, value in (defaults | given).items():
            setattr(self, key, value)

    keywords = [inspect.Parameter(k, inspect.Parameter.KEYWORD_ONLY, default=v) for k, v in defaults.items()]
    receiver = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    __init__.__signature__ = inspect.Signature([receiver, *keywords])

    def _options(self):
        options = ours._options(self)
        if options.solver in OURS:
            return options
        # Scikit-learn's solvers look at gradients, whose squares the gap is like.
        return options._replace(solver="bcd", tol=options.tol**2)

    def _refitted(self, *args, **chosen):
        exact = {} if self.solver in OURS else {"solver": "bcd", "tol": self.tol**2}
        return ours._refitted(self, *args, **chosen | exact)

    def _grid(self):
        ratios = (0.0,) if self.l1_ratios is None else self.l1_ratios
        return ours._grid(own.LogisticRegressionCV(Cs=self.Cs, l1_ratios=ratios))

    def fit(self, X, y, sample_weight=None, **params):
        ours.fit(self, X, y, sample_weight, **params)
        if getattr(self, "use_legacy_attributes", False):
            make_legacy(self)
        return self

    free = ("solver", "l1_ratios")
    constraints = {k: v for k, v in ours._parameter_constraints.items() if k not in free}
    body = {
        "__init__": __init__, "_options": _options, "fit": fit, "_parameter_constraints": constraints,
        "_refitted": _refitted, "_grid": _grid,
        "__doc__": ours.__doc__, "path": staticmethod(adapted_path("enet_path")),
    }  # fmt: skip
    if name != "LogisticRegressionCV":
        del body["_grid"]
    return type(name, (ours,), body)


def make_legacy(model):
    """Attributes in the older form, with dicts by class, that most of scikit-learn's tests look at."""
    classes = model.classes_ if len(model.classes_) > 2 else model.classes_[1:]
    paths, scores = model.coefs_paths_.swapaxes(1, 2), model.scores_.swapaxes(1, 2)
    n_iter = model.n_iter_.swapaxes(1, 2)[None]
    paths = [paths[..., k, :] for k in range(len(classes))]
    if model.l1_ratios is None:
        paths, scores, n_iter = [path[:, :, 0] for path in paths], scores[:, :, 0], n_iter[..., 0]
    model.coefs_paths_, model.scores_ = dict(zip(classes, paths, strict=True)), dict.fromkeys(classes, scores)
    model.n_iter_ = n_iter
    model.C_, model.l1_ratio_ = np.full(len(classes), model.C_), np.full(len(classes), model.l1_ratio_)


def adapted_path(name):
    """The package's function, which ignores ``precompute`` and how scikit-learn is told of centred data."""
    ours = getattr(own, name)

    def path(X, y, *, precompute="auto", do_screening=True, **params):
        return ours(X, y, **params)

    path.__name__ = name
    return path


REASONS = {
    "precompute": "Gram matrices that the caller computes are not taken (parameter `precompute` is dropped)",
    "mixed norm": "MultiTask estimators, and paths of several targets: another penalty, not offered",
    "deprecated": "about scikit-learn's deprecated parameters, their warnings and its private methods",
    "peer's precision": "compares to six digits with liblinear at tol=1e-4, which has fewer",
    "solver": "about the limits or the iterations of one of scikit-learn's solvers",
}
NOT_APPLICABLE = {
    "test_1d_multioutput_": "mixed norm",
    "-2-enet_path": "mixed norm",
    "-2-lasso_path": "mixed norm",
    "test_path_unknown_parameter": "deprecated",
    "test_path_function_deprecated_n_alphas": "deprecated",
    "test_lassoCV_does_not_set_precompute": "precompute",
    "test_penalty_deprecated": "deprecated",
    "test_elasticnet_l1_ratio_err_helpful": "deprecated",
    "test_l1_ratio_None_deprecated": "deprecated",
    "test_logisticregressioncv_warns_with_use_legacy_attributes": "deprecated",
    "test_lr_scoring_warns": "deprecated",
    "test_get_default_scorer": "deprecated",
    "test_logistic_cv[": "peer's precision",
    "test_check_solver_option": "solver",
    "test_liblinear_multiclass_raises": "solver",
}


class Plugin:
    """Puts the package's names into the test modules and keeps the tests that use them."""

    def __init__(self):
        self.left_out, self.outcomes = {}, {}

    def pytest_collection_modifyitems(self, config, items):
        kept = []
        for item in items:
            module = item.module
            source = inspect.getsource(item.function)
            called = item.name + source
            if not any(name in called for name in NAMES):
                continue
            reason = next((r for part, r in NOT_APPLICABLE.items() if part in item.name), None)
            if reason is None:
                kept.append(item)
            else:
                self.left_out[item.name] = reason
            for name in NAMES:
                if hasattr(module, name):
                    setattr(module, name, SUBSTITUTES[name])
            # Classes that are parameters of the tests were bound when the module was read.
            if hasattr(item, "callspec"):
                for key, value in item.callspec.params.items():
                    substitute = SUBSTITUTES.get(getattr(value, "__name__", None))
                    if substitute is not None and getattr(value, "__module__", "").startswith("sklearn"):
                        item.callspec.params[key] = substitute
        items[:] = kept

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.nodeid.rsplit("::")[-1]] = report.outcome


SUBSTITUTES = {name: adapted(name) for name in NAMES[:3]} | {name: adapted_path(name) for name in NAMES[3:]}


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
        print(f"  {name}: {REASONS[reason]}")
    return status


if __name__ == "__main__":
    sys.exit(main())
