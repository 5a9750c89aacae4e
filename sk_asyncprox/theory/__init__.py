"""What is proved of delay-adaptive steps, as functions of arrays.

Steps and windows are in any unit, the same as that of ``largest_step = gamma' = h / L``. The measure
that all bounds depend on is the *step-size integral*, the sum of the steps taken so far. Proofs are on the
documentation's page of theory; what is not proved there is not here. The bounds are worst cases: they
hold for every problem of their class, so that a run is usually far below them. An array of integrals
gives an array of bounds.

Throughout, ``excess`` is ``P(x_0) - P*``, ``distance`` is ``|x_0 - x*|`` in the metric of the solver,
``h`` is the safety factor in (0, 1) and the steps keep the principle (:func:`satisfies_principle`).
"""

from . import _bounds, _integrals
from ._bounds import *  # noqa: F403
from ._integrals import *  # noqa: F403

__all__ = []  # in the form that type checkers follow
__all__ += _bounds.__all__
__all__ += _integrals.__all__
