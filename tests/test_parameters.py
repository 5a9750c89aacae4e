"""Parameters of the estimators: each is declared once, and constructor, checks and docstring follow."""

import dataclasses
import inspect
import re

import pytest

from sk_asyncprox import ElasticNet, ElasticNetCV, Lasso, LassoCV, enet_path, lasso_path, linear_model
from sk_asyncprox.linear_model._constructors import declared, parameter
from sk_asyncprox.linear_model._parameters import OfLasso

ALL_MODELS = [
    cls for cls in (getattr(linear_model, name) for name in linear_model.__all__) if inspect.isclass(cls)
]


@pytest.mark.parametrize("model", ALL_MODELS)
def test_a_parameter_has_default_constraint_and_words(model):
    names = list(inspect.signature(model).parameters)
    assert sorted(names) == model._get_param_names() == sorted(model._parameter_constraints)
    told = model.__doc__.partition("Parameters\n----------\n")[2].partition("\n\nAttributes\n")[0]
    assert re.findall(r"^(\w+) : \S.*, default=.*\n    \S", told, re.MULTILINE) == names
    refused = rf"^{model.__name__}\.__init__\(\) got an unexpected keyword argument 'nu'"
    with pytest.raises(TypeError, match=refused):
        model(nu=1.0)


@pytest.mark.parametrize(("model", "others"), [(Lasso, ["l1_ratio"]), (LassoCV, ["l1_ratio", "warm_start"])])
def test_a_parameter_that_only_a_base_has_is_refused(model, others):
    for name in others:
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
            model(**{name: 1.0})
        assert name not in model().get_params()


def test_only_alpha_has_a_place():
    assert ElasticNet(0.5).alpha == Lasso(0.5).alpha == 0.5
    for model in ALL_MODELS:
        with pytest.raises(TypeError, match="positional argument"):
            model(0.5, 0.5)


def test_a_path_has_the_defaults_of_the_estimators():
    signature, model = inspect.signature(enet_path).parameters, ElasticNetCV().get_params()
    shared = set(signature) & set(model)
    assert len(shared) > 15
    assert {name: signature[name].default for name in shared} == {name: model[name] for name in shared}
    theirs = inspect.signature(lasso_path).parameters
    shared = set(signature) & set(theirs) - {"X", "y"}
    assert {name: signature[name].default for name in shared} == {
        name: theirs[name].default for name in shared
    }
    for path, names in ((enet_path, set(signature)), (lasso_path, set(theirs))):
        assert names <= set(re.findall(r"^(\w+) : ", path.__doc__, re.MULTILINE))


@pytest.mark.parametrize(("path", "name"), [(enet_path, "alpha"), (lasso_path, "l1_ratio")])
def test_a_path_refuses_what_it_does_not_take_by_its_own_name(path, name):
    with pytest.raises(TypeError, match=rf"^{path.__name__}\(\) got an unexpected keyword argument '{name}'"):
        path([[0.0], [1.0]], [0.0, 1.0], **{name: 1.0})


def test_parameters_are_there_without_docstrings():
    """Python leaves them out when it is started with ``-OO``."""

    @declared
    class Own(OfLasso):
        depth: int = parameter("array-like", default=3)

    assert set(inspect.signature(Own).parameters) == {"depth", *inspect.signature(OfLasso).parameters}


def test_an_estimator_is_no_dataclass():
    """Libraries take dataclasses apart and put them together again, without what was fitted."""
    assert not any(dataclasses.is_dataclass(base) for model in ALL_MODELS for base in model.__mro__)
