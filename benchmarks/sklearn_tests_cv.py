"""Scikit-learn's own tests of paths and cross-validated estimators, with this package's in their place.

Usage: sklearn_tests_cv.py [pytest arguments]

Runs the installed ``sklearn/linear_model/tests/test_coordinate_descent.py`` and ``test_logistic.py``, of which
the tests that use a path or a CV class are collected. Parameters that this package drops are taken and
ignored; names of scikit-learn's solvers run ``"bcd"``. What does not apply is left out, with its reason below
(printed at the end); everything else has to pass.
"""

import inspect
import sys
from pathlib import Path

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
        return options if options.solver in OURS else options._replace(solver="bcd")

    def fit(self, X, y, sample_weight=None, **params):
        return ours.fit(self, X, y, sample_weight, **params)

    constraints = {k: v for k, v in ours._parameter_constraints.items() if k != "solver"}
    body = {
        "__init__": __init__, "_options": _options, "fit": fit, "_parameter_constraints": constraints,
        "__doc__": ours.__doc__, "path": staticmethod(adapted_path("enet_path")),
    }  # fmt: skip
    return type(name, (ours,), body)


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
    "lars": "compares with LassoLars, not with these classes",
    "deprecated": "about scikit-learn's deprecated parameters and their warnings",
    "legacy": "attributes as dicts (`use_legacy_attributes=True`), which scikit-learn removes",
    "private": "about scikit-learn's private functions or attributes",
    "refused there": "asserts that scikit-learn's solver refuses what this package can do",
    "peer only": "of its cases only those with scikit-learn's other classes remain",
}
NOT_APPLICABLE = {}


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
