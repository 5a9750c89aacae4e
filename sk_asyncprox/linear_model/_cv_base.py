"""What the cross-validated estimators share: folds, and their paths beside one another."""

import time
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.parallel import Parallel, delayed

from .._blas_limit import one_blas_thread
from .._compat import raise_for_params, routing_enabled
from .._docstring_templates import filled
from .._interrupts import Deferred, Stop
from .._joblib import runs_threads
from ..executors import Threads
from ..shards.dask_chunks import is_collection
from ._base import all_or_nothing
from ._shared_docs import DATA

OF_THE_LAST = ("coef_", "intercept_", "dual_gap_", "objective_", "n_updates_", "history_")
"""What is known of the last fit, where there is one."""


class CrossValidated:
    """What the cross-validated estimators share (mixin)."""

    @all_or_nothing
    @filled(DATA)
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None, **params: Any) -> Self:
        """Choose the penalty by cross-validation, and fit the model with it on all of the data.

        {parameters}
        X : {array-like, sparse matrix or array, dask collection} of shape (n_samples, n_features)
            Data. Of a dask collection the rows stay where they lie: regressions read them once for all
            penalties and folds, and count passes of the few rows that stand for them then; the solver of
            classifiers is PIAG.
        sample_weight : float or array-like of shape (n_samples,)
            Sample weights, non-negative and not all zero; of the fits and of what the models are compared by:
            within each fold of the errors (the choice goes by the plain mean over the folds), or, without
            metadata routing, of the scorer.
        **params : dict
            Parameters of the splitter, and of a classifier's scorer, with metadata routing.

        Returns
        -------
        self
        """
        begin = time.perf_counter()
        raise_for_params(params, self, "fit")
        watcher = (self._on_cluster if is_collection(X) else self._in_memory)(X, y, sample_weight, params)
        self.fit_time_ = time.perf_counter() - begin
        watcher.end()
        return self

    def get_metadata_routing(self):
        """Metadata routing of the estimator: what its splitter, and its scorer, may ask for.

        Returns
        -------
        MetadataRouter
        """
        split = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(splitter=self.cv, method_mapping=split)
        if hasattr(self, "scoring"):
            score = MethodMapping().add(caller="score", callee="score").add(caller="fit", callee="score")
            router.add(scorer=self._scorer(), method_mapping=score)
        return router

    def _routed(self, sample_weight, params):
        """Parameters of the splitter's ``split``, and of the scorer."""
        if not routing_enabled():
            return {}, {} if sample_weight is None else {"sample_weight": sample_weight}
        routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
        return routed.splitter.split, routed.scorer.score if "scorer" in routed else {}

    def _folds(self, X, y, routed):
        """Folds as pairs of index arrays, one after the other; without ``y`` those of a collection."""
        cv = check_cv(self.cv, y, classifier=is_classifier(self))
        rows = np.arange(n := X.shape[0])
        # Masks and negative numbers count as well.
        try:
            for fold in cv.split(X, y, **routed):
                yield tuple(rows[index] for index in fold)
        except (TypeError, ValueError, IndexError) as error:
            if y is not None:
                raise
            raise ValueError(
                f"On a dask collection folds are made from the number of rows alone, here {n:,}: {error}"
            ) from error

    def _run_folds(self, job, folds, watcher, quick=False):
        """Results of ``job(train=, test=, options=)`` for every fold, as many at once as there are workers,
        each on one of them; executors that have workers of their own, and ``quick`` jobs, serve one fold
        after the other."""
        threads = isinstance(self.executor, str | Threads)
        parallel = Parallel(
            n_jobs=self.n_jobs if threads and not quick else 1,
            verbose=self.verbose,
            prefer="threads",
            return_as="generator" if watcher.is_watched else "list",
        )
        options = self._fold_options()
        alone = parallel._effective_n_jobs() == 1 or len(folds) == 1
        stop = None if alone or not runs_threads() else Stop()
        options = options if alone else options._replace(n_jobs=1, stop=stop)
        jobs = [partial(limited, job, train=train, test=test, options=options) for train, test in folds]
        if stop is not None:
            return run_together(parallel, jobs, watcher, stop)
        found = (job() for job in jobs) if alone else parallel(delayed(job)() for job in jobs)
        return list(map(watcher.ended, found))

    def _fold_options(self):
        return self._options()._replace(record=None, verbose=max(0, int(self.verbose) - 1))

    def _fit_last(self, model, watcher, X, y, sample_weight, moments=None, **chosen):
        """Fit an estimator of the plain class on all of the data with the chosen parameters, and take over
        what it has found; of a regression's data second ``moments`` may be known."""
        names = model.get_params(deep=False)
        own = {name: value for name, value in self.get_params(deep=False).items() if name in names}
        model.set_params(**own | chosen)
        model._moments = moments
        with watcher.refit(model):
            model.fit(X, y, sample_weight=sample_weight)
        for name in OF_THE_LAST:
            setattr(self, name, getattr(model, name))
        return model


def run_together(parallel, jobs, watcher, stop):
    """Results of jobs in threads; where one of them fails, or a signal raises, all have ended."""
    results, found = [], ()
    with Deferred(stop):
        try:
            found = parallel(delayed(stop.run)(job) for job in jobs)
            results = [watcher.ended(result) for result in found if not stop.asked]
        finally:
            stop.ask()
            for _ in found:
                pass
            stop.join()
    if stop.error is not None:
        raise stop.error
    return results


def limited(job, **fold):
    """Do a fold's job with one BLAS thread: its rounding is to be the same alone and beside others."""
    with (limit := one_blas_thread()), limit:
        return job(**fold)
