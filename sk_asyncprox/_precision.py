"""The edges of double precision."""

import numpy as np

EPS, TINY, LARGEST = np.finfo(float).eps, np.finfo(float).tiny, np.finfo(float).max
"""What one is rounded by; the smallest and the largest normal number."""
