"""What tone-free layers leave: noise that is louder in some phases than in others, which a map turns into a line.

A tone-free layer answers a constant with a constant. Noise is another matter: with P the projection on tone-free taps
(`dspref.designs.projector`), R the autocovariance of each input channel, C channels and drawn taps of variance σ_w²,
phase r of the output has

    v_r = C σ_w² Σ_{i, j} P[r + is, r + js] R[i − j]

in the mean over draws, and behind a map f the mean ``m_r = E f(√v_r Z)``: where the v_r differ, a line at k/s again,
``abs(1/s Σ_r m_r e^{−j2πkr/s})²``. Of order 1 and whole overlap they do not, for P then is the same in all phases:
``n − 1 + 1/s`` for white noise, n = K/s taps each. What is left is of order 1/C: one draw's variances deviate, with

    Cov(v_r, v_q) = C σ_w⁴ (2 tr M_r M_q + (κ₄ − 3) Σ_i M_r[i, i] M_q[i, i]),    M_r = P E_r R E_rᵀ P,

E_r the taps of phase r; as P is its own square and R here 0 between phases, tr M_r M_q is the sum of ``RPR ∘ P`` over
rows of phase r and columns of phase q. Lines have ``1/s² Σ m′_r m′_q Cov(v_r, v_q) e^{−j2πk(r − q)/s}``. By Stein's
identity ``m′ = dm/dv = a₂/(√2 v)``, a₂ the second Hermite coefficient of the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from dspref.arrays import Array, NotAnalysable, complaint, frozen
from dspref.chain import POINTWISE, Pointwise
from dspref.cyclotomic import fold
from dspref.designs.projection import projector
from dspref.expected.kernelmaps import mean_map
from dspref.expected.mehler import coefficients
from dspref.expected.network import Drawn
from dspref.expected.source import Source, check_source


@dataclass(frozen=True)
class Remaining:
    """What noise makes behind a tone-free layer and a map.

    Attributes
    ----------
    variances : array (s,)
        v_r of each phase in front of the map, in the mean over draws.
    wide : array (s//2 + 1,)
        Power of the lines k/s in the limit of wide layers, DC first.
    narrow : array (s//2 + 1,)
        Its term of order 1/C: that of the spread of the v_r.

    Examples
    --------
    >>> found = remaining_lines(Drawn("convt", 64, 32, 16, 8, bias=0), Pointwise("relu"), Source(64, covariance=(1.0,)))
    >>> bool(found.wide[1:].max() <= 1e-30), [round(level, 1) for level in found.db[1:]]
    (True, [-32.7, -32.7, -32.7, -32.7])
    """

    variances: Array
    wide: Array
    narrow: Array

    @property
    def lines(self) -> Array:
        """Expected power of each line, abs(c_k)²."""
        return np.asarray(self.wide + self.narrow)

    @property
    def db(self) -> tuple[float, ...]:
        """The same in dB re DC; −inf where no draw has any, as of s taps."""
        with np.errstate(divide="ignore"):
            return tuple(float(level) for level in 10 * np.log10(self.lines / self.lines[0]))


def phase_variances(taps: int, factor: int, *, order: int = 1, covariance: Sequence[Any] = (1,)) -> Array:
    """Return the variance of each phase behind drawn tone-free taps: ``Σ_{i, j} P[r + is, r + js] R[i − j]``.

    Times C σ_w² it is that of a layer of C channels. Exact for exact covariances.

    Parameters
    ----------
    taps, factor : int
        K and s.
    order : int
        p.
    covariance : sequence of numbers
        R[0], R[1], … of the noise that comes in; (1,) is white.

    Returns
    -------
    array (factor,)

    Raises
    ------
    NotAnalysable
        If there are fewer taps than the factor, or too few for the order.

    Examples
    --------
    >>> [str(v) for v in phase_variances(8, 4)], [str(v) for v in phase_variances(7, 4)]
    (['5/4', '5/4', '5/4', '5/4'], ['6/5', '6/5', '6/5', '2/5'])
    >>> [str(v) for v in phase_variances(8, 4, order=2)]
    ['23/42', '19/42', '19/42', '23/42']
    """
    P, R = projector(taps, factor, order=order), _toeplitz(taps, factor, covariance)
    return frozen(np.array(_by_phase(P, R, factor)))


def remaining_lines(layer: Drawn, stage: Pointwise, source: Source, *, order: int = 1) -> Remaining:
    """Return the lines that noise makes behind a drawn layer, made tone-free, and a map: the leading terms.

    Parameters
    ----------
    layer : Drawn
        A "convt" without biases, groups and dilation.
    stage : Pointwise
    source : Source
        Noise alone, of each channel's own.
    order : int
        p of the projection.

    Returns
    -------
    Remaining

    Raises
    ------
    NotAnalysable
        If the layer is another, there is a constant or a bias, or the taps are too few.

    Examples
    --------
    >>> layer, noise = Drawn("convt", 64, 32, 8, factor=4, bias=0), Source(64, covariance=(1.0,))
    >>> for p in (1, 2):
    ...     print(p, [round(level, 1) for level in remaining_lines(layer, Pointwise("relu"), noise, order=p).db])
    1 [0.0, -30.6, -30.6]
    2 [0.0, -28.4, -38.9]
    """
    _check(layer, stage, source)
    K, s, C = layer.length, layer.factor, layer.width
    P, R = projector(K, s, order=order).astype(float), _toeplitz(K, s, source.covariance).astype(float)
    scale = C * float(layer.weight)
    v = scale * np.array(_by_phase(P, R, s))
    own = fold(P @ R * P, s).T
    spread = 2 * fold(fold(R @ P @ R * P, s).T, s) + (float(layer.kurtosis) - 3) * own @ own.T
    slopes = _mean_slope(stage, v)
    narrow = np.fft.fft(np.fft.ifft(np.outer(slopes, slopes) * spread, axis=1), axis=0).diagonal().real / s
    wide = np.abs(np.fft.fft(mean_map(stage, v)) / s) ** 2
    half = s // 2 + 1
    return Remaining(frozen(v), frozen(wide[:half]), frozen(scale**2 / C * narrow[:half]))


def _by_phase(P: Array, R: Array, s: int) -> list[Any]:
    """Return ``Σ P[n, m] R[n, m]`` over n, m of each phase."""
    return [(P[r::s, r::s] * R[r::s, r::s]).sum() for r in range(s)]


def _toeplitz(K: int, s: int, covariance: Sequence[Any]) -> Array:
    """Return R[(n − m)/s] where s divides n − m, else 0: the covariance of what the taps of one phase meet."""
    r = list(covariance)
    return np.array(
        [
            [r[abs(n - m) // s] if (n - m) % s == 0 and abs(n - m) // s < len(r) else Fraction(0) for m in range(K)]
            for n in range(K)
        ]
    )


def _mean_slope(stage: Pointwise, v: Array) -> Array:
    """Return dm/dv of ``m(v) = E f(√v Z)``: ``a₂/(√2 v)``."""
    f, _ = POINTWISE[stage.name]
    a, _ = coefficients(lambda x: f(x, *stage.parameters), v, terms=3)
    return np.asarray(a[:, 2] / (np.sqrt(2) * v))


def _check(layer: Drawn, stage: Pointwise, source: Source) -> None:
    """Refuse what the formulas do not cover."""
    if not isinstance(stage, Pointwise) or stage.name == "glu":
        got = stage.name if isinstance(stage, Pointwise) else repr(stage)
        raise NotAnalysable(complaint("map", got, "a map of single samples", "a gate takes two channels"))
    if layer.op != "convt" or layer.groups > 1 or layer.dilation > 1 or layer.bias:
        got = f"{layer.op}, {layer.groups} groups, dilation {layer.dilation}, bias variance {layer.bias}"
        raise NotAnalysable(complaint("layer", got, "a convt of one group, dilation 1 and no bias"))
    check_source(source)
    if source.constant or source.mono or not source.covariance or source.channels != layer.inputs:
        allowed = f"noise alone, each of {layer.inputs} channels with its own"
        raise NotAnalysable(complaint("source", repr(source), allowed))
