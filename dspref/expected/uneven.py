"""How uneven noise is behind a map of values that have an offset: some draws and channels have more of it than others.

Samples n and m of two inputs with the same weights, ``x = z + u`` and ``y = z + v``, have in common what makes their
covariance c; u and v are independent. Given z, a map leaves noise of variance ``R(z) = Var(φ(z + u) | z)``. Noise of
power D = E R behind it is summed over channels by the next layer, and what that leaves of products is E R², not D²:
relu passes noise where z > 0 and stops it where z < 0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from dspref.arrays import Array, frozen
from dspref.chain import POINTWISE, Pointwise
from dspref.expected.network import Gate

NODES = 64
"""Of Gauss and Hermite in each variable: for relu, the roughest map, they are off by 1 %."""


@lru_cache(maxsize=1024)
def unevenness(stage: Pointwise | Gate, q: float, c: float) -> float:
    """Return ``E R²/(E R)²`` behind a map, for values of variance q and covariance c; 1 where c is 0.

    Parameters
    ----------
    stage : Pointwise or Gate
    q, c : float
        In front of the map; c is cut to 0 … q.

    Examples
    --------
    >>> relu = Pointwise("relu")
    >>> round(unevenness(relu, 1.0, 0.0), 12), round(unevenness(relu, 1.0, 0.999), 2)  # passes, or stops
    (1.0, 2.0)
    >>> round(unevenness(Pointwise("leaky", (1.0,)), 1.0, 0.5), 12)  # linear
    1.0
    """
    c = min(max(c, 0.0), q)
    if c == 0 or c == q:
        return 1.0
    m, s = _given(stage, q, c)
    R, w = s - m**2, _nodes()[1]
    return float(_mean(R**2, w) / _mean(R, w) ** 2)


def _given(stage: Pointwise | Gate, q: float, c: float) -> tuple[Array, Array]:
    """Return ``E(φ | z)`` and ``E(φ² | z)`` at the nodes of z, or of both z of a gate."""
    if stage == Pointwise("glu"):
        stage = Gate("identity", "sigmoid")
    if isinstance(stage, Gate):
        halves = [_given(_side(side), q, c) for side in (stage.left, stage.right)]
        m, s = (np.multiply.outer(*pair) for pair in zip(*halves, strict=True))
        return m, s
    x, w = _nodes()
    f: Callable[..., Array] = POINTWISE[stage.name][0]
    y = f(np.sqrt(c) * x[:, None] + np.sqrt(q - c) * x, *stage.parameters)
    return y @ w, y**2 @ w


def _side(side: Pointwise | str) -> Pointwise:
    if isinstance(side, Pointwise):
        return side
    return Pointwise("leaky", (1.0,)) if side == "identity" else Pointwise(side)


def _mean(R: Array, w: Array) -> float:
    return float(w @ R if R.ndim == 1 else w @ R @ w)


@lru_cache(maxsize=1)
def _nodes() -> tuple[Array, Array]:
    x, w = np.polynomial.hermite_e.hermegauss(NODES)
    return frozen(x), frozen(w / w.sum())
