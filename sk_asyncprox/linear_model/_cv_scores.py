"""Models along the paths of a fold's training rows, and what they are judged by on its test rows: errors of
regressions, scores of classifiers."""

from contextlib import nullcontext
from functools import partial

import numpy as np
from scipy.special import expit, softmax
from sklearn.metrics import get_scorer

from .._blas_limit import one_blas_thread
from .._compat import check_method_params, with_labels
from .._joblib import granted_workers
from .._precision import EPS
from ..data.array_operations import rows_of
from ..data.moments import CANCELLED
from ..executors import Threads
from ..kernels.path_gram_cache import WIDEST
from ..losses import SquaredLoss
from ..penalties import ElasticNetPenalty
from ..problem import Problem
from ..problem.scaling import are_in_range
from ..solve import SOLVERS
from ..solve_path import moments_pay, solutions_along
from ._logistic import LogisticRegression
from ._weights import strength_of


def problem_of_folds(model, X, y, weights, paths, folds):
    """The problem of all rows, with second moments that folds share where these cost less than they save."""
    whole = Problem(X, y, SquaredLoss(), None, weights, model.fit_intercept, SOLVERS[model.solver].rows)
    if moments_pay(whole, paths[0][0], model._fold_options(), sum(map(len, paths)) * len(folds) // 2):
        n_threads = granted_workers(model.n_jobs) if isinstance(model.executor, str | Threads) else 1
        with one_blas_thread() if n_threads > 1 else nullcontext():
            whole.share_moments([test for _, test in folds], n_threads)
    return whole


def are_quick(whole):
    """Whether one worker had better find the paths of all folds: those of few columns are mostly calls, for
    which the interpreter has one thread at a time."""
    return whole.keeps_parts and whole.shape[1] <= WIDEST


def squared_errors(whole, X, y, weights, paths, train, test, options):
    """Mean squared errors on a fold's test rows, along the paths of its training rows, and messages;
    ``whole`` is the problem of all rows, ``paths`` are lists of penalties."""
    problem, errors, messages = whole.fold(train), [], []
    weights = np.ones(len(test)) if weights is None else weights[test]
    if not weights.any():
        raise ValueError("All sample weights of a test fold are zero; at least one must be positive.")
    weights = weights / weights.sum()
    for penalties in paths:
        W, b, said = zip(*models(problem, penalties, options), strict=True)
        W, found, lost = np.array(W), np.empty(len(W)), np.arange(len(W))
        if (known := whole.kept_moments(test)) is not None:
            found, lost = errors_by_moments(known, W, problem.offset, b[0])
        if len(lost):
            residuals = np.asarray(W[lost] @ rows_of(X, test).T)
            residuals += (np.array(b) - W @ problem.offset)[lost, None] - y[test]
            with np.errstate(over="ignore"):
                found[lost] = np.einsum("ij,ij,j->i", residuals, residuals, weights)
        errors.append(found)
        messages += said
    return errors, messages


def errors_by_moments(test, W, means, mean_y):
    """Mean squared errors of linear models through a point, their coefficients the rows of ``W``, from the
    second moments of the test rows; and the numbers of those that cancel, or of all where squares of the
    columns overflow or vanish."""
    with np.errstate(over="ignore", invalid="ignore"):
        quadratic = test.moved(np.append(means, mean_y)).quadratic(False)
        errors = quadratic.square + np.einsum("ij,ij->i", W @ quadratic.Q - 2.0 * quadratic.q, W)
        size = np.abs(W) @ np.sqrt(np.maximum(quadratic.Q.diagonal(), 0.0)) + np.sqrt(quadratic.square)
        known = (errors >= CANCELLED * size**2) & are_in_range(test.squares)
        return errors, np.flatnonzero(~known)


def models(problem, penalties, options):
    """Coefficients, intercept and message of each; solutions themselves hold more than is needed."""
    # What mixing changes is of second order in the gap, but of first order in the errors on other rows.
    for solution in solutions_along(problem, penalties, options, mixes=False):
        yield solution.certificate.w, solution.certificate.b, solution.message


# -- classifiers ----------------------------------------------------------------------------------


def scored_paths(whole, scores, Cs, l1_ratios, weights, train, test, options):
    """Coefficients along the paths of a fold's training rows, of shape (n_l1_ratios, n_cs, n_classes or 1,
    n_dof), the intercept last, scores on its test rows, passes, and messages; ``weights`` are of
    penalties."""
    problem, total, order = whole.fold(train), scores.total(train), np.argsort(Cs, kind="stable")
    shape, n_outputs = (len(l1_ratios), len(Cs)), problem.loss.n_outputs
    p = problem.n_coefs // n_outputs
    coefs, values = np.empty((*shape, n_outputs, p + 1)), np.empty(shape)
    n_iter, messages = np.empty(shape, int), np.empty(shape, object)
    for k, ratio in enumerate(l1_ratios):
        strengths = [strength_of(C, *total) for C in Cs[order]]
        penalties = [ElasticNetPenalty(ratio * s, (1.0 - ratio) * s, weights=weights) for s in strengths]
        solutions = solutions_along(problem, penalties, options)
        for i, penalty, solution in zip(order, penalties, solutions, strict=True):
            w = problem.with_penalty(penalty).canonical(solution.certificate.w)
            coefs[k, i, :, :p] = w.reshape(n_outputs, p)
            coefs[k, i, :, p] = problem.intercept(w, solution.certificate.b)
            n_iter[k, i], messages[k, i] = solution.n_iter, solution.message
        values[k] = scores(coefs[k, ..., :p], coefs[k, ..., p], Cs, test)
    return coefs[..., : p + whole.fit_intercept], values, n_iter, messages.ravel()


def margins(X, coefs, intercepts):
    """Margins of models, of shape (m, n, n_classes or 1)."""
    m, n_outputs, p = coefs.shape
    Z = np.asarray(X @ coefs.reshape(-1, p).T).T.reshape(m, n_outputs, -1).swapaxes(1, 2)
    return Z + intercepts[:, None]


def log_likelihoods(codes, Z, weights):
    """Minus the mean logarithmic losses of margins ``Z`` of shape (m, n, n_classes or 1)."""
    if Z.shape[-1] == 1:
        p = expit(np.where(codes == 1, Z[..., 0], -Z[..., 0]))
    else:
        p = softmax(Z, axis=-1)[:, np.arange(len(codes)), codes]
    # Scikit-learn's logarithmic loss takes no probability for less, nor for more than what this leaves of 1.
    return np.average(np.log(np.clip(p, EPS, 1.0 - EPS)), axis=-1, weights=weights)


def accuracies(codes, Z, weights):
    """Accuracies of the same."""
    found = Z[..., 0] > 0.0 if Z.shape[-1] == 1 else Z.argmax(axis=-1)
    return np.average(found == codes, axis=-1, weights=weights)


def scores_of(together, codes, X, coefs, intercepts, weights):
    """Scores of models by one of these functions."""
    values = together(codes, margins(X, coefs, intercepts), weights)
    if not np.isfinite(values).all():
        raise ValueError("The margins on the test rows overflow: scale X.")
    return values


TOGETHER = {"neg_log_loss": log_likelihoods, "accuracy": accuracies, None: accuracies}
"""Values of `scoring` whose scores are computed from the margins of all models of a path at once."""


class Scores:
    """Scores of logistic models on rows of the data; ``params`` are those of the scorer, ``weights`` those of
    the fits, over a power of two with that ``exponent``."""

    def __init__(self, scoring, params, classes, X, labels, codes, weights, exponent):
        self._X, self._labels, self._codes = X, labels, codes
        self._weights, self._exponent = weights, exponent
        self._classes, self._params = classes, params
        self._together = TOGETHER.get(scoring) if isinstance(scoring, str | None) else None
        self._scorer = with_labels(get_scorer(scoring or "accuracy"), classes)

    def total(self, index):
        """Sum of the weights of the fits, on some rows, and its exponent."""
        return len(index) if self._weights is None else self._weights[index].sum(), self._exponent

    def __call__(self, coefs, intercepts, Cs, test):
        """Scores on the rows ``test`` of models, one for each of the ``Cs``."""
        X, params = rows_of(self._X, test), check_method_params(self._X, self._params, indices=test)
        if self._together is None or not set(params) <= {"sample_weight"}:
            each = partial(self._score, X, self._labels[test], params)
            return [each(*model) for model in zip(Cs, coefs, intercepts, strict=True)]
        weights = params.get("sample_weight")
        if weights is not None and not np.any(weights):
            raise ValueError("All sample weights of a test fold are zero; at least one must be positive.")
        return scores_of(self._together, self._codes[test], X, coefs, intercepts, weights)

    def _score(self, X, labels, params, C, coef, intercept):
        model = LogisticRegression(C=C)
        model.classes_, model.coef_, model.intercept_ = self._classes, coef, intercept
        score = self._scorer(model, X, labels, **params)
        value = np.asarray(score)
        if value.size != 1 or value.dtype.kind not in "biuf":
            raise ValueError(f"scoring must return a number, got {score!r} ({type(score)}) instead.")
        return value.item()
