"""Cases of the random fits: records of plain values, and how they are drawn."""

import dataclasses

import numpy as np

LARGEST = 1e-5, 1e5
"""Products of scales between which a fit has to succeed; beyond, one sentence will do."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One fit. The defaults are the plainest values, which shrinking tries first."""

    seed: int = 0
    way: str = "fit"
    n: int = 12
    p: int = 4
    n_classes: int = 0
    n_targets: int = 1
    kind: str = "normal"
    storage: str = "array"
    dtype: str = "float64"
    weights: str = "none"
    scale: float = 1.0
    column_spread: float = 1.0
    target_scale: float = 1.0
    target_offset: float = 0.0
    strength: float = 0.1
    l1_ratio: float = 1.0
    penalty_weights: str = "none"
    groups: str = "none"
    threshold: float = 0.0
    positive: bool = False
    fit_intercept: bool = True
    solver: str = "bcd"
    step_size: str = "auto"
    metric: str = "gram"
    working_set: object = "auto"
    n_blocks: object = "auto"
    n_jobs: object = None
    workers: str = "threads"
    schedule: str = "plain"
    tol: float = 1e-4
    max_iter: int = 1000
    max_time: object = None
    warm: str = "no"
    selection: str = "cyclic"
    record: object = "updates"

    def is_ordinary(self):
        """Whether nothing but success will do."""
        spans = self.scale, self.scale * self.column_spread, self.target_scale
        near = self.weights not in ("huge", "tiny") and self.penalty_weights != "far"
        # Features that nothing keeps in bounds may separate the classes.
        near = near and not (self.n_classes and self.penalty_weights == "zeros")
        # Collections refuse a class of which all weights are zero; other labels may leave one.
        empty = self.n_classes and self.weights == "zeros" and self.warm == "far"
        near = near and not (empty and self.storage == "chunks")
        return near and all(LARGEST[0] <= s <= LARGEST[1] for s in spans)

    def is_default(self):
        """Whether the way of solving is the one that nobody has to choose."""
        chosen = self.solver, self.step_size, self.metric, self.working_set, self.n_blocks, self.workers
        return chosen == ("bcd", "auto", "gram", "auto", "auto", "threads")

    def on_cluster(self):
        """Whether tasks go to Dask."""
        return self.workers == "dask" or self.storage == "chunks"

    def __repr__(self):
        changed = (
            f"{f.name}={getattr(self, f.name)!r}"
            for f in dataclasses.fields(self)
            if getattr(self, f.name) != f.default
        )
        return f"Case({', '.join(changed)})"


GROUPS = "size", "sizes", "lists", "labels"
KINDS = "normal", "correlated", "one_hot", "duplicated", "constant", "zeros", "low_rank", "counts", "sparse"
OPTIONS = [
    *("l1_ratio", "fit_intercept", "solver", "step_size", "metric"),
    *("working_set", "n_blocks", "n_jobs", "tol", "max_iter", "max_time"),
]
"""Fields that are parameters of the estimators, too."""

SCHEDULES = "plain", "bursts", "heavy tails", "lockstep", "log", "machine", "replay", "at once"
"""How the workers of a simulated case are; ``replay``: any fit once more, along its own history; and
``at once``: threads that all begin with the first task, however little there is to do."""

STORAGES = "array", "fortran", "csr", "csc", "coo", "int64"
_FIT_WEIGHTS = {"none": 0.5, "random": 0.2, "huge": 0.05, "tiny": 0.05, "zeros": 0.2}
_OTHER_WEIGHTS = {"none": 0.6, "random": 0.3, "huge": 0.05, "tiny": 0.05}
_WORKERS = {"threads": 0.71, "processes": 0.02, "constant": 0.08, "times": 0.08, "slow": 0.08, "dask": 0.03}


def penalty_weights(case):
    """Weights of the features' penalties; None for ones."""
    if case.penalty_weights == "none":
        return None
    rng = np.random.default_rng([case.seed, 2])
    span = {"spread": 3.0, "far": 9.0}.get(case.penalty_weights)
    v = rng.uniform(0.2, 2.0, case.p) if span is None else 10.0 ** rng.uniform(-span, span, case.p)
    if case.penalty_weights == "zeros":
        v[rng.permutation(case.p)[: min(case.p - 1, 1 + int(rng.integers(1 + case.n // 8)))]] = 0.0
    return v


def groups(case):
    """Groups as the estimator takes them, and their weights; and both as they are: a label for every feature,
    and a weight for every label."""
    p, rng = case.p, np.random.default_rng([case.seed, 2])
    size = max(d for d in (1, 2, 3, 4, 5) if p % d == 0)
    cuts = np.sort(rng.integers(1, p, min(p - 1, 4))) if p > 1 else []
    sizes = np.diff(np.unique([0, *cuts, p]))
    labels = np.arange(p) // size if case.groups == "size" else np.repeat(np.arange(len(sizes)), sizes)
    if case.groups in ("lists", "labels"):
        labels = rng.permutation(labels)
    own = rng.uniform(0.2, 3.0, labels.max() + 1) if case.seed % 2 else None
    given = {
        "size": size,
        "sizes": sizes.tolist() if len(sizes) < p else 1,
        "lists": [np.flatnonzero(labels == g).tolist() for g in range(labels.max() + 1)],
        "labels": [f"group {label:03d}" for label in labels],
    }
    return given[case.groups], own, labels, np.sqrt(np.bincount(labels)) if own is None else own


class Dice:
    """Random choices of a case."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def one(self, *values, **odds):
        """One of the values, or of the odds' names with its probability."""
        if odds:
            return str(self.rng.choice(list(odds), p=list(odds.values())))
        return values[int(self.rng.integers(len(values)))]

    def mostly(self, plain, other, chance):
        """What is plain, and with that chance what the other one gives."""
        found = other() if callable(other) else other
        return found if self.rng.random() < chance else plain

    def between(self, low, high):
        """A number of which all magnitudes are as likely."""
        return float(10.0 ** self.rng.uniform(low, high))


def draw(seed):
    """Case number ``seed``."""
    dice = Dice(seed)
    n_classes = dice.one(0, 0, 2, 3, 5)
    other = "fit" if n_classes else "path"
    way = dice.mostly("fit", lambda: dice.one("cv", other), 0.2)
    options = {"seed": seed, "way": way, "n_classes": n_classes}
    options |= _solution(dice, way)
    options |= _shape(dice, way, n_classes, quick=options["max_iter"] == 1000 and options["solver"] == "bcd")
    options |= _numbers(dice, way, n_classes)
    if options["workers"] == "dask":
        options |= {"storage": dice.one("array", "csr", "chunks"), "n_jobs": None}
        if options["storage"] == "chunks":
            options |= {"solver": "piag", "metric": "gram", "working_set": "auto", "n_targets": 1}
    options |= _model(dice, way, n_classes, options["storage"])
    return Case(**options)


def _shape(dice, way, n_classes, quick):
    """Mostly small: what is large takes long, and shows little that is not shown by what is small."""
    size = dice.one(small=0.8, middle=0.17, large=0.03) if quick else dice.one(small=0.9, middle=0.1)
    most_n, most_p = {"small": (20, 12), "middle": (60, 40), "large": (400, 300)}[size]
    least = 2 * max(2, n_classes) if way == "cv" else max(2, n_classes)
    several = not n_classes and way == "fit" and dice.rng.random() < 0.1
    return {
        "n": int(dice.rng.integers(least, most_n)),
        "p": int(dice.rng.integers(1, most_p)),
        "n_targets": int(dice.rng.integers(2, 4)) if several else 1,
        "kind": dice.one(*KINDS),
        "storage": dice.one(*STORAGES),
        "dtype": dice.mostly("float64", "float32", 0.2),
    }


def _numbers(dice, way, n_classes):
    span = dice.mostly(3.0, 300.0, 0.15)
    return {
        "weights": dice.one(**(_FIT_WEIGHTS if way == "fit" else _OTHER_WEIGHTS)),
        "scale": dice.mostly(1.0, lambda: dice.between(-span, span), 0.3),
        "column_spread": dice.mostly(1.0, lambda: dice.between(0, span), 0.2),
        "target_scale": 1.0 if n_classes else dice.mostly(1.0, lambda: dice.between(-span, span), 0.5),
        "target_offset": 0.0 if n_classes else dice.mostly(0.0, dice.one(1.0, 1.0, 1.0, 1e6), 0.4),
        "strength": dice.between(-4, 0.3),
        "l1_ratio": dice.one(1.0, 0.5, 0.0, float(dice.rng.random())),
        "positive": not n_classes and bool(dice.rng.random() < 0.15),
        "fit_intercept": bool(dice.rng.random() < 0.7 and way != "path"),
    }


def _model(dice, way, n_classes, storage):
    """Which loss and penalty: of the squared loss and the elastic net, or one more."""
    other = dice.mostly("none", dice.one("groups", "threshold"), 0.0 if n_classes or way != "fit" else 0.3)
    if other == "groups":
        return {"groups": dice.one(*GROUPS), "l1_ratio": 1.0, "positive": False}
    # Free features have no certificates made of shares.
    kinds = "random", "spread", "far", "random" if storage == "chunks" else "zeros"
    weights = dice.mostly("none", dice.one(*kinds), 0.25)
    return {"penalty_weights": weights, "threshold": dice.between(-2, 1) if other == "threshold" else 0.0}


def _solution(dice, way):
    bcd, workers = dice.rng.random() < 0.75, dice.one(**_WORKERS)
    n_blocks = dice.mostly("auto", dice.one(1, 3), 0.2)
    working_set = dice.mostly("auto", dice.one(True, False), 0.2) if bcd else "auto"
    step_size = dice.mostly("auto", lambda: dice.one("adaptive1", "adaptive2"), 0.4)
    metric = dice.mostly("gram", "lipschitz", 0.2) if bcd else "gram"
    # Plain steps need thousands of passes for what takes milliseconds to judge.
    plain = "auto", "gram", "auto", "auto", "threads"
    slow = (step_size, metric, n_blocks, working_set, workers) != plain
    n_jobs = dice.mostly(None, dice.one(2, 2, int(dice.rng.integers(3, 9))), 0.4)
    passes = dice.one(10, 20) if workers == "dask" else dice.one(30, 60) if slow else 1000
    return {
        "solver": "bcd" if bcd else "piag",
        "step_size": step_size,
        "metric": metric,
        "working_set": working_set,
        "n_blocks": n_blocks,
        "n_jobs": n_jobs if workers == "threads" else 2 if workers == "processes" else None,
        "workers": workers,
        "schedule": dice.mostly("plain", dice.one(*SCHEDULES), 0.6),
        "tol": dice.between(-8, -2),
        "max_iter": dice.mostly(passes, dice.one(1, 10, 1000), 0.1),
        "max_time": dice.mostly(None, lambda: dice.between(-4, -1.5), 0.05),
        "warm": dice.mostly("no", dice.one("same", "far"), 0.15) if way == "fit" else "no",
        "selection": dice.mostly("cyclic", "random", 0.2),
        "record": dice.mostly("updates", dice.one("iterates", "iterates", None), 0.3),
    }
