"""Windows that are sums of cosines, and the spectrum of their squares in closed form, with its exact nulls."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from dspref.arrays import Array, complaint, did_you_mean
from dspref.designs.windows import cosine_window
from dspref.nulls import vanishes

Cosines: TypeAlias = tuple[Fraction, ...]

WINDOWS: dict[str, Cosines] = {
    "hann": (Fraction(1, 2), Fraction(-1, 2)),
    "hamming": (Fraction(27, 50), Fraction(-23, 50)),
    "blackman": (Fraction(21, 50), Fraction(-1, 2), Fraction(2, 25)),
    "rectangular": (Fraction(1),),
}
"""Windows ``w[n] = Σ_j a_j cos(2πjn/N)``, 0 ≤ n < N: periodic, as ``torch.hann_window`` and its kin make them."""

LARGEST_PROOF = 1 << 22
"""Roots of unity beyond which no null is proved: about a second for each line."""


def window_taps(name: str, length: int) -> Array:
    """Return a periodic window of N samples, ``w[n] = Σ_j a_j cos(2πjn/N)``.

    Examples
    --------
    >>> window_taps("hann", 4).round(12).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    return cosine_window(length, ((-1) ** j * a for j, a in enumerate(_cosines(name))))


def _cosines(name: str) -> Cosines:
    if name not in WINDOWS:
        hint = did_you_mean(str(name).lower(), WINDOWS) or "other windows as arrays of samples"
        raise ValueError(complaint("window", repr(name), ", ".join(WINDOWS), hint))
    return WINDOWS[name]


def squared(a: Cosines) -> Cosines:
    """Return the terms c_{−2J} … c_{2J} of ``w²[n] = Σ_j c_j e^{j2πjn/N}``, exact.

    Examples
    --------
    >>> [str(c) for c in squared(WINDOWS["hann"])]
    ['1/16', '-1/4', '3/8', '-1/4', '1/16']
    """
    half = [v / 2 for v in a[1:]]
    two_sided = np.array([*reversed(half), a[0], *half], object)
    return tuple(np.convolve(two_sided, two_sided))


def dirichlet(N: int, freq: Fraction) -> complex:
    """Return ``Σ_{n<N} e^{−j2πfn} = e^{−jπf(N−1)} sin(πNf)/sin(πf)``, exact where Nf is whole."""
    if freq.denominator == 1:
        return complex(N)
    if (N * freq).denominator == 1:
        return 0j
    magnitude = math.sin(math.pi * float(N * freq % 2)) / math.sin(math.pi * float(freq % 2))
    turn = math.pi * float(freq * (N - 1) % 2)
    return magnitude * complex(math.cos(turn), -math.sin(turn))


def squared_spectrum(name: str, length: int, freq: Fraction) -> complex:
    """Return the spectrum of the squared window in closed form: ``W₂(f) = Σ_j c_j D_N(f − j/N)``, D_N `dirichlet`.

    Where Nf is a whole number p, this is N times the sum of the c_j with j ≡ p mod N: nothing beyond |j| = 2J.

    Examples
    --------
    >>> squared_spectrum("hann", 240, Fraction(1, 48)), squared_spectrum("hann", 240, Fraction(1, 120))
    (0j, (15+0j))
    """
    c, freq = squared(_cosines(name)), Fraction(freq)
    J = len(c) // 2
    shares = [float(c[J + j]) * dirichlet(length, freq - Fraction(j, length)) for j in range(-J, J + 1)]
    return complex(math.fsum(s.real for s in shares), math.fsum(s.imag for s in shares))


def is_null(name: str, length: int, freq: Fraction) -> bool:
    """Return whether it is proved that ``W₂(f) = 0``, with no rounding.

    With u = e^{−j2πNf} and S real, ``W₂ = (1 − u)(w²[0] − j S)/2``, ``S(f) = Σ_j c_j cot π(f − j/N)``:

    - Nf = p whole: W₂ is N times the c_j with j ≡ p mod N.
    - Else, w[0] ≠ 0 (Hamming, rectangular): never.
    - Else, Hann and N ≥ 4: at f = 1/2 only, since with C = cos 2πf and v = cos(2π/N),
      ``4S = sin(2πf) (1 − v)² (C + 3v + 2) / ((1 − C)(v − C)(2v² − 1 − C))``, and C + 3v + 2 ≥ 1 where v ≥ 0.
    - Else W₂ is a sum of M-th roots of unity, M the common multiple of N and the denominator of f, which
      `dspref.nulls.vanishes` decides.

    Examples
    --------
    >>> is_null("hann", 1024, Fraction(1, 256)), is_null("hann", 240, Fraction(1, 50))
    (True, False)
    """
    c, p = squared(_cosines(name)), length * freq
    J = len(c) // 2
    if p.denominator == 1:
        return sum(c[J + j] for j in range(-J, J + 1) if (j - p) % length == 0) == 0
    if sum(c) != 0:
        return False
    if name == "hann" and length >= 4:
        return freq % 1 == Fraction(1, 2)
    M = math.lcm(length, freq.denominator)
    return M <= LARGEST_PROOF and vanishes(_roots(c, length, freq, M), M)


def _roots(c: Cosines, length: int, freq: Fraction, M: int) -> Array:
    """Return h with ``W₂(f) = Σ_i h[i] e^{−j2πi/M}``, times the common denominator of the c_j, as integers."""
    common = math.lcm(*(v.denominator for v in c))
    h, n = np.zeros(M, int), np.arange(length)
    for j, v in enumerate(c, -(len(c) // 2)):
        np.add.at(h, n * int(freq * M - Fraction(j * M, length)) % M, int(v * common))
    return h
