"""Constructors, constraints and docstrings of estimators, made of the parameters that a class declares in its
body, with their words in its docstring."""

import inspect
import re
from collections import ChainMap
from dataclasses import MISSING, field, make_dataclass
from operator import attrgetter
from typing import Any, NamedTuple, dataclass_transform

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
    "path": """
alphas : ndarray of shape (n_alphas,)
    Decreasing.
coefs : ndarray of shape (n_features, n_alphas) or (1, n_features, n_alphas)
    Coefficients, in the dtype of `X`; of three dimensions when `y` is a column.
dual_gaps : ndarray of shape (n_alphas,)
    Duality gaps, upper bounds on the distances to the optima in objective value.
n_iters : list of int
    Passes over the data, rounded up; only with `return_n_iter`.

Raises
------
ValueError
    If `y` has several columns: scikit-learn's path of several targets has a penalty that ties them
    together, which is not offered here.
""",
}
"""What several docstrings have in common, by the name in braces that stands for it."""

ENTRY = r"^(\w+) : (.+)\n?((?:    .+\n?)*)"
"""Name, type and meaning of a parameter in a docstring."""


class Parameter(NamedTuple):
    """What is known of a parameter beside its name."""

    constraint: tuple
    default: object
    init: bool
    kw_only: bool
    words: tuple = ("", "")


def parameter(*constraint, default=MISSING, init=True, kw_only=True) -> Any:
    """Parameter, as the value of an annotated attribute, with what scikit-learn's ``_parameter_constraints``
    lists. With ``init=False`` the class has no such parameter, though a base has; `default` is the
    attribute's value."""
    return Parameter(constraint, default, init, kw_only)


@dataclass_transform(kw_only_default=True, field_specifiers=(parameter,))
def declared(cls):
    """Make constructor and constraints of a class of its parameters and its bases' (decorator).

    Type and meaning of each stand in the docstring, which gives their order; those of the class itself come
    first. It is no dataclass: libraries take these apart and put them together again, without what was
    fitted. And no base of it is scikit-learn's, which has no types: a type checker would let every argument
    pass.
    """
    cls._own = {name: value for name, value in vars(cls).items() if isinstance(value, Parameter)}
    for name in cls._own:
        delattr(cls, name)
    entries = re.findall(ENTRY, inspect.cleandoc(cls.__doc__), re.MULTILINE)
    cls._words = {name: words for name, *words in entries}
    bases = cls.__mro__[:-1]
    types, found, words = (
        ChainMap(*map(known, bases))
        for known in (inspect.get_annotations, attrgetter("_own"), attrgetter("_words"))
    )
    names = dict.fromkeys(name for base in bases for name in base._words)
    cls._parameters = {name: found[name]._replace(words=words[name]) for name in names if found[name].init}
    for name, known in found.items():
        if not known.init and known.default is not MISSING:
            setattr(cls, name, known.default)
    cls._parameter_constraints = {name: list(known.constraint) for name, known in cls._parameters.items()}
    fields = [
        (name, types[name], field(default=known.default, kw_only=known.kw_only))
        for name, known in cls._parameters.items()
    ]
    # With words of its own, none are made from its signature.
    record = make_dataclass(cls.__name__, fields, eq=False, repr=False, namespace={"__doc__": cls.__doc__})
    cls.__init__ = record.__init__
    return cls


def no_defaults(described, values):
    """Those of the values, by name, that are not the defaults of a class's parameters, as most are."""
    known = described._parameters
    return {key: x for key, x in values.items() if key not in known or x is not known[key].default}


def documented(described, own=None):
    """Fill what stands in braces in a docstring (decorator): with the parameters of the class itself, as a
    section, or those of ``own``, as far as they are in the signature of a function."""
    parameters = (own or described)._parameters
    names = [name for name in inspect.signature(described).parameters if name in parameters]
    told = "\n".join(paragraph(name, parameters[name]) for name in names)
    told, text = told if own else f"Parameters\n----------\n{told}", inspect.cleandoc(described.__doc__)
    for name, found in (PARAGRAPHS | {"parameters": told}).items():
        text = text.replace(f"{{{name}}}", found.strip("\n"))
    described.__doc__ = text
    return described


def paragraph(name, known):
    """Paragraph of a docstring on a parameter."""
    (kind, text), default = known.words, repr(known.default).replace("'", '"')
    return f"{name} : {kind}, default={default}\n{text.rstrip()}"
