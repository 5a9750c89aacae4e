#!/usr/bin/env bash
# dask 2026.8.0 (Python 3.11): the columns of one Parquet frame have as many partitions as the frame (6), but as arrays
# they have as many chunks as the optimiser finds fit for the number of columns that is read: features and target
# of one frame no longer match chunk by chunk, and to_dask_array(lengths=True) of the features raises ValueError.
# Seen: partitions 6 and 6; chunks 3 and 2; "The number of items in 'lengths' does not match the number of
#       partitions. 3 != 6".
# Ends with an error when that is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    'dask[array,dataframe]==2026.8.0' numpy==2.4.6 pandas==3.0.6 pyarrow==26.0.1
"$folder/venv/bin/python" - "$folder/frame" <<'PYTHON'
import sys

import dask.dataframe as dd
import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
names = [f"x{i}" for i in range(30)]
frame = pd.DataFrame(rng.standard_normal((20_000, 30)), columns=names)
frame["y"] = rng.standard_normal(20_000)
dd.from_pandas(frame, npartitions=6).to_parquet(sys.argv[1])

read = dd.read_parquet(sys.argv[1])
X, y = read[names], read["y"]
chunks = X.to_dask_array().numblocks[0], y.to_dask_array().numblocks[0]
try:
    X.to_dask_array(lengths=True)
    said = "no error"
except ValueError as error:
    said = str(error)
print(f"partitions {X.npartitions} and {y.npartitions}; chunks {chunks[0]} and {chunks[1]}; {said}")
assert X.npartitions == y.npartitions == 6 and chunks[0] != chunks[1] and "does not match" in said
PYTHON
