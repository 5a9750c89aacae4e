#!/usr/bin/env bash
# SciPy 1.17.1 (Python 3.11): the wrappers of matrix-matrix routines in scipy.linalg.blas (dgemm, dsyrk, dsymm, dtrsm) and
# of Cholesky factors in scipy.linalg.lapack (dpotrf, dpotrs) keep the interpreter's lock for as long as they take, so that
# all other threads wait; dgemv and dgeqrf let it go, and so does numpy.dot of the same matrices. Threads that each
# make a Gram matrix by dsyrk take as long as one after the other, though dsyrk alone does half the work of dot.
# Seen: a counting thread beside comes to, in millions of counts per second, 0.1 (dgemm), 0.2 (dsyrk), 0.2 (dsymm),
#       0.5 (dtrsm), 1.5 (dpotrf), 0.4 (dpotrs), but 4.3 (dgemv), 13.1 (dgeqrf), 15.1 (numpy.dot).
# Ends with an error when that is no longer so, or where there is one core only.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 scipy==1.17.1
OPENBLAS_NUM_THREADS=1 "$folder/venv/bin/python" - <<'PYTHON'
import threading
import time

import numpy as np
from scipy.linalg import blas, lapack


def counts(call):
    """Millions of counts per second that another thread comes to during half a second of calls."""
    number, ended = [0], threading.Event()

    def count():
        while not ended.is_set():
            number[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    time.sleep(0.1)
    before, begin = number[0], time.perf_counter()
    while time.perf_counter() < begin + 0.5:
        call()
    rate = (number[0] - before) / (time.perf_counter() - begin) / 1e6
    ended.set()
    thread.join()
    return rate


rng = np.random.default_rng(0)
A, v = np.asfortranarray(rng.random((3_000, 2_000))), rng.random(2_000)
S = np.asfortranarray(A.T @ A + 2_000 * np.eye(2_000))
keeping = {
    "dgemm": lambda: blas.dgemm(1.0, A, A, trans_a=True),
    "dsyrk": lambda: blas.dsyrk(1.0, A, trans=True),
    "dsymm": lambda: blas.dsymm(1.0, S, S),
    "dtrsm": lambda: blas.dtrsm(1.0, S, S),
    "dpotrf": lambda: lapack.dpotrf(S),
    "dpotrs": lambda: lapack.dpotrs(S, S),
}
letting_go = {
    "dgemv": lambda: blas.dgemv(1.0, A, v),
    "dgeqrf": lambda: lapack.dgeqrf(A),
    "numpy.dot": lambda: np.dot(A.T, A),
}
kept = {name: round(counts(call), 1) for name, call in keeping.items()}
let_go = {name: round(counts(call), 1) for name, call in letting_go.items()}
print("millions of counts per second:", kept, let_go)
assert max(kept.values()) < 2.5 < min(let_go.values())
PYTHON
