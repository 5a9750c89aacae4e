"""How much of the majorant is in the model of a loss whose curvature changes.

Where classes are nearly separable, most curvatures are a thousandth of the majorant: a tenth of it makes full
steps tiny, and without any of it the next step may be cut to nothing. So it grows and shrinks geometrically,
from little, until full steps just pass.
"""

LEAST, FIRST, HARDEST = 1e-8, 1e-5, 1.0
MORE, LESS = 10.0, 3.0


def next_damping(damping, step):
    """Share of the majorant after a step: more when it was shortened, less when it was full.

    Parameters
    ----------
    damping : float
        Share in the model that the step was computed from.
    step : float
        Share of the full step that was written.

    Returns
    -------
    float
        0, or from ``LEAST / LESS`` to ``HARDEST``.
    """
    if step < 1.0:
        return min(HARDEST, max(FIRST, MORE * damping))
    return damping / LESS if damping > LEAST else 0.0
