"""Interpolation to any length: exact index maps, from positions that are rationals.

Output m stands at the input position ``(step·m + start)/unit``, three integers, so that nothing is rounded before
an index or a weight is known. What stands where is defined as by ``torch.nn.functional.interpolate``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dspref.arrays import Array, as_choice, complaint
from dspref.operators import joint_real

MODES = ("nearest", "nearest-exact", "linear", "cubic")
"""Ways of interpolation, in Torch's words; "cubic" is the "bicubic" of one axis."""

EXACT = 1 << 53
"""Integers up to here are doubles too: a quotient of two of them is rounded once."""


@dataclass(frozen=True)
class Grid:
    """Where outputs stand: output m of `length` at the input position ``(step·m + start)/unit``.

    Examples
    --------
    >>> grid = Grid(4, step=2, start=-1, unit=4)
    >>> [str(grid.position(m)) for m in range(4)]
    ['-1/4', '1/4', '3/4', '5/4']
    """

    length: int
    step: int
    start: int
    unit: int

    def position(self, m: int) -> Fraction:
        """Return the position of one output, in input samples."""
        return Fraction(self.step * m + self.start, self.unit)

    def split(self, largest: int = 0) -> tuple[Array, Array]:
        """Return every position as (i, part), an integer and ``part/unit`` in 0 … 1.

        Integers are Python's where they, or `largest`, exceed `EXACT`: of any size, and slower.
        """
        reach = max(abs(self.start), abs(self.step * self.length + self.start), self.unit, largest)
        over = self.step * np.arange(self.length).astype(object if reach > EXACT else np.int64) + self.start
        return (over // self.unit).astype(np.int64), over % self.unit


def grid_of(mode: str, time: int, length: int, *, scale: Fraction | None = None, align_corners: bool = False) -> Grid:
    """Return where the outputs stand, for `time` input samples.

    With ``r = 1/scale``, or ``r = time/length`` where no scale is given, output m stands at

        nearest         m r
        nearest-exact   (m + ½) r
        linear, cubic   (m + ½) r − ½, or m (time − 1)/(length − 1) with `align_corners` (0 for one output)

    Linear interpolation to the same length is a copy, whatever the scale: Torch has it so.

    Examples
    --------
    >>> grid_of("nearest", 4, 6)
    Grid(length=6, step=2, start=0, unit=3)
    """
    r = Fraction(time, max(length, 1)) if scale is None else 1 / scale
    if align_corners:
        r = Fraction(time - 1, length - 1) if length > 1 else Fraction(0)
    if mode == "nearest" or align_corners:
        return Grid(length, r.numerator, 0, r.denominator)
    if mode == "linear" and length == time:
        return Grid(length, 1, 0, 1)
    start = r.numerator if mode == "nearest-exact" else r.numerator - r.denominator
    return Grid(length, 2 * r.numerator, start, 2 * r.denominator)


@dataclass(frozen=True)
class Taps:
    """What each output is drawn from: ``y[m] = Σ_j over[j, m]/by · x[index[j, m]]``, all integers."""

    index: Array
    over: Array
    by: int

    def weights(self, like: Array) -> Array:
        """Return the weights in the arithmetic of an array: Fractions, or doubles that are rationals rounded once."""
        if len(self.index) == 1:
            return np.ones((1, 1), like.dtype)
        if like.dtype.kind == "O":
            return np.asarray(self.over.astype(object) * Fraction(1, self.by))
        return np.asarray(self.over / self.by, joint_real(like))


def taps(mode: str, time: int, grid: Grid) -> Taps:
    """Return what each output is drawn from: one, two or four samples around its position i + t, held at the ends.

        nearest, nearest-exact   x[i]
        linear                   (1 − t) x[i] + t x[i + 1]
        cubic                    k(t + 1) x[i − 1] + k(t) x[i] + k(1 − t) x[i + 1] + k(2 − t) x[i + 2]

    with R. Keys' kernel at a = −¾, ``k(t) = 5/4 t³ − 9/4 t² + 1`` up to 1 and ``−¾ (t − 1)(t − 2)²`` up to 2. Linear
    positions below 0 are held at 0.

    Examples
    --------
    >>> two = taps("linear", 2, grid_of("linear", 2, 4))
    >>> two.index.tolist(), two.over.tolist(), two.by
    ([[0, 0, 0, 1], [1, 1, 1, 1]], [[4, 3, 1, 3], [0, 1, 3, 1]], 4)
    """
    b = grid.unit
    if mode in ("nearest", "nearest-exact"):
        i = grid.split()[0][None]
        return Taps(np.minimum(i, time - 1), np.ones_like(i), 1)
    if mode == "linear":
        i, p = grid.split()
        p, i = np.where(i < 0, 0 * p, p), np.maximum(i, 0)
        return Taps(np.minimum([i, i + 1], time - 1), np.stack([b - p, p]), b)
    i, p = grid.split(largest=16 * b**3)
    index = np.clip([i - 1, i, i + 1, i + 2], 0, time - 1)
    return Taps(index, np.stack([_outer(p, b), _inner(p, b), _inner(b - p, b), _outer(b - p, b)]), 4 * b**3)


def _inner(p: Array, b: int) -> Array:
    """Return 4b³ k(t) for t = p/b."""
    return np.asarray((5 * p - 9 * b) * p * p + 4 * b**3)


def _outer(p: Array, b: int) -> Array:
    """Return 4b³ k(1 + t) for t = p/b."""
    return np.asarray(-3 * p * (b - p) * (b - p))


def resize(x: Array, mode: str, length: int, *, scale: Fraction | None = None, align_corners: bool = False) -> Array:
    """Interpolate to `length` samples: ``y[m] = Σ_j w_j(m) x[i(m) + j]``, positions and weights exact.

    Parameters
    ----------
    x : array (..., time)
        Fractions and SymPy stay exact; integers stay integers where nothing but samples is copied, and become
        doubles otherwise; floats are multiplied by weights that are rationals rounded once.
    mode : {'nearest', 'nearest-exact', 'linear', 'cubic'}
        See `grid_of` for where outputs stand, and `taps` for what they are drawn from.
    length : int
    scale : Fraction, optional
        Output rate over input rate; by default length/time.
    align_corners : bool
        For linear and cubic: the first and the last output stand on the first and the last input.

    Returns
    -------
    array (..., length)

    Examples
    --------
    >>> resize(np.array([10, 20, 30]), "nearest-exact", 4)
    array([10, 20, 20, 30])
    >>> resize(np.array([0, Fraction(1)]), "cubic", 3)
    array([Fraction(-25, 288), Fraction(1, 2), Fraction(313, 288)],
          dtype=object)
    """
    as_choice("mode", mode, MODES)
    time = x.shape[-1]
    check_length(length, time)
    if time == 0:
        return x.copy()
    t = taps(mode, time, grid_of(mode, time, length, scale=scale, align_corners=align_corners))
    return np.asarray(sum(w * x[..., i] for w, i in zip(t.weights(x), t.index, strict=True)))


def resize_adjoint(
    g: Array, mode: str, time: int, *, scale: Fraction | None = None, align_corners: bool = False
) -> Array:
    """Return the transpose of `resize` at work: ``x̄[n] = Σ_m Σ_j w_j(m) g[m]`` over all m, j with index n.

    Parameters
    ----------
    g : array (..., length)
    time : int
        Samples of the input; the rest as for `resize`.

    Returns
    -------
    array (..., time)

    Examples
    --------
    >>> resize_adjoint(np.array([1, 10, 100, 1000]), "nearest", 3)
    array([  11,  100, 1000])
    """
    length = g.shape[-1]
    check_length(length, time)
    as_choice("mode", mode, MODES)
    t = taps(mode, time, grid_of(mode, time, length, scale=scale, align_corners=align_corners))
    weights = t.weights(g)
    x = np.zeros((time, *g.shape[:-1]), np.result_type(weights, g))
    for w, i in zip(weights, t.index, strict=True):
        np.add.at(x, i, np.moveaxis(w * g, -1, 0))
    return np.moveaxis(x, 0, -1)


def check_length(length: int, time: int) -> None:
    """Refuse an output of no samples, and one that is to be drawn from none."""
    if length < 1 and time:
        hint = "feed more samples, or use a larger scale"
        raise ValueError(complaint(f"output length for {time} input samples", length, "at least 1", hint))
    if length and not time:
        raise ValueError(complaint(f"input samples for an output of {length}", time, "at least 1"))
