"""Paragraphs that the estimators' docstrings share, written once."""

import inspect

FITTING = """
fit_intercept : bool, default=True
    Whether an intercept, never penalised, is fitted.
max_iter : int, default=1000
    Most passes over the data; one pass touches every stored entry of `X` twice, whoever touches it.
warm_start : bool, default=False
    Whether the next fit begins at the present coefficients.
random_state : int, RandomState instance or None, default=None
    Seed of the choice of blocks; None stands for 0.
"""

ASYNCHRONOUS = """
solver : {"bcd", "piag"}, default="bcd"
    Async-BCD (block-coordinate descent on shared margins) or PIAG (proximal incremental aggregated
    gradient, the parameter server).
step_size : {"auto", "adaptive1", "adaptive2", "fixed", "exact"} or StepSize, default="auto"
    Step-size policy, see :mod:`sk_asyncprox.step_sizes`. "auto" is "exact"; with "piag", more than
    2,000 coefficients and no l1 part it is "adaptive1". The parameters of a policy object can be searched
    (``step_size__alpha``).
n_jobs : int or None, default=None
    Workers, in joblib's meaning. One worker is deterministic. Where nothing else is asked for, a small
    problem is given one, and threads start only when a fit lasts: ``history_`` says who has worked.
executor : {"auto", "threads", "dask"} or executor object, default="auto"
    Where the workers run: ``Threads()``, ``Dask(client)``, or ``Simulated(trace)`` for a schedule replayed
    in virtual time. "auto" is Dask for dask collections and in joblib's dask context, else threads.
n_blocks : int or "auto", default="auto"
    "bcd": blocks of columns; a number asks for plain block steps by all workers, without Newton steps.
    "piag": shards of rows; "auto" is one per worker, on Dask four.
metric : {"gram", "lipschitz"}, default="gram"
    "bcd": each block in the metric of its own Gram matrix, or the paper's scalar constant. "piag" with a
    policy of delays: the metric of the shards' curvatures together (up to 2,000 coefficients), or the same.
working_set : bool or "auto", default="auto"
    "bcd": whether only the columns that certificates call for are visited. "auto" is False for a
    simulated log, for ``metric="lipschitz"`` with a delay policy and for penalties without an l1 part.
record : {None, "updates", "iterates"}, default="updates"
    What `history_` keeps.
max_time : float or None, default=None
    Seconds after which the fit stops, those of its set-up included; chunks of a collection are read to the
    end.
"""

RECORD = """record : {None, "updates", "iterates"}, default="updates"
    What `history_` keeps.
"""

PATH = """
eps : float, default=1e-3
    The smallest alpha of an automatic grid, relative to the largest, in (0, 1).
alphas : int or array-like, default=100
    The alphas, or the number of an automatic grid; it begins at the smallest with a zero model.
Xy : array-like of shape (n_features,), default=None
    ``X'y``, when it is known; of use for an automatic grid only.
copy_X : bool, default=True
    Kept for compatibility: `X` is never overwritten.
coef_init : array-like of shape (n_features,), default=None
    Coefficients to begin with.
verbose : bool or int, default=False
    Whether one line is printed per certificate.
return_n_iter : bool, default=False
    Whether the passes of each fit are returned as well.
positive : bool, default=False
    Whether the coefficients are constrained to be non-negative.
"""

CROSS_VALIDATED = """
fit_intercept : bool, default=True
    Whether an intercept, never penalised, is fitted.
max_iter : int, default=1000
    Most passes over the data, for each fit; one pass touches every stored entry of `X` twice.
cv : int, cross-validation generator or iterable, default=None
    Folds: their number (5 when None), or what yields them as ``(train, test)`` indices.
random_state : int, RandomState instance or None, default=None
    Seed of the choice of blocks; None stands for 0. The folds do not depend on it.
n_jobs : int or None, default=None
    Workers, in joblib's meaning. Folds run beside one another, each on one worker, which is deterministic;
    the last fit, on all of the data, is given all of them.
"""

FITTED = """
dual_gap_ : float
    Duality gap of the solution, an upper bound on its distance to the optimum in objective value;
    infinite without a penalty. With several targets this and the next two are arrays of one entry per
    target.
objective_ : float
    Objective at the solution.
n_updates_ : int
    Writes of the run, zero steps included.
fit_time_ : float
    Seconds the fit took.
history_ : History
    Every read, write, delay and step of the run; with several targets a list of one per target.
n_features_in_ : int
    Number of features.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the features, when `X` has string column names.
"""


def documented(cls):
    """Fill the paragraphs that are named in braces in a docstring (decorator)."""
    before, _, after = ASYNCHRONOUS.partition("n_jobs :")
    executor = after.index("executor :")
    paragraphs = {
        "fitting": FITTING,
        "asynchronous": ASYNCHRONOUS,
        "fitted": FITTED,
        "path": PATH,
        "asynchronous_path": ASYNCHRONOUS.replace(RECORD, ""),
        "cross_validated": CROSS_VALIDATED,
        "asynchronous_cv": before + after[executor:],
    }
    text = inspect.cleandoc(cls.__doc__)
    for name, paragraph in paragraphs.items():
        text = text.replace(f"{{{name}}}\n", paragraph.lstrip("\n"))
    cls.__doc__ = text
    return cls
