"""Which map a function of single samples is: found from its values."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from dspref.arrays import Array
from dspref.chain import POINTWISE, Pointwise

SMALL = 1e-5
"""Where a curvature is read off: ``(y − x)/x²`` of snake is a there, up to a³x²/3 and the rounding of x, 10⁻¹¹."""

GRID = np.array([SMALL, 1.0, -1.0, *np.sort(np.r_[-6:6:54j, -20.0, -9.5, 9.5, 20.0])])
"""Where maps are compared: 61 places; a prime number, which no signal shares by chance."""

STEEPEST = 1e3
"""Largest a of a snake that is told: beyond, the curvature is not read off any more."""

NEAR = 1e-5
"""Relative distance at which maps are the same: their parameters are single precision, and so are some steps."""

Named: TypeAlias = tuple[Pointwise | None, float]
"""A map, None for the identity, and what it is multiplied by."""


def named(y: Array, *, scale: float = 1.0) -> Named | None:
    """Return g and φ with ``y = g φ(bx)`` on `GRID`, None if φ is none that is known.

    Parameters
    ----------
    y : array (61,)
    scale : float
        b > 0.

    Examples
    --------
    >>> named(3 * np.maximum(GRID, GRID / 5))
    (Pointwise(name='leaky', parameters=(0.2,)), 3.0)
    >>> named(GRID / 4), named(GRID**2)
    ((None, 0.25), None)
    """
    x = scale * GRID
    if not np.isfinite(y).all():
        return None
    if (g := float(y[1] / x[1])) and _near(y, g * x):
        return None, _plain(g)
    for name, parameters in _guesses(x, y):
        shape = POINTWISE[name][0](x, *parameters)
        g = 1.0 if _near(y, shape) else float(y[1] / shape[1])
        if g and math.isfinite(g) and _near(y, g * shape):
            return Pointwise(name, parameters), _plain(g)
    return None


def _guesses(x: Array, y: Array) -> list[tuple[str, tuple[float, ...]]]:
    """Return the maps that it may be, with the parameters that it then has."""
    b, up, down = (float(each) for each in (x[1], y[1], y[2]))
    plain = [name for name, (_, defaults) in POINTWISE.items() if not defaults and name != "glu"]
    found: list[tuple[str, tuple[float, ...]]] = [(name, ()) for name in plain]
    if up:
        found.append(("leaky", (_plain(-down / up),)))
        found.append(("elu", (_plain(b * down / up / math.expm1(-b)),)))
    a = float((y[0] - x[0]) / x[0] ** 2)
    return [*found, ("snake", (_plain(a, 1e-6),))] if 0 < a < STEEPEST else found


def _near(y: Array, due: Array) -> bool:
    return bool((np.abs(y - due) <= NEAR * np.abs(due) + NEAR * SMALL).all())


def _plain(value: float, within: float = 2**-22) -> float:
    """Return the short decimal that a number in single precision stands for, if there is one near enough."""
    short = float(f"{value:.5g}")
    return short if abs(value - short) <= within * abs(value) else value
