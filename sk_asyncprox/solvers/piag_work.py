"""Work of the parameter servers: certificates, gradients and models of shards, and the minimiser of these."""

from .shard_models import model_of


def certify(problem, task):
    """Work of the kind ``"certificate"``: of all the data, by one worker."""
    return problem.certify(*task.payload)


def gradient(shard, task):
    """Work of the kind ``"shard"``."""
    return shard.gradient(*task.payload)


def look(shard, task):
    """Work of the kind ``"look"``: a share of a certificate, and the gradient at its point."""
    found = shard.look(*task.payload)
    return found, found.gradient


def model(shard, task):
    """Work of the kind ``"model"``: the shard's second-order model."""
    return model_of(shard, *task.payload)


def model_look(shard, task):
    """Work of the kind ``"model look"``: a share of a certificate, and the model at its point."""
    w, b, known, blend = task.payload
    z = shard.margins(w, b)
    return shard.look(w, b, z), model_of(shard, w, b, known, blend, z)


def solve(_, task):
    """Work of the kind ``"solve"``."""
    return minimised(*task.payload)


def minimised(quadratic, w, penalty, enough):
    """The gap that the models' sum has at ``w``, its minimiser, and the best intercepts there."""
    new = quadratic.minimiser(w, penalty, enough)
    return quadratic.gap(w, penalty), new, quadratic.intercepts(new)


WORK = {
    "certificate": certify,
    "shard": gradient,
    "look": look,
    "model": model,
    "model look": model_look,
    "solve": solve,
}


def work(part, task):
    """Do the task with the part it needs."""
    return WORK[task.kind](part, task)
