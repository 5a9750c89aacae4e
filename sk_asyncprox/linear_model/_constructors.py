"""Constructors and constraints of estimators, made of the parameters that a class declares in its body, with
their words in its docstring."""

import inspect
from collections import ChainMap
from collections.abc import Callable
from dataclasses import MISSING, Field, field, make_dataclass
from operator import attrgetter
from typing import Any, Concatenate, ParamSpec, TypeVar, dataclass_transform

from .._docstring_templates import entries, filled
from ._shared_docs import DATA

P, R = ParamSpec("P"), TypeVar("R")


def parameter(*constraint, default=MISSING, init=True, kw_only=True) -> Any:
    """Parameter, as the value of an annotated attribute, with what scikit-learn's ``_parameter_constraints``
    lists. With ``init=False`` the class has no such parameter, though a base has; `default` is the
    attribute's value."""
    return field(default=default, init=init, kw_only=kw_only, metadata={"constraint": list(constraint)})


@dataclass_transform(kw_only_default=True, field_specifiers=(parameter,))
def declared(cls):
    """Make constructor and constraints of a class of its parameters and its bases' (decorator).

    Type and meaning of each stand in the docstring, which gives their order; those of the class itself come
    first. It is no dataclass: libraries take these apart and put them together again, without what was
    fitted. And no base of it is scikit-learn's, which has no types: a type checker would let every argument
    pass.
    """
    cls._own = {name: value for name, value in vars(cls).items() if isinstance(value, Field)}
    cls._told = entries(inspect.cleandoc(cls.__doc__ or ""))
    for name, known in cls._own.items():
        delattr(cls, name)
        if not known.init and known.default is not MISSING:
            setattr(cls, name, known.default)
    bases = cls.__mro__[:-1]
    found, cls._words = (ChainMap(*map(attrgetter(known), bases)) for known in ("_own", "_told"))
    names = dict.fromkeys(name for base in bases for name in (*base._told, *base._own))
    cls._parameters = {name: found[name] for name in names if found[name].init}
    cls._parameter_constraints = {
        name: known.metadata["constraint"] for name, known in cls._parameters.items()
    }
    fields = [(name, Any, known) for name, known in cls._parameters.items()]
    # With words of its own, none are made from its signature; errors name the estimator.
    words, name = {"__doc__": cls.__doc__}, cls.__name__.removeprefix("Of")
    record = make_dataclass(name, fields, eq=False, repr=False, namespace=words)
    cls.__init__ = record.__init__
    cls.__init__.__annotations__ = {}  # which nobody could read: type checkers take those of the class
    return cls


def no_defaults(described, values):
    """Those of the values, by name, that are not the defaults of a class's parameters, as most are."""
    known = described._parameters
    return {key: x for key, x in values.items() if key not in known or x is not known[key].default}


def taking(parameters: Callable[P, Any], **parts: str):
    """Signature and docstring of a function of ``X``, ``y`` and the parameters of a class (decorator)."""

    def change(function: Callable[..., R]) -> Callable[Concatenate[Any, Any, P], R]:
        data = [p for p in inspect.signature(function).parameters.values() if p.kind != p.VAR_KEYWORD]
        own = inspect.signature(parameters).parameters.values()
        function.__signature__ = inspect.Signature([*data, *own])  # type: ignore[attr-defined]
        return filled(DATA | dict(parameters._words), **parts)(function)

    return change
