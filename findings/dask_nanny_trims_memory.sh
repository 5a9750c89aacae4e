#!/usr/bin/env bash
# distributed 2026.8.0, NumPy 2.4.6 (Python 3.11, glibc 2.36): a task that makes two arrays of 800 kB takes four to five
# times as long on a worker process that LocalCluster starts as in a thread of a plain process. Nannies set
# MALLOC_TRIM_THRESHOLD_ to 65536, so that freed memory goes back; that is documented. But any such setting also keeps
# glibc from raising the size from which on a block is mapped by itself: it stays at 128 kB, and every larger array is
# made of new pages, which the system has to clear. (The setting also stays in os.environ of the process that has made
# the cluster, and so reaches whatever that starts later.)
# Seen: page faults of 100 calls: 0 in a thread, 39,206 on a worker, 4 on a worker without the variable;
#       processor seconds 0.02, 0.09 and 0.02.
# Ends with an error when the page faults are no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset MALLOC_TRIM_THRESHOLD_ MALLOC_MMAP_THRESHOLD_ GLIBC_TUNABLES
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    dask==2026.8.0 distributed==2026.8.0 numpy==2.4.6
cat >"$folder/trims.py" <<'PYTHON'
import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor

import dask
import numpy as np
from distributed import Client, LocalCluster

SIZE, CALLS = 100_000, 100


def faults():
    """Page faults and processor seconds of some calls, when there have been others before."""
    for _ in range(10):
        np.sqrt(np.ones(SIZE)).sum()
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.process_time()
    for _ in range(CALLS):
        np.sqrt(np.ones(SIZE)).sum()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, round(time.process_time() - begin, 3)


def on_worker():
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        return client.submit(faults).result()


if __name__ == "__main__":
    with ThreadPoolExecutor(1) as pool:
        plain = pool.submit(faults).result()
    usual = on_worker()
    del dask.config.config["distributed"]["nanny"]["pre-spawn-environ"]["MALLOC_TRIM_THRESHOLD_"]
    print("left behind here:", os.environ.pop("MALLOC_TRIM_THRESHOLD_"))
    without = on_worker()
    print("page faults, processor seconds", f"thread: {plain}", f"worker: {usual}", f"without: {without}", sep="\n")
    pages = CALLS * SIZE * 8 // resource.getpagesize()
    assert max(plain[0], without[0]) < pages / 10 and usual[0] > 1.5 * pages
PYTHON
"$folder/venv/bin/python" "$folder/trims.py"
