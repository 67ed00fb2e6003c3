"""Linear periodically time-varying systems: the alias components of a chain that raises and lowers the rate.

Let L output samples stand for M input samples, the least that every stage maps onto whole samples. The chain then
commutes with a delay of M in and L out, so that a component at f comes out at the L frequencies ν with Lν ≡ Mf
(mod 1), and at ν come together the M frequencies of the input with the same. For every φ in 0 … 1

    c_k = Σ_j A_kj(φ) a_j,    f_j = (φ + j)/M,  j = 0 … M − 1    ν_k = (φ + k)/L,  k = 0 … L − 1

a_j and c_k the amplitudes of ``e^{j2πf_j n}`` and ``e^{j2πν_k m}``. Stretch + filter sends bin b mod n to bin b, with
gain H/s, where n bins come in and ns go out; a decimator adds the bins b + i·n/s up (they alias). The matrix of a
chain is the product of these.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_integer, as_numbers, as_real, as_signal, complaint, value
from dspref.gains import follow
from dspref.settling import decimated
from dspref.spectrum.operand import Linear, numeric_chain
from dspref.stretchfilter import StretchFilter


@value
class Bifrequency:
    """The bifrequency map of a linear chain, as its alias-component matrix.

    Attributes
    ----------
    M, L : int
        Input and output samples of one period: L/M is the factor of the chain. M = 1 where no stage lowers the rate.
    stages : tuple of (StretchFilter, int)
        Each stage as stretch + filter, then decimation.
    in_channels : int or None
        None where every channel is treated alike.

    Raises
    ------
    ValueError
        By what asks for frequencies beyond 0 … 1 cycles per period, or with samples of no whole period.
    """

    M: int
    L: int
    stages: tuple[tuple[StretchFilter, int], ...]
    in_channels: int | None

    def components(self, phi: ArrayLike) -> Array:
        """Return the alias-component matrix A(φ), from the frequencies (φ + j)/M to (φ + k)/L.

        Parameters
        ----------
        phi : number or array (...)
            φ in 0 … 1, cycles per period.

        Returns
        -------
        complex array (..., L, M, out, in), or (..., L, M) where every channel is treated alike
        """
        phi = as_real("φ", phi).astype(float)
        if ((phi < 0) | (phi > 1)).any():
            raise ValueError(complaint("φ", phi, "0 … 1 cycles per period", "frequencies are (φ + k)/L"))
        flat = phi.reshape(-1)
        A = np.broadcast_to(np.eye(self.M, dtype=complex), (flat.size, self.M, self.M))
        for u, D in self.stages:
            A = _through(A, u, D, flat)
        return np.asarray(A.reshape(*phi.shape, *A.shape[1:]))

    def spectrum(self, a: ArrayLike) -> Array:
        """Return the Fourier coefficients of the output of a periodic input, from those of the input.

        Parameters
        ----------
        a : complex array (..., in, N)
            Of ``x[n] = Σ_b a_b e^{j2πbn/N}``, as ``np.fft.fft(x)/N``; N a multiple of M.

        Returns
        -------
        complex array (..., out, NL/M)
        """
        a = as_signal(a, self.in_channels)
        a = a.reshape(*a.shape[:-1], self.M, self._periods(a.shape[-1]))
        Q = a.shape[-1]
        A = self.components(np.arange(Q) / Q)  # input bin jQ + q is (φ + j)/M for φ = q/Q, output bin kQ + q likewise
        c = np.einsum("qkj,...jq->...kq" if A.ndim == 3 else "qkjoi,...ijq->...okq", A, a)
        return np.asarray(c.reshape(*c.shape[:-2], self.L * Q))

    def predict(self, x: ArrayLike) -> Array:
        """Return one period of the steady output for a periodic input, by way of the map alone.

        Sample 0 of the output is the one that the chain gives for sample 0 of the input, where the period has gone
        on long enough before. A finite signal is a period of one with as many zeros behind and before it as the chain's
        kernels reach. The error is rounding: that of two transforms and of one sum over taps and channels per stage.

        Parameters
        ----------
        x : array (..., in, N)
            N a multiple of M.

        Returns
        -------
        array (..., out, NL/M), real if x and the taps are
        """
        x = as_signal(x, self.in_channels)
        periods = self._periods(x.shape[-1])
        real = x.dtype.kind != "c" and all(u.h.dtype.kind != "c" for u, _ in self.stages)
        c = self.spectrum(np.fft.fft(x.astype(complex), axis=-1) / x.shape[-1])
        y = np.fft.ifft(c, axis=-1) * (periods * self.L)
        return np.asarray(y.real if real else y)

    def array(self, bins: int) -> Array:
        """Return the map as one array, to be drawn: the gain from each of `bins` input bins to each output bin.

        Entry [a, b] leads from b/bins to a·M/(bins·L), both in 0 … 1; it is zero off the L lines ν = (Mf + k)/L.

        Parameters
        ----------
        bins : int
            A multiple of M.

        Returns
        -------
        complex array (bins·L/M, bins, out, in), or (bins·L/M, bins)

        Examples
        --------
        >>> from dspref import ZeroStuff
        >>> bifrequency(ZeroStuff(2)).array(2).real
        array([[0.5, 0. ],
               [0. , 0.5],
               [0.5, 0. ],
               [0. , 0.5]])
        """
        Q = self._periods(as_integer("bins", bins, 1))
        A = self.components(np.arange(Q) / Q)
        full = np.zeros((self.L, Q, self.M, Q, *A.shape[3:]), complex)
        full[:, np.arange(Q), :, np.arange(Q)] = A
        return full.reshape(self.L * Q, self.M * Q, *A.shape[3:])

    def _periods(self, samples: int) -> int:
        if samples == 0 or samples % self.M:
            allowed = f"a multiple of {self.M}, of at least one period"
            raise ValueError(complaint("samples of a period", samples, allowed, "add zeros, or cut"))
        return samples // self.M


def bifrequency(chain: Linear) -> Bifrequency:
    """Return the bifrequency map of a chain of linear layers: what every input frequency gives at every output one.

    Strided convolutions lower the rate, all else keeps or raises it, in any order.

    Eq. 4.8.

    Parameters
    ----------
    chain : Chain, layer or StretchFilter
        Biases count for nothing: they are offsets, and what they make `dspref.tone_lines` says.

    Returns
    -------
    Bifrequency

    Raises
    ------
    NotAnalysable
        If a stage is not linear, has no weights, no fixed grid of positions, or symbols for taps.

    References
    ----------
    S. Akkarakaran, P. P. Vaidyanathan, IEEE Trans. Signal Process. 48(3), 2000.

    Examples
    --------
    >>> from dspref import Chain, Conv, Nearest
    >>> u = bifrequency(Chain([Nearest(3), Conv([[[1, 1]]], stride=2)]))
    >>> u.M, u.L
    (2, 3)
    >>> u.predict([[1, 2, 3, 4]]).round(12)
    array([[2., 3., 4., 6., 7., 8.]])
    """
    whole = numeric_chain(chain)
    stages = tuple(_rational(stage) for stage in whole.stages)
    rates = _rates(stages)
    M = math.lcm(*(rate.denominator for rate in rates))
    return Bifrequency(M, int(M * rates[-1]), stages, whole.in_channels)


def _rational(stage: Any) -> tuple[StretchFilter, int]:
    """Return a stage as stretch + filter, in floating point, and the decimation after it."""
    u, D = decimated(stage)
    h = as_numbers("taps", u.h)
    return replace(u, h=h if h.dtype.kind == "c" else h.astype(float)), D


def _rates(stages: Iterable[tuple[StretchFilter, int]]) -> tuple[Fraction, ...]:
    """Return the rate after each stretch and after each stage, that of the input being 1."""
    rates = [Fraction(1)]
    for u, D in stages:
        rates += [rates[-1] * u.L, rates[-1] * u.L / D]
    return tuple(rates)


def _through(A: Array, u: StretchFilter, D: int, phi: Array) -> Array:
    """Return the matrices (φ, n·L/D, M, ...) after a stage, from those (φ, n, M, ...) before it."""
    n = A.shape[1]
    bins = np.arange(n * u.L)
    G = u.response((phi[:, None] + bins) / (n * u.L)) / u.L
    stretched = follow_bins(G, A[:, bins % n])
    return np.asarray(stretched.reshape(len(phi), D, n * u.L // D, *stretched.shape[2:]).sum(axis=1))


def follow_bins(G: Array, A: Array) -> Array:
    """Return gains (φ, bins, ...) after matrices (φ, bins, M, ...), the dots (out, in) or nothing."""
    lead = A.shape[:3]
    flat = np.repeat(G.reshape(-1, *G.shape[2:]), lead[2], axis=0)
    made = follow(flat, A.reshape(-1, *A.shape[3:]))
    return made.reshape(*lead, *made.shape[1:])
