"""Whether numbers may be independent draws: of a uniform law, of mean zero, of one variance, each on its own.

Each test refuses what it stands for, if it is true, in at most `RARE` of all cases, whatever the number of numbers.
What it does not refuse may still be something else: of few numbers nothing can be said (`tells`).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

RARE = 1e-9
"""Chance that a draw is taken for none, test by test."""

ROUNDINGS = 8
"""Units of roundoff that a weight may be off: drawn, cast, and under weight norm made of a length and a quotient of
rounded numbers, which is five roundings; twice that is three units for terms of second order."""

FAINT = 0.1
"""A power of weights, as a part of what their class has, that is to be told from it: 10 dB less."""

ROWS = 8
"""Rows of a kernel that are looked at for being orthogonal."""


def unit(x: Tensor) -> float:
    """Return the unit roundoff u of a tensor's numbers: 2⁻²⁴ in single precision, 2⁻⁸ in bfloat16."""
    return float(torch.finfo(x.dtype).eps) / 2


def telling(n: int, u: float) -> bool:
    """Return whether n numbers, equal to n others, are no chance: ``uⁿ < RARE²``, twice as rare for all pairs."""
    return n * math.log(u) < 2 * math.log(RARE)


def tells(n: int) -> bool:
    """Return whether n uniform numbers tell their law from one of a tenth of the power: ``FAINT^(n/2) < RARE``.

    Examples
    --------
    >>> tells(17), tells(19)
    (False, True)
    """
    return bool(FAINT ** (n / 2) < RARE)


def uniform(w: Tensor, variance: float, u: float) -> bool:
    """Return whether numbers, in double precision, may be uniform of a variance ``b²/3``, rounded to u.

    None lies beyond b; the largest of n lies below tb in tⁿ of all cases; and the mean of ``a = (w/b)²`` lies beyond
    A in at most ``min_λ (E e^{λa} e^{−λA})ⁿ``, at either side of 1/3 (Chernoff's bound, which holds for every λ).
    """
    off, n = 1 + ROUNDINGS * u, w.numel()
    t = float(w.abs().max()) / math.sqrt(3 * variance)
    if t > off or n * math.log(max(t * off, 1e-300)) < math.log(RARE):
        return False
    mean = float(w.square().mean()) / (3 * variance)
    nearest = min(max(1 / 3, mean / off**2), mean * off**2)
    tilts, logs = _tilted()
    return n * float(np.min(logs - tilts * nearest)) >= math.log(RARE / 2)


@lru_cache(maxsize=1)
def _tilted() -> tuple[Any, Any]:
    """Return λ, and ``log E e^{λa}`` of the square a of a uniform number, by quadrature over 0..1."""
    x, weights = np.polynomial.legendre.leggauss(128)
    x, weights = (x + 1) / 2, weights / 2
    tilts = np.geomspace(1e-4, 300, 512)  # each but a few per cent from the best for any n up to 10¹⁰
    tilts = np.concatenate([-tilts[::-1], tilts])
    exponents = tilts[:, None] * x**2
    most = exponents.max(axis=1)
    return tilts, most + np.log(np.exp(exponents - most[:, None]) @ weights)


def centred(w: Tensor, u: float) -> bool:
    """Return whether numbers may be draws of a symmetric law: of mean zero.

    Given their sizes, signs are free: all n are the same in 2^{1−n} of all cases, and ``x = |Σw|/√Σw²`` is beyond x in
    at most ``2e^{−x²/2}`` of them (Hoeffding). Few numbers may be too near each other: uniform ones lie within an
    angle θ of the diagonal of their cube, ``tan θ = √(n−1)/t`` with Student's t, in at most
    ``2 V_{n−1} tan^{n−1}θ n^{n/2−1}/2ⁿ`` of all cases, the volume of the cone, V that of the ball. Normal ones do so
    less often.
    """
    n, square = w.numel(), float(w.square().mean())
    mean = abs(float(w.mean())) - u * math.sqrt(square)  # numbers that are drawn with few bits lean by half of one
    if n < 2 or mean <= 0:
        return True
    least, most = (float(end) for end in w.aminmax())
    one_sign = least > 0 or most < 0
    if (one_sign and (1 - n) * math.log(2) < math.log(RARE)) or n * mean**2 / square > 2 * math.log(2 / RARE):
        return False
    tangent = math.sqrt(max(float((w - w.mean()).square().mean()), u**2 * square)) / mean
    ball = (n - 1) / 2 * math.log(math.pi) - math.lgamma((n + 1) / 2)
    cone = ball + (n - 1) * math.log(max(tangent, 1e-300)) + (n / 2 - 1) * math.log(n)
    return cone - (n - 1) * math.log(2) >= math.log(RARE)


def one_variance(squares: Tensor, n: int, u: float) -> bool:
    """Return whether m mean squares, each of n numbers, may be of one variance.

    Of normal numbers, a mean square is r times the mean of all, or beyond, in at most
    ``(r ((m − r)/(m − 1))^{m−1})^{n/2}`` of all cases (Chernoff's bound for a part of a sum of Gamma variables), and of
    those with lighter tails less often. Numbers are known to u of their size: below that, r is u².
    """
    m = len(squares)
    r = (squares / squares.mean()).double().clamp(min=u**2)
    rest = ((m - r) / (m - 1)).clamp(min=u**2)
    return bool((n / 2 * (r.log() + (m - 1) * rest.log()) >= math.log(RARE / (2 * m))).all())


def repeated(x: Tensor, u: float) -> bool:
    """Return whether too many of n numbers occur again: r of them do in at most ``(e n² u/r)ʳ`` of all cases.

    Two numbers of one binary order are the same in about 2u of all cases; n²/2 pairs are there.
    """
    n, r = x.numel(), x.numel() - len(torch.unique(x))
    return r > 0 and r * math.log(math.e * n**2 * u / r) < math.log(RARE)


def dependence(w: Tensor, u: float) -> str:
    """Return why a kernel (outputs, inputs, taps) is no independent draw, in words; "" if it may be one.

    What is looked for: slices that repeat or mirror each other, zeros, means of taps and of their diagonals, slices
    of different powers, single weights far above the rest, and orthogonal rows.
    """
    zeros, n = int((w == 0).sum()), w.numel()
    if zeros > 1 and zeros * math.log(zeros / (n * u * math.e)) > -math.log(RARE):
        return f"{zeros} weights of {n} that are 0"
    for taps in (w, w[..., 1:], w[..., :-1]):
        half = taps[..., : taps.shape[-1] // 2]
        first = taps[0]
        if not bool((first == first.flip(-1)).all()):
            continue  # most kernels show it at once
        if telling(half.numel(), u) and bool((taps == taps.flip(-1)).all()):
            return "taps that mirror each other"
    every = w.square()
    for axis, what in enumerate(("rows", "columns", "taps")):
        squares = every.mean([other for other in range(3) if other != axis])
        each = n // w.shape[axis]
        if len(squares) > 1 and telling(each, u) and _repeated(squares):
            return f"{what} that repeat"
        if len(squares) > 1 and not one_variance(squares, each, u):
            return f"{what} of different powers"
    if float(w.abs().max()) > math.sqrt(float(every.mean()) * 2 * math.log(2 * n / RARE)):
        return "single weights far above the rest"
    for k in range(w.shape[-1]):
        if not centred(w[..., k].flatten(), u) or not centred(w[..., k].diagonal(), u):
            return f"tap {k} of a mean that is not zero, or its diagonal"
    if n * n * u < 1 and repeated(w, u):
        return "weights that repeat"
    rows = w.reshape(len(w), -1)
    return "orthogonal rows" if orthogonal(rows if rows.shape[0] <= rows.shape[1] else rows.T, u) else ""


def _repeated(squares: Tensor) -> bool:
    """Return whether mean squares of slices are equal but for the order of their sums."""
    sorted_ = squares.sort().values
    return bool((sorted_.diff() <= 1e-14 * sorted_[1:]).any())


def orthogonal(rows: Tensor, u: float) -> bool:
    """Return whether rows are orthogonal, and of one length, more nearly than independent ones are.

    Of the latter, p products and differences of lengths are about ``1/√n`` in size, and all of them together τ times
    that in at most ``(τ√e)ᵖ`` of all cases. No answer, where rounding alone makes more than that.
    """
    rows = rows[:ROWS]
    m, n = rows.shape
    if m < 2 or n < 2:
        return False
    p = m * (m + 1) // 2 - 1
    tau = math.exp(-0.5) * RARE ** (1 / p)
    gram = rows @ rows.T
    gram = gram / gram.diagonal().mean()
    off = gram - torch.eye(m, dtype=gram.dtype, device=gram.device)
    rms = math.sqrt(float(off.triu().square().sum()) / p)
    return bool(rms * math.sqrt(n) < tau and 2 * u < tau)


def looks_drawn(x: Tensor) -> bool:
    """Return whether numbers look drawn: not as if three digits had been written for each.

    Examples
    --------
    >>> looks_drawn(torch.tensor([0.25, 0.7])), looks_drawn(torch.tensor([0.13712345]))
    (False, True)
    """
    some = x.detach().flatten()[:4096].cpu()
    short = torch.tensor([float(f"{v:.3g}") for v in some.double().tolist()], dtype=x.dtype, device="cpu")
    return bool((short != some).any())
