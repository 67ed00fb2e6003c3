"""What a map makes of second moments: ``V(q₁, q₂, c) = E φ(x) φ(y)`` for zero-mean Gaussian x, y.

q₁ and q₂ are their variances, c is their covariance, ``ρ = c/√(q₁q₂)``. relu, leaky, gelu and snake have closed forms;
tanh, sigmoid, silu, softplus and elu are summed by Mehler's series. A gate of two independent halves has the product.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_real, complaint
from dspref.chain import POINTWISE, Pointwise
from dspref.expected.blocks import in_blocks
from dspref.expected.mehler import WIDEST, coefficients, correlation, series
from dspref.expected.network import Gate
from dspref.expected.offsets import NONE, KernelMap, Offsets, mixed, mixed_mean

SMALLEST, LARGEST = 1e-50, 1e50
"""Parameters of snake whose squares are numbers, also times variances."""


def kernel_map(stage: Pointwise | Gate, offsets: Offsets = NONE, *, apart: bool = False) -> KernelMap:
    """Return V of a map, a function of arrays that broadcast.

    Eqs. 6.6 and 6.7.

    Parameters
    ----------
    stage : Pointwise or Gate
        "leaky" of slope a is PReLU as it begins (Torch: a = 1/4).
    offsets : Offsets, optional
        Uniform biases in x and y, whose variances are in q₁ and q₂.
    apart : bool
        Whether x has its own, and y its own.

    Returns
    -------
    callable (q₁, q₂, c) → array

    Examples
    --------
    >>> V = kernel_map(Pointwise("relu"))
    >>> bool(np.isclose(V(2.0, 2.0, 2.0), 1.0)), round(float(V(1.0, 1.0, 0.0)) * 2 * np.pi, 12)
    (True, 1.0)
    """
    _check_map(stage)
    return _kernel_map(stage, offsets, apart)


@lru_cache(maxsize=256)
def _kernel_map(stage: Pointwise | Gate, offsets: Offsets, apart: bool) -> KernelMap:
    if isinstance(stage, Gate):
        left, right = (
            _identity if side == "identity" else _kernel_map(_as_stage(side), offsets, apart)
            for side in (stage.left, stage.right)
        )
        return lambda q1, q2, c: left(q1, q2, c) * right(q1, q2, c)
    if stage.name == "glu":
        return _kernel_map(Gate("identity", "sigmoid"), offsets, apart)
    V = CLOSED[stage.name](*stage.parameters) if stage.name in CLOSED else _series(stage)
    return _arrays(mixed(V, offsets, apart=apart))


def between(stage: Pointwise | Gate, offsets: Offsets, lags: Array) -> KernelMap:
    """Return V of samples so far apart, a function of arrays (…, lags, n): those of one phase have an offset in common.

    Examples
    --------
    >>> V = between(Pointwise("relu"), Offsets((0.5,), 2), np.array([0, 1, 2]))  # noise is the same in all three
    >>> V(np.ones((1, 1)), np.ones((1, 1)), np.array([[1.0], [0.5], [1.0]])).ravel().round(3).tolist()
    [0.5, 0.307, 0.5]
    """
    V, own = kernel_map(stage, offsets), lags % offsets.phases != 0
    if not own.any():
        return V
    apart = kernel_map(stage, offsets, apart=True)
    return lambda q1, q2, c: np.where(own[:, None], apart(q1, q2, c), V(q1, q2, c))


def mean_map(stage: Pointwise | Gate, q: ArrayLike, offsets: Offsets = NONE) -> Array:
    """Return ``E φ(x)`` for variances q (n,), offsets included.

    Parameters
    ----------
    stage : Pointwise or Gate
    q : array (n,)
        Variances.
    offsets : Offsets
        What stands under the noise: its law over draws.

    Returns
    -------
    array (n,)

    Raises
    ------
    TypeError, NotAnalysable
        If a variance is no real number, or the map is not known.

    Examples
    --------
    >>> float(mean_map(Pointwise("relu"), np.array([2 * np.pi]))[0].round(12))
    1.0
    """
    from dspref.initial.activations import gaussian_moments  # SciPy's, which costs time

    _check_map(stage)
    q = np.asarray(as_real("variance", q), float)
    if isinstance(stage, Gate):
        sides = (stage.left, stage.right)
        left, right = (
            np.zeros(q.shape) if side == "identity" else mean_map(_as_stage(side), q, offsets) for side in sides
        )
        return left * right
    if stage.name == "glu":
        return np.zeros(q.shape)
    values, places = np.unique(q, return_inverse=True)
    found = mixed_mean(
        lambda q: np.array([gaussian_moments(stage, variance=v).mean for v in q.tolist()]), offsets, values
    )
    return found[places].reshape(q.shape)


def _check_map(stage: object) -> None:
    if not isinstance(stage, (Pointwise, Gate)):
        raise TypeError(complaint("map", repr(stage), "Pointwise or Gate", 'as Pointwise("relu")'))


@lru_cache(1024)
def slope(stage: Pointwise, q: float) -> float:
    """Return ``E φ′(x) = E x φ(x)/q`` for a variance q: the map is this times x, and what is uncorrelated with x.

    Examples
    --------
    >>> round(slope(Pointwise("relu"), 2.0), 12), slope(Pointwise("tanh"), 1e-6) > 0.999
    (0.5, True)
    """
    if not 0 < q <= WIDEST:
        return 0.0
    f, _ = POINTWISE[stage.name]
    a, _ = coefficients(lambda x: f(x, *stage.parameters), np.array([q]), terms=2)
    return float(a[0, 1] / q**0.5)


def _as_stage(side: Pointwise | str) -> Pointwise:
    return side if isinstance(side, Pointwise) else Pointwise(side)


def _arrays(V: KernelMap) -> KernelMap:
    return lambda q1, q2, c: V(*(np.asarray(each, float) for each in (q1, q2, c)))


def _identity(q1: Array, q2: Array, c: Array) -> Array:
    return np.asarray(c, float)


def _relu(q1: Array, q2: Array, c: Array) -> Array:
    """``κ = √(q₁q₂)/(2π) · (√(1 − ρ²) + ρ (π − arccos ρ))``."""
    return in_blocks(_relu_of, q1, q2, c)


def _relu_of(q1: Array, q2: Array, c: Array) -> Array:
    rho = correlation(q1, q2, c)
    J = np.sqrt((1 - rho) * (1 + rho)) + rho * (np.pi - np.arccos(rho))
    return np.asarray(np.sqrt(q1) * np.sqrt(q2) / (2 * np.pi) * J)


def _leaky(a: float) -> KernelMap:
    """Return ``a c + (1 − a)² κ``, as the map is a x + (1 − a) x₊ and ``E x y₊ = c/2``."""
    return lambda q1, q2, c: a * c + (1 - a) ** 2 * _relu(q1, q2, c)


def _snake(a: float) -> KernelMap:
    """Return ``c + (E (1 − cos bx)(1 − cos by))/b²``, b = 2a; x itself meets only even functions, which gives 0."""
    if a == 0:
        return _identity
    if not SMALLEST <= abs(a) <= LARGEST:
        raise ValueError(complaint("parameter of snake", a, f"0, or {SMALLEST:g} to {LARGEST:g} in size"))
    b2 = 4 * a * a

    def V(q1: Array, q2: Array, c: Array) -> Array:
        u, v, w = b2 * q1 / 2, b2 * q2 / 2, b2 * np.abs(c)
        # (1 − e^−u)(1 − e^−v) + e^{−u−v} (cosh w − 1), in terms that do not cancel and do not overflow
        coupled = (np.exp(w - u - v) * np.expm1(-w) ** 2) / 2
        return np.asarray(c + (np.expm1(-u) * np.expm1(-v) + coupled) / b2)

    return V


def _gelu(q1: Array, q2: Array, c: Array) -> Array:
    """``c/4 + c asin(c/√(ab))/(2π) + (q₁q₂ + c² (1/a + 1/b − 1))/(2π √(ab − c²))``, a = 1 + q₁, b = 1 + q₂.

    Stein's identity twice: ``E xy A(x) B(y) = c E AB + q₁c E A″B + (q₁q₂ + c²) E A′B′ + c q₂ E AB″``, for A = B = Φ.
    """
    a, b = 1 + q1, 1 + q2
    root = np.sqrt(a * b - c * c)
    tail = (q1 * q2 + c * c * (1 / a + 1 / b - 1)) / root
    return np.asarray(c / 4 + (c * np.arctan2(c, root) + tail) / (2 * np.pi))


CLOSED: dict[str, Callable[..., KernelMap]] = {
    "relu": lambda: _relu,
    "leaky": _leaky,
    "snake": _snake,
    "gelu": lambda: _gelu,
}
"""Maps whose V is a closed form of the variances and the covariance."""


@lru_cache(maxsize=32)
def _series(stage: Pointwise) -> KernelMap:
    f, _ = POINTWISE[stage.name]
    return series(lambda x: f(x, *stage.parameters), widest=STEEPEST.get(stage.name, WIDEST))


STEEPEST = {"tanh": 180.0, "sigmoid": 700.0}
"""Largest variances in front of maps that become steps: there ``∂V/∂ρ = q E φ′²`` at ρ = 1, which says what is left of
a weak noise or line, is off by 0.1 dB; and, of the other maps that are summed, by at most 0.04 dB at any variance."""
