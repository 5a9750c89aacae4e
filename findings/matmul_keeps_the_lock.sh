#!/usr/bin/env bash
# NumPy 2.4.6 (Python 3.11): `u @ X` and `X.T @ u` keep the interpreter's lock for as long as they take where the result
# has fewer than 500 entries, however many rows X has, so that all other threads wait; from 500 on, and in np.dot at any
# size, they let it go. What decides is the size of the result, not the work. Two threads with a half of the rows each
# take as long as one.
# Seen: a counting thread beside comes to, in millions of counts per second, 0.9 with @ and 10.3 with dot at 499 columns,
#       12.9 with @ at 501. Two threads, 200 columns, against one: 1.05 of the time with @, 0.55 with dot.
# Ends with an error when that is no longer so, or where there is one core only.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6
OPENBLAS_NUM_THREADS=1 "$folder/venv/bin/python" - <<'PYTHON'
import threading
import time

import numpy as np


def counts(product, u, X):
    """Millions of counts per second that another thread comes to during five products."""
    number, ended = [0], threading.Event()

    def count():
        while not ended.is_set():
            number[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    time.sleep(0.1)
    before, begin = number[0], time.perf_counter()
    for _ in range(5):
        product(u, X)
    rate = (number[0] - before) / (time.perf_counter() - begin) / 1e6
    ended.set()
    thread.join()
    return rate


def seconds(product, u, X, n_threads):
    """The least of five times that threads take, each with its share of the rows."""
    times = []
    for _ in range(5):
        shares = zip(np.array_split(u, n_threads), np.array_split(X, n_threads), strict=True)
        threads = [threading.Thread(target=product, args=share) for share in shares]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        times.append(time.perf_counter() - begin)
    return min(times)


rng = np.random.default_rng(0)
u, X = rng.random(400_000), rng.random((400_000, 200))
found = {name: seconds(product, u, X, 2) / seconds(product, u, X, 1) for name, product in (("@", np.matmul), ("dot", np.dot))}
print("two threads against one:", {name: round(ratio, 2) for name, ratio in found.items()})
assert found["@"] > 0.85 > 0.75 > found["dot"]
X = rng.random((200_000, 501))
u = u[: len(X)]
few, dot, many = counts(np.matmul, u, X[:, :499]), counts(np.dot, u, X[:, :499]), counts(np.matmul, u, X)
print(f"counts, 499 columns: @ {few:.1f}, dot {dot:.1f}; 501 columns: @ {many:.1f}")
assert 3 * few < min(dot, many)
PYTHON
