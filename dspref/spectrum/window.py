"""The windows of measurements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dspref.arrays import Array


def cosine_window(N: int, terms: Sequence[float]) -> Array:
    """Return the periodic window ``w[n] = Σ_k (−1)^k a_k cos(2πkn/N)``, n = 0 … N − 1, for the terms a_k.

    Its transform is exactly zero on all bins but the 2·len(terms) − 1 around 0.

    Examples
    --------
    >>> cosine_window(4, (0.5, 0.5)).round(12).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    from scipy.signal.windows import general_cosine  # takes most of a second to load: measuring alone needs it

    return np.asarray(general_cosine(N, terms, sym=False))
