"""LIBLINEAR 2.50, by its Python interface."""

import numpy as np
from liblinear.liblinearutil import train

from .problem import CLASSES, LABELS, SPARSE, STRENGTH, N, P, X, compare, with_long_indices

SIGNS = 2.0 * LABELS - 1.0
L1 = f"-s 6 -q -e 1e-8 -c {1.0 / (STRENGTH * N)!r}"


def solution(options, data=X, y=SIGNS, label=1.0):
    """Coefficients and intercept of a class."""
    model = train(y, data if data is SPARSE else np.ascontiguousarray(data), options)
    which = model.get_labels().index(label)
    coef = [model.get_decfun_coef(feature, which) for feature in range(1, P + 1)]
    return np.array(coef), model.get_decfun_bias(which)


def intercept():
    """Free with ``-R``; otherwise penalised."""
    free, _ = compare(*solution(L1 + " -B 1 -R"), LABELS)
    penalised, seen = compare(*solution(L1 + " -B 1"), LABELS)
    return ("p" if free and not penalised else free), f"with -R {free}, without {penalised} ({seen})"


def three_classes():
    alone, _ = solution(L1, y=np.where(CLASSES == 0, 1.0, -1.0))
    together, _ = solution(L1, y=CLASSES.astype(float), label=0.0)
    return bool(np.allclose(alone, together, atol=1e-6)), "the model of class 0 against the rest"


def class_weights():
    plain, weighted = solution(L1)[0], solution(L1 + " -w1 5")[0]
    return bool(np.abs(plain - weighted).max() > 1e-2), "-w changes the coefficients"


def long_indices():
    coef, _ = solution(L1, SPARSE)
    model = train(SIGNS, with_long_indices(SPARSE.tocsr()), L1)
    again = [model.get_decfun_coef(feature, model.get_labels().index(1.0)) for feature in range(1, P + 1)]
    return bool(np.allclose(coef, again)), "the coefficients of 32 bits"


CELLS = {
    "l1 logistic regression": lambda: compare(*solution(L1), LABELS, fit_intercept=False),
    "Three and more classes": three_classes,
    "Unpenalised intercept, logistic": intercept,
    "Class weights": class_weights,
    "64-bit indices": long_indices,
}
