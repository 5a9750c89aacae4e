"""The penalty of elastic nets, with weights of the coefficients or without."""

import numpy as np

from .._precision import EPS, LARGEST
from ..kernels import quadratic_minimiser as gram
from .base import Penalty

WITHIN = 1.0 - 4.0 * EPS
"""What a factor is multiplied by that rounding is not to carry over its limit."""


class ElasticNetPenalty(Penalty):
    """``sum_j weights_j (l1 |w_j| + (l2/2) w_j^2)``, optionally with ``w >= 0``.

    ``l2=0`` is the lasso's penalty, ``l1=0`` ridge's.

    Parameters
    ----------
    l1, l2 : float
        Weights of the two terms, non-negative.
    positive : bool
        Whether the coefficients are constrained to be non-negative.
    weights : ndarray of shape (p,) or None
        Non-negative; coefficients of weight 0 are free. None stands for ones.

    Attributes
    ----------
    l1s, l2s : float or ndarray of shape (p,)
        Weights of the two terms of every coefficient; one number where they are all alike.

    See Also
    --------
    sk_asyncprox.problem.Problem : What it is a part of.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox.penalties import ElasticNetPenalty
    >>> penalty = ElasticNetPenalty(l1=1.0, l2=2.0)
    >>> w = np.array([3.0, -0.5])
    >>> print(penalty.value(w), penalty.prox(w, step=0.5) + 0.0)
    12.75 [1.25 0.  ]
    >>> penalty = ElasticNetPenalty(l1=1.0, weights=np.array([0.0, 1.0, 2.0]))
    >>> print(penalty.prox(np.array([3.0, 3.0, 3.0]), step=0.5))
    [3.  2.5 2. ]
    """

    weights, alike = np.float64(1.0), True

    def __init__(self, l1=0.0, l2=0.0, positive=False, weights=None):
        self.l1, self.l2, self.positive = float(l1), float(l2), bool(positive)
        self.l1s, self.l2s = self.l1, self.l2
        if weights is not None:
            self.weights, self.alike, self.widest_run, free = weights, False, 128, weights == 0.0
            self.l1s, self.l2s = self._each(self.l1), self._each(self.l2)
            self.free = np.flatnonzero(free) if free.any() else None

    def _each(self, part):
        # An l1 part that lets nothing out of zero is infinite, and free is free of it.
        with np.errstate(over="ignore"):
            parts = np.multiply(part, self.weights, where=self.weights > 0.0, out=0.0 * self.weights)
        return parts if np.isinf(part) else np.minimum(parts, LARGEST)

    def _of(self, l1, l2, weights):
        return type(self)(l1, l2, self.positive, None if self.alike else weights)

    def on(self, index):
        return self if self.alike else self._of(self.l1, self.l2, self.weights[index])

    @property
    def is_zero(self):
        """Whether nothing is penalised; then no finite duality gap exists."""
        return self.l1 == 0.0 and self.l2 == 0.0

    def value(self, w):
        """Penalty of the coefficients ``w`` (the constraint is not checked)."""
        return (self.l1s * np.abs(w)).sum() + 0.5 * ((self.l2s * w) @ w)

    def with_l1(self, l1, l2=None):
        """The same penalty with another weight of its l1 term, or of both."""
        return self._of(l1, self.l2 if l2 is None else l2, self.weights)

    @property
    def has_zeros(self):
        """Whether minimisers tend to have coefficients that are exactly zero."""
        return self.positive or (self.l1 > 0.0 and (self.alike or bool(self.weights.any())))

    def difference(self, w, new):
        """Change from ``w`` to ``new``: the part linear in the length of the step, and ``l2 |new - w|^2``;
        of several ``new``, one a row, both are arrays."""
        # Entry by entry: the difference of the two norms would lose small steps to rounding.
        move = new - w
        linear = (self.l2s * move) @ w
        if self.l1:
            linear = linear + (self.l1s * (np.abs(new) - np.abs(w))).sum(axis=-1)
        return linear, np.einsum("...i,...i", self.l2s * move, move)

    def prox(self, x, step):
        """``argmin_w  step * penalty(w) + |w - x|^2 / 2``, coordinate by coordinate."""
        if self.positive:
            shrunk = np.maximum(x - step * self.l1s, 0.0)
        else:
            shrunk = x - np.clip(x, -step * self.l1s, step * self.l1s)
        return shrunk / (1.0 + step * self.l2s)

    def pull(self, c):
        """Size of the correlations ``c`` against the penalty, ``|c|`` or ``max(c, 0)``: the l1 part up to
        which they let their coefficients out of zero."""
        size = np.maximum(c, 0.0) if self.positive else np.abs(c)
        if self.alike:
            return size
        return np.divide(size, self.weights, where=self.weights > 0.0, out=0.0 * c)

    def support(self, w):
        """Mask of the coefficients that no working set may lack: the free ones are among them."""
        return (w != 0.0) | (self.weights == 0.0)

    def crumbs(self, w, c):
        return super().crumbs(w, c) & (self.weights > 0.0)

    def dual_limit(self, c):
        """Largest factor by which a dual point with correlations ``c`` may be scaled: beyond it the conjugate
        is infinite or, with ``l2 > 0``, what is a good choice."""
        largest = float(self.pull(c).max(initial=0.0))
        # Beside an l2 part that is next to nothing the square of what is too much by rounding would count.
        return self.l1 / largest * (WITHIN if self.l2 else 1.0) if largest > 0 else np.inf

    def conjugate(self, c):
        """Conjugate at ``c``, which the caller has made feasible with ``l2 = 0``, and zero where coefficients
        are free."""
        if self.l2 == 0.0:
            return 0.0
        excess = np.maximum(self.pull(c) - self.l1, 0.0) if self.has_zeros else self.pull(c)
        return ((self.weights * excess) @ excess) / (2.0 * self.l2)

    def violation(self, w, c):
        """Distance of the correlations ``c`` from the subdifferential at ``w``."""
        c = c - self.l2s * w
        inside = np.maximum((np.maximum(c, 0.0) if self.positive else np.abs(c)) - self.l1s, 0.0)
        return np.where(w != 0, np.abs(c - self.l1s * np.sign(w)), inside)

    def plain(self, Q, q, w, square=0.0):
        """The model ``w'Qw/2 - q'w + penalty(w)`` as one whose coefficients are penalised alike: its ``(Q, q,
        w, penalty, square)``, and what makes coefficients of this one of its. The l2 part belongs to its
        matrix, in ``u_j = weights_j w_j`` the l1 part is ``l1 |u|_1``, and free coefficients are put in at
        their best, which leaves what is orthogonal to their columns."""
        if isinstance(self.weights, float) or not self.has_zeros:
            return (Q, q, w, self, square), lambda w: w
        Q = Q + np.diag(self.l2s)
        if self.positive and self.free is not None:
            # They may not be negative, so their best is not known; but then |w_j| = w_j, and no part is left.
            return ElasticNetPenalty(positive=True).plain(Q, q - self.l1s, w, square)
        free, kept = np.flatnonzero(self.weights == 0.0), np.flatnonzero(self.weights)
        scale, across = self.weights[kept], Q[kept[:, None], free]
        best = gram.solution(Q[free[:, None], free], np.column_stack([across.T, q[free]]))
        slopes, constants = best[:, :-1], best[:, -1]
        reduced = (Q[kept[:, None], kept] - across @ slopes) / np.outer(scale, scale)
        target = (q[kept] - across @ constants) / scale

        def restored(u):
            new = np.empty_like(w)
            new[kept] = u / scale
            new[free] = constants - slopes @ new[kept]
            return new

        penalty = ElasticNetPenalty(self.l1, positive=self.positive)
        square = max(square - q[free] @ constants, EPS * square)  # where they explain all, rounding is left
        return (reduced, target, scale * w[kept], penalty, square), restored

    def solve_on_gram(self, Q, q, w, square, goal, **limits):
        """Lower the model's gap to ``goal``, if that can be: new coefficients, gap, and entries touched; as
        :func:`~sk_asyncprox.kernels.quadratic_minimiser.solve_on_gram`."""
        model, restored = self.plain(Q, q, w, square)
        w, *found = gram.solve_on_gram(*model, goal, **limits)
        return restored(w), *found

    def step_on_gram(self, Q, q, w, square, sweeps):
        """Minimise the model as well as a step of a block asks for: new coefficients, and entries touched."""
        (Q, q, w, penalty, _), restored = self.plain(Q, q, w)
        return restored(gram.swept(Q, q, w, penalty, sweeps)), sweeps * Q.size

    def gap_on_gram(self, Q, q, w, square):
        """Duality gap of the model."""
        (Q, q, w, penalty, square), _ = self.plain(Q, q, w, square)
        return gram.gap_on_gram(q, w, Q @ w, penalty, square)
