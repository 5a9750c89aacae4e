#!/usr/bin/env bash
# dask 2026.8.0 (Python 3.11): dask.graph_manipulation.clone, which is to return an equivalent collection under new keys,
# renames the keys of a delayed object's graph but not the references to them, so the clone cannot be computed; the clone
# of a dataframe cannot even be made.
# Seen: ValueError: Missing dependency arange-... for dependents {'sum-...'};
#       TypeError: FrameBase._postpersist() got an unexpected keyword argument 'rename'.
# Ends with an error when that is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    "dask[array,dataframe]==2026.8.0" numpy==2.4.6 pandas==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask import delayed
from dask.graph_manipulation import clone


def error(call):
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


total = delayed(sum)(delayed(np.arange)(3))
assert total.compute() == 3
of_delayed = error(lambda: clone(total).compute())
of_frame = error(lambda: clone(dd.from_pandas(pd.DataFrame({"a": [1, 2]}), npartitions=2)))
print(of_delayed, of_frame, sep="\n")
assert "Missing dependency" in of_delayed and "rename" in of_frame
PYTHON
