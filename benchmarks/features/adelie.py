"""adelie 1.1.52, which wants numpy < 2 and so an environment of its own."""

import adelie as ad
import numpy as np

from .problem import (
    CLASSES,
    LABELS,
    SPARSE,
    STRENGTH,
    WEIGHTS,
    P,
    X,
    Y,
    compare,
    follows_scale,
    lacks,
    with_long_indices,
)  # fmt: skip

TIGHT = {"progress_bar": False, "early_exit": False, "tol": 1e-14, "irls_tol": 1e-12}


def path(glm, scale=1.0, **params):
    strengths = np.array([10.0, 3.0, 1.0]) * STRENGTH * scale
    return ad.grpnet(X, glm, lmda_path=strengths, **TIGHT | params)


def solves(y, l1_ratio=1.0, weights=None, least=-np.inf, **params):
    shares = None if weights is None else weights / weights.sum()
    glm = (ad.glm.gaussian if y is Y else ad.glm.binomial)(y, weights=shares)
    state = path(glm, alpha=l1_ratio, **params)
    given = {"positive": True} if least == 0.0 else {}
    coef, intercept = state.betas[-1].toarray().ravel(), state.intercepts[-1]
    return compare(coef, intercept, y, l1_ratio, weights, least=least, **given)


def groups(glm):
    """Whether the coefficients of a feature become zero for all the outputs together."""
    coef = path(glm).betas[-1].toarray().reshape(P, -1) != 0
    some, whole = coef.any(axis=1), coef.all(axis=1)
    return bool(0 < some.sum() < P and (some == whole).all()), f"{some.sum()} of {P} features"


def cut():
    """A path ends where 90 % of the deviance are explained, unless it is told not to."""
    glm = ad.glm.gaussian(Y)
    short, whole = path(glm, early_exit=True), path(glm)
    return len(short.lmdas) == len(whole.lmdas), f"{len(short.lmdas)} of {len(whole.lmdas)} strengths"


def cross_validated(glm):
    found = ad.cv_grpnet(X, glm, n_folds=3, progress_bar=False)
    return True, f"lambda {found.lmdas[found.best_idx]:.3g}"


def long_indices():
    try:
        ad.matrix.sparse(with_long_indices(SPARSE))
    except TypeError as error:
        return False, str(error).split(".")[0]
    return True, "taken"


CELLS = {
    "Lasso": lambda: solves(Y),
    "Elastic-net regression": lambda: solves(Y, 0.5),
    "l1 logistic regression": lambda: solves(LABELS),
    "Elastic-net logistic regression": lambda: solves(LABELS, 0.5),
    "Three and more classes": lambda: groups(ad.glm.multinomial(np.eye(3)[CLASSES])),
    "Unpenalised intercept, logistic": lambda: solves(LABELS),
    "Sample weights": lambda: solves(Y, weights=WEIGHTS),
    "Class weights": lambda: lacks(ad.glm.binomial, "class_weight"),
    "Non-negative coefficients": lambda: solves(
        Y, least=0.0, constraints=[ad.constraint.lower(np.zeros(1)) for _ in range(P)]),
    "Several targets, one mixed-norm penalty": lambda: groups(ad.glm.multigaussian(np.c_[Y, -Y])),
    "Path of solutions": lambda: ("p" if not cut()[0] else True, cut()[1]),
    "Cross-validated estimator": lambda: cross_validated(ad.glm.gaussian(Y)),
    "Elastic-net logistic, cross-validated": lambda: cross_validated(ad.glm.binomial(LABELS)),
    "Duality gap of a regression": lambda: (hasattr(path(ad.glm.gaussian(Y)), "dual_gap"), "dual_gap"),
    "Workers for one fit": lambda: lacks(ad.grpnet, "n_threads"),
    "Wall-clock budget": lambda: lacks(ad.grpnet, "max_time", "timeout"),
    "Warm start": lambda: lacks(ad.grpnet, "warm_start"),
    "64-bit indices": long_indices,
    "Scale-free tolerance": lambda: follows_scale(
        lambda scale: path(ad.glm.gaussian(Y * scale), scale=scale, tol=1e-7, irls_tol=1e-7)
        .betas[-1].toarray()),
}  # fmt: skip
