"""Solutions for many penalties, each found from the one before."""

from ..solve import solve


def solutions_along(problem, penalties, options, start=None):
    """Solve the problem for one penalty after the other; a generator.

    The data are prepared once. Every run begins where the one before has ended: in rounds with its iterate
    and certificate, its working set with the columns it has cut, and its Gram matrix; other solvers begin
    with its iterate.

    Parameters
    ----------
    problem : Problem
        Its own penalty does not count.
    penalties : iterable of ElasticNetPenalty
        The strongest first, as solutions then grow.
    options : Options
    start : Snapshot or None
        First iterate, in the centred design.

    Yields
    ------
    Solution
        Under each penalty; what it holds of the solver is good until the next one is asked for.
    """
    solution = None
    for penalty in penalties:
        solution = solve(problem.with_penalty(penalty), options, start, solution)
        yield solution
