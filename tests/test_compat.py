"""The door to scikit-learn: the coordinate-descent kernel, its warnings, and the BLAS limit."""

import contextlib
import multiprocessing
import os
import platform
import signal
import sys
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
import threadpoolctl
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, Lasso
from threadpoolctl import threadpool_info, threadpool_limits

import sk_asyncprox
from sk_asyncprox import _blas_limit, _interrupts
from sk_asyncprox._blas_limit import one_blas_thread
from sk_asyncprox._compat import block_cd
from sk_asyncprox._interrupts import cached_property
from sk_asyncprox._joblib import granted_workers, runs_threads, thread_parallel
from sk_asyncprox._kept_memory import KEPT_MEMORY, _KeptMemory
from sk_asyncprox.solve import solve

SWEEPS = 3000


def drawn(seed):
    """Data, target, weights, penalty and a start that may be far off."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(15, 40)), int(rng.integers(1, 9))
    X = rng.standard_normal((n, k)) * (rng.random((n, k)) < 0.7)
    y = X @ (rng.standard_normal(k) * (rng.random(k) < 0.6)) + 0.3 * rng.standard_normal(n)
    alpha = np.abs(X.T @ y).max() / n * 10 ** rng.uniform(-3, 0.2) + 1e-4
    start = rng.standard_normal(k) * [0.0, 1.0, 1e3][seed % 3]
    return X, y, rng.random(n) + 0.05, alpha, [0.0, 0.1, 0.5, 0.9, 1.0][seed % 5], start


def estimator_coefficients(X, y, weights, alpha, l1_ratio, positive):
    model = ElasticNet(
        alpha=alpha, l1_ratio=l1_ratio, positive=positive, fit_intercept=False, tol=1e-14, max_iter=100_000
    )
    with warnings.catch_warnings():
        # scikit-learn says that it would rather not do l1_ratio=0 by coordinate descent
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, sample_weight=weights).coef_


def forms(X, y, weights, seed):
    """Arguments of block_cd for each of its forms, with the weights that each stands for."""
    ones = np.ones(len(y))
    return {
        "dense": ({"X": np.asfortranarray(X), "target": y}, ones),
        "sparse": ({"X": sp.csc_matrix(X), "target": y}, ones),
        "weighted sparse": ({"X": sp.csc_matrix(X), "target": y, "weights": weights}, weights),
        "gram": ({"Q": X.T @ X, "q": X.T @ y}, ones),
        "weighted gram": ({"Q": X.T @ (weights[:, None] * X), "q": X.T @ (weights * y)}, weights),
    }


@pytest.mark.parametrize("positive", [False, True], ids=["free", "positive"])
@pytest.mark.parametrize("form", ["dense", "sparse", "weighted sparse", "gram", "weighted gram"])
def test_block_cd_is_the_estimator(form, positive):
    for seed in range(60):
        X, y, weights, alpha, l1_ratio, start = drawn(seed)
        arguments, used = forms(X, y, weights, seed)[form]
        expected = estimator_coefficients(X, y, used, alpha, l1_ratio, positive)
        total, kept = alpha * used.sum(), start.copy()
        copies = {name: value.copy() for name, value in arguments.items()}
        found = block_cd(
            start, total * l1_ratio, total * (1 - l1_ratio), SWEEPS, positive=positive, **arguments
        )
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8, err_msg=f"seed {seed}")
        np.testing.assert_array_equal(start, kept)
        assert not np.shares_memory(found, start)
        for name, value in arguments.items():
            assert abs(value - copies[name]).max() == 0


def test_block_cd_takes_as_many_sweeps_as_asked():
    X, y, _, _, _, _ = drawn(7)
    Q, q, l1, l2 = X.T @ X, X.T @ y, 0.2, 0.1
    w = np.zeros(len(q))
    for sweeps in range(1, 4):
        for j in range(len(q)):
            r = q[j] - Q[j] @ w + Q[j, j] * w[j]
            w[j] = np.sign(r) * max(abs(r) - l1, 0) / (Q[j, j] + l2)
        for data in ({"Q": Q, "q": q}, {"X": np.asfortranarray(X), "target": y}):
            np.testing.assert_allclose(block_cd(np.zeros(len(q)), l1, l2, sweeps, **data), w, atol=1e-12)


@pytest.mark.parametrize("form", ["dense", "sparse", "weighted sparse", "gram"])
def test_block_cd_without_penalty(form):
    X, y, weights, *_ = drawn(6)
    X = X + np.eye(*X.shape)
    arguments, used = forms(X, y, weights, 0)[form]
    found = block_cd(np.zeros(X.shape[1]), 0.0, 0.0, SWEEPS, **arguments)
    root = np.sqrt(used)
    expected = np.linalg.lstsq(root[:, None] * X, root * y, rcond=None)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


def test_block_cd_leaves_empty_columns_at_zero():
    X = np.zeros((5, 2), order="F")
    X[:, 0] = 1.0
    found = block_cd(np.zeros(2), 0.1, 0.0, 5, X=X, target=np.arange(5.0))
    np.testing.assert_allclose(found, [(10 - 0.1) / 5, 0.0])
    found = block_cd(np.zeros(2), 0.1, 0.0, 5, Q=X.T @ X, q=X.T @ np.arange(5.0))
    np.testing.assert_allclose(found, [(10 - 0.1) / 5, 0.0])


def in_threads(*tasks):
    """Run the tasks at once; errors are raised here."""
    errors, gate = [], threading.Barrier(len(tasks))

    def guarded(task):
        try:
            gate.wait()
            task()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_block_cd_is_silent_and_others_still_warn():
    """Warning filters belong to the process, so silence must be kept to the thread that asked for it."""
    X, y, _, _, _, _ = drawn(5)
    fortran, seen = np.asfortranarray(X), []

    def quiet():
        for _ in range(200):
            block_cd(np.zeros(X.shape[1]), 1e-3, 0.0, 1, X=fortran, target=y)

    def loud():
        for _ in range(50):
            with pytest.raises(ConvergenceWarning):
                Lasso(alpha=1e-6, max_iter=1, tol=1e-14).fit(X, y)
            seen.append(1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        in_threads(quiet, quiet, loud)
        assert len(seen) == 50
        # nor does the silence outlast the call
        loud()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quiet()
        assert caught == []
        Lasso(alpha=1e-6, max_iter=1, tol=1e-14).fit(X, y)
        assert [w.category for w in caught] == [ConvergenceWarning]


def test_the_kernel_warns_without_the_silencer():
    """Else the test above would show nothing."""
    X, y, _, _, _, _ = drawn(5)
    with pytest.warns(ConvergenceWarning):
        sklearn.linear_model.enet_path(X, y, alphas=[1e-5], l1_ratio=1.0, max_iter=1, tol=-1.0)


def test_warning_filters_do_not_pile_up():
    w, Q, q = np.zeros(1), np.eye(1), np.ones(1)
    with warnings.catch_warnings():
        block_cd(w, 0.1, 0.0, 1, Q=Q, q=q)
        before = len(warnings.filters)
        for _ in range(20):
            block_cd(w, 0.1, 0.0, 1, Q=Q, q=q)
        assert len(warnings.filters) == before


# -- BLAS and joblib -------------------------------------------------------------------------------


def blas_threads():
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]


def set_blas_threads(n):
    """From a thread that ends, as threadpoolctl 3.8 lets one living thread at a time limit OpenBLAS."""
    in_threads(lambda: threadpool_limits(n, user_api="blas"))


@pytest.fixture
def two_blas_threads():
    """A number that can be told from the limit, also on a machine of one core."""
    before = blas_threads()
    set_blas_threads(2)
    if set(blas_threads()) != {2}:
        pytest.skip("this BLAS has no threads to limit")
    yield
    set_blas_threads(max(before))


@pytest.mark.usefixtures("two_blas_threads")
def test_one_blas_thread_nested():
    with one_blas_thread():
        assert set(blas_threads()) == {1}
        with one_blas_thread():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {2}


@pytest.mark.usefixtures("two_blas_threads")
def test_one_blas_thread_after_an_error():
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert set(blas_threads()) == {2}


@pytest.mark.usefixtures("two_blas_threads")
def test_one_blas_thread_in_one_thread_after_another():
    def limited():
        with one_blas_thread():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {2}

    limited()
    in_threads(limited)
    limited()


@pytest.mark.usefixtures("two_blas_threads")
def test_others_can_limit_after_one_blas_thread():
    with one_blas_thread():
        pass

    def other():
        with threadpool_limits(1, user_api="blas"):
            assert set(blas_threads()) == {1}

    in_threads(other)
    assert set(blas_threads()) == {2}


@pytest.mark.usefixtures("two_blas_threads")
def test_one_blas_thread_left_first_by_the_first():
    entered, left, over = threading.Event(), threading.Event(), threading.Event()

    def first():
        with one_blas_thread():
            entered.wait(10)
        left.set()
        # alive while the other restores the limits
        over.wait(10)

    def second():
        with one_blas_thread():
            entered.set()
            left.wait(10)
            assert set(blas_threads()) == {1}
        found = set(blas_threads())
        over.set()
        assert found == {2}

    in_threads(first, second)


@pytest.mark.usefixtures("two_blas_threads")
def test_one_blas_thread_concurrent():
    inside, seen = threading.Barrier(4), set()

    def overlap():
        for _ in range(15):
            with one_blas_thread():
                # all four are inside at once; they leave in any order
                inside.wait(timeout=10)
                with one_blas_thread():
                    seen.update(blas_threads())
                seen.update(blas_threads())

    def alone():
        for _ in range(15):
            with one_blas_thread(), one_blas_thread():
                seen.update(blas_threads())

    for task in (overlap, alone):
        in_threads(*[task] * 4)
        assert set(blas_threads()) == {2}
        assert seen == {1}


class Interrupted(BaseException):
    """What the handler of a signal raises."""


def interrupted(action, moment, files):
    """Do the action, and raise at a moment where Python runs the handlers of signals: when a function begins,
    or a call of a compiled one ends. Return how many such moments there were in the files."""
    seen = 0

    def raise_then(frame, event, _):
        nonlocal seen
        if event in ("call", "c_return") and frame.f_code.co_filename in files:
            seen += 1
            if seen == moment:
                sys.setprofile(None)
                raise Interrupted

    sys.setprofile(raise_then)
    try:
        action()
    finally:
        sys.setprofile(None)
    return seen


@pytest.mark.usefixtures("two_blas_threads")
def test_the_limit_is_restored_whenever_a_signal_raises():
    X, y = np.random.default_rng(0).standard_normal((2, 40, 1))
    files = {
        _blas_limit.__file__,
        _interrupts.__file__,
        sys.modules[solve.__module__].__file__,
        threadpoolctl.__file__,
    }

    def fit():
        sk_asyncprox.Lasso(alpha=0.01).fit(X, y[:, 0])

    fit()
    moments = interrupted(fit, 0, files)
    assert moments > 50
    for moment in range(1, moments + 1):
        with pytest.raises(Interrupted):
            interrupted(fit, moment, files)
        assert set(blas_threads()) == {2}, moment
    in_threads(fit)
    assert set(blas_threads()) == {2}


@pytest.mark.parametrize("what", ["fit", "path"])
def test_settings_are_as_they_were_whenever_a_signal_raises(what):
    X, y = np.random.default_rng(0).standard_normal((2, 40, 1))
    files = {np.errstate.__exit__.__code__.co_filename, sklearn.get_config.__code__.co_filename}
    files |= {contextlib.__file__}

    def run():
        if what == "fit":
            sk_asyncprox.Lasso(alpha=0.01).fit(X, y[:, 0])
        else:
            sk_asyncprox.lasso_path(X, y[:, 0], alphas=[0.1, 0.01])

    run()
    settings = sklearn.get_config(), np.geterr()
    moments = interrupted(run, 0, files)
    assert moments > 10
    for moment in range(1, moments + 1):
        with pytest.raises(Interrupted):
            interrupted(run, moment, files)
        assert (sklearn.get_config(), np.geterr()) == settings, moment


@pytest.mark.usefixtures("two_blas_threads")
@pytest.mark.parametrize("every", [1, 2])
def test_signals_while_the_limit_is_set_and_restored(monkeypatch, every):
    """Each library in turn is interrupted, again and again."""
    with one_blas_thread():
        pass
    calls = 0

    def wrap(plain):
        def set_num_threads(n):
            nonlocal calls
            plain(n)
            calls += 1
            if calls % every == 0 and calls < 20:
                raise Interrupted

        return set_num_threads

    for library in _blas_limit._BLAS_LIMIT._libraries:
        monkeypatch.setattr(library, "set_num_threads", wrap(library.set_num_threads))
    for _ in range(10):
        with contextlib.suppress(Interrupted), one_blas_thread():
            pass
    assert calls > 20
    assert set(blas_threads()) == {2}


def in_child(action):
    """Fork, do the action in the child, which is killed if it hangs; return whether it went well there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads at a fork
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(20)
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


class Slow:
    """Has a value that takes as long as the test wants."""

    go, begun = threading.Event(), threading.Event()

    @cached_property
    def value(self):
        """Words."""
        self.begun.set()
        self.go.wait(20)
        return [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_process_forked_while_a_value_is_computed_can_compute_it():
    one = Slow()
    thread = threading.Thread(target=lambda: one.value)
    thread.start()
    assert Slow.begun.wait(20)

    def compute():
        Slow.go.set()
        assert Slow().value == [1]

    try:
        assert in_child(compute)
    finally:
        Slow.go.set()
        thread.join()
    assert one.value is one.value
    assert Slow.value.__doc__ == "Words."


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.usefixtures("two_blas_threads")
def test_a_process_forked_during_a_fit_has_the_limits_of_before():
    X, y = np.random.default_rng(0).standard_normal((2, 40, 1))

    def fit():
        assert set(blas_threads()) == {2}
        sk_asyncprox.Lasso(alpha=0.01).fit(X, y[:, 0])
        assert set(blas_threads()) == {2}

    with one_blas_thread():
        assert in_child(fit)
        assert set(blas_threads()) == {1}
    over = threading.Event()

    def others():
        while not over.is_set():
            with one_blas_thread():
                pass

    threads = [threading.Thread(target=others) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert all(in_child(fit) for _ in range(8))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert set(blas_threads()) == {2}


def test_where_folds_run_in_threads():
    assert runs_threads()
    for backend, threads in (("threading", True), ("loky", False), ("multiprocessing", False)):
        with joblib.parallel_config(backend, n_jobs=2):
            assert runs_threads() == threads


@pytest.mark.parametrize(
    "around", [{}, {"backend": "threading", "n_jobs": 2}, {"backend": "loky", "n_jobs": 2}, {"n_jobs": 2}]
)
def test_granted_workers(around):
    """As many as joblib itself will run, nested or not."""

    def same():
        for n_jobs in (None, 1, 3, -1):
            assert granted_workers(n_jobs) == thread_parallel(n_jobs)._effective_n_jobs()
        return granted_workers(None)

    with joblib.parallel_config(**around):
        assert same() == (2 if around.get("backend") == "threading" else 1)
        assert len(thread_parallel(2)(joblib.delayed(same)() for _ in range(2))) == 2


def test_thread_parallel():
    names = thread_parallel(3)(joblib.delayed(threading.get_native_id)() for _ in range(3))
    assert len(names) == 3


class Part:
    pass


def pages():
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(100_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def pages_by_parts():
    """New pages of arrays while there are two parts, then one and none."""
    parts = [None, (1,), {}, Part(), np.ones(3)]
    for part in parts * 2:
        KEPT_MEMORY.add(part)
    del part
    pages()
    counts = [pages()]
    for _ in range(2):
        parts.pop()
        counts.append(pages())
    return counts


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries keep what they will")
def test_memory_is_kept_between_tasks_while_parts_are_there(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        held, still, afterwards = pool.submit(pages_by_parts).result()
    assert max(held, still) < 100 < 2000 < afterwards


def test_only_workers_have_been_told_of_what_to_keep(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    assert _KeptMemory()._library is None
