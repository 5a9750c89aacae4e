"""Units in which a problem is solved, where squares of its numbers would overflow or vanish: features are
divided by ``2^x``, targets that are numbers, less ``shift``, by ``2^y``, which rounds nothing."""

from typing import NamedTuple

import numpy as np

from .._precision import TINY

LEAST, MOST = 1e-70, 1e70
"""Sizes of numbers between which products of four of them are safe."""

DROWNED = 1e4
"""Mean of the targets, relative to their deviations from it, beyond which it is taken out: it would take as
many digits from every residual."""

FAR = 10
"""Exponent of a slope, at most, that is about one."""

STRONGEST = 1e300
"""Weight of a penalty term, at most: it leaves nothing of any coefficient of a problem in range."""


class Units(NamedTuple):
    """Exponents of two of the features' and the targets' units, and what is taken out of the targets."""

    x: int = 0
    y: int = 0
    shift: float = 0.0

    @property
    def own(self):
        """Whether these are the problem's own units."""
        return self == (0, 0, 0.0)

    def penalty(self, penalty):
        """The penalty of a problem in these units; a term that is there stays there. None stays so."""
        if self.own or penalty is None:
            return penalty
        l1, l2 = _scaled(penalty.l1, -self.x - self.y), _scaled(penalty.l2, -2 * self.x)
        return penalty.with_l1(l1, l2)

    def point(self, start):
        """Coefficients and intercept in these units; None stays so."""
        if self.own or start is None:
            return start
        b = np.ldexp(start.b - self.shift, -self.y)
        return start._replace(w=np.ldexp(start.w, self.x - self.y), b=b)

    def value(self, value):
        """Objective, bound or gap as the problem was given."""
        return value if self.y == 0 else float(np.ldexp(value, 2 * self.y))

    def slope(self, slope):
        """Gradients of the smooth part as the problem was given."""
        return np.ldexp(slope, self.x + self.y)

    def certificate(self, c):
        """A certificate as the problem was given."""
        if self.own:
            return c
        return c._replace(
            w=np.ldexp(c.w, self.y - self.x),
            b=np.ldexp(c.b, self.y) + self.shift,
            objective=self.value(c.objective),
            dual=self.value(c.dual),
            correlations=self.slope(c.correlations),
        )

    def certified(self, event):
        """The report of a certificate as the problem was given."""
        if self.own:
            return event
        return event._replace(certificate=self.certificate(event.certificate), dual=self.value(event.dual))


OWN = Units()


def _scaled(weight, exponent):
    if weight == 0.0 or exponent == 0:
        return weight
    return float(np.clip(np.ldexp(weight, exponent), TINY, STRONGEST))


def units_of_targets(y, mean, scale, length=np.inf):
    """Units in which squares of targets are in range, and large beside that of the mean that is to be taken
    out of them; ``scale`` is the mean of the squares, or 1 for none. Where the loss has a ``length`` of its
    own, they are such that slopes are about one."""
    in_range = LEAST**2 < scale < MOST**2 and scale != 1.0 and mean * mean <= DROWNED**2 * scale
    if in_range and length == np.inf:
        return OWN
    middle = y[np.argmin(np.abs(y - mean))]
    rest = np.abs(y - middle).max()
    # A target itself: then equal ones become zero.
    shift = float(middle) if abs(mean) > DROWNED * rest else 0.0
    if length < np.inf:
        exponent = int(np.frexp(min(length, np.sqrt(scale)))[1])
        return Units(0, exponent if abs(exponent) > FAR else 0, shift)
    size = rest if shift else np.abs(y).max()
    return Units(0, 0 if size == 0.0 or LEAST <= size <= MOST else int(np.frexp(size)[1]), shift)


def exponent_between(least, largest):
    """Exponent of two between the sizes of columns, 0 where all are in range."""
    if least >= LEAST and largest <= MOST:
        return 0
    return int(np.frexp(least)[1] + np.frexp(largest)[1]) // 2


def are_in_range(squares):
    """Whether squares of features neither overflow nor vanish."""
    return bool(squares.min(initial=1.0) >= LEAST**2 and squares.max(initial=1.0) <= MOST**2)


def held(problem, certificate, target):
    """The certificate of what numbers hold of the model in the units of the problem as it was given; one of
    which they hold too little, by more than ``target``, is refused."""
    units = problem.units
    if units.own:
        return certificate
    given = units.certificate(certificate)
    left = units.point(given)
    if np.array_equal(left.w, certificate.w):
        return certificate
    left = problem.certify(left.w, left.b)
    if not left.objective <= certificate.objective + target:
        large = np.isinf(given.w).any() or np.isinf(given.b).any()
        raise ValueError(
            f"The coefficients are too {'large' if large else 'small'} for dtype('float64'): scale X or y."
        )
    return left
