#!/usr/bin/env bash
# joblib 1.6.0 (Python 3.11): under parallel_config("loky", n_jobs=4), effective_n_jobs(None) says 4, and
# Parallel(require="sharedmem") runs one worker: the backend that shares memory is chosen without the context's
# n_jobs. Loops that wait for as many workers as effective_n_jobs told would wait for ever.
# Seen: effective_n_jobs 4; one thread, SequentialBackend. With n_jobs=4 given to Parallel: 4 threads.
# Ends with an error when that is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check joblib==1.6.0
"$folder/venv/bin/python" - <<'PYTHON'
import threading
import time

import joblib


def worker(_):
    time.sleep(0.05)
    return threading.get_ident()


with joblib.parallel_config("loky", n_jobs=4):
    told = joblib.effective_n_jobs(None)
    threads = len(set(joblib.Parallel(require="sharedmem")(joblib.delayed(worker)(i) for i in range(12))))
    asked = len(set(joblib.Parallel(4, require="sharedmem")(joblib.delayed(worker)(i) for i in range(12))))
print(f"told {told}, ran {threads}; asked for 4, ran {asked}")
assert told == 4 and threads == 1 and asked == 4
PYTHON
