#!/usr/bin/env bash
# distributed 2026.8.0 (Python 3.11): Ctrl-C during Client.scatter leaves the data on the cluster. The KeyboardInterrupt
# comes out and the client knows of no future, but the scheduler has noted that this client wants the key: the data stay
# in a worker's memory until the client closes, and there is no future to release them by.
# Seen: KeyboardInterrupt; futures of the client: 0; tasks of the scheduler half a minute later: 1, of 11,200,000 bytes.
# The moment matters: the script tries some, until one falls between the scheduler's note and its answer.
# Ends with an error when that is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    dask==2026.8.0 distributed==2026.8.0 numpy==2.4.6
cat >"$folder/interrupted.py" <<'PYTHON'
import gc
import os
import signal
import threading
import time

import numpy as np
from distributed import Client, LocalCluster


def kept(dask_scheduler):
    return [(task.key, task.nbytes) for task in dask_scheduler.tasks.values()]


def interrupted(client, seconds):
    """Futures of the client and tasks of the scheduler after a scatter that has met a Ctrl-C."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        client.scatter(np.ones(1_400_000), hash=False)
        timer.join()
        time.sleep(1)
    except KeyboardInterrupt:
        pass
    gc.collect()
    time.sleep(1)
    return len(client.futures), client.run_on_scheduler(kept)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        for seconds in np.tile(np.linspace(0.002, 0.08, 27), 3):
            futures, tasks = interrupted(client, float(seconds))
            if tasks:
                break
        time.sleep(30)
        tasks = client.run_on_scheduler(kept)
    print(f"futures of the client: {futures}; tasks of the scheduler half a minute later: {tasks}")
    assert futures == 0 and len(tasks) == 1
PYTHON
"$folder/venv/bin/python" "$folder/interrupted.py"
