"""Paragraphs that docstrings of estimators and their functions share, and how a class is given them."""

from .._docstring_templates import entries, filled

PARAGRAPHS = {
    "attributes": """
Attributes
----------
coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
    Coefficients, in the dtype of `X` (float32 or float64).
sparse_coef_ : sparse matrix of shape (1, n_features) or (n_targets, n_features)
    The same, sparse.
intercept_ : float or ndarray of shape (n_targets,)
    Intercept.
n_iter_ : int or list of int
    Passes over the data, rounded up; one number per target.
{fitted}
""",
    "classifier": """
classes_ : ndarray of shape (n_classes,)
    Class labels.
coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
    Coefficients, in the dtype of `X` (float32 or float64): one row for two classes, else one per class.
intercept_ : ndarray of shape (1,) or (n_classes,)
    Intercept; those of three and more classes have mean zero.
""",
    "last": """
coef_ : ndarray of shape (n_features,)
    Coefficients of the last fit, in the dtype of `X` (float32 or float64).
intercept_ : float
    Intercept.
n_iter_ : int
    Passes over the data of the last fit, rounded up.
""",
    "fitted": """
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
""",
}
"""What several docstrings have in common, by the name in braces that stands for it."""

DATA = entries("""
X : {array-like, sparse matrix or array, dask collection} of shape (n_samples, n_features)
    Data. The rows of a dask collection stay where they lie.
y : array-like or dask collection of shape (n_samples,)
    Targets, or labels of two or more classes.
sample_weight : float, array-like or dask collection of shape (n_samples,)
    Sample weights, non-negative and not all zero; a number is that of every sample.
""")


def documented(cls):
    """Fill the docstring of a class with its parameters and with what several have in common (decorator)."""
    return filled(cls._words, **PARAGRAPHS)(cls)
