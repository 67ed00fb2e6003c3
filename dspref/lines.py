"""Lines: the tones that an offset makes on its way through upsampling layers.

An offset μ that enters a layer of factor s gives complex lines at multiples of that layer's input rate,
of amplitude ``c_k = μ H(k/s)/s``; later layers repeat them. A pointwise nonlinearity keeps the places and
voids the levels. Frequencies are exact Fractions of the output rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_complex, as_exact, complaint, value
from dspref.chain import Chain
from dspref.gains import gains


@value
class Line:
    """One line of the comb.

    Attributes
    ----------
    freq : Fraction
        Cycles per output sample, 0 … 1/2.
    owner : int or None
        The upsampling layer, counted from 1, at which the line is new: the latest that can make it.
        None if the chain does not upsample.
    stage : int or None
        Its place in ``chain.stages``.
    origins : tuple of int
        Every upsampling layer whose incoming offset can put a line here, counted from 1.
    amplitude : complex array (out,), or None
        c in ``Σ c e^{j2πfm}``, m the index of the output sample; None where a pointwise map, or missing
        weights, void it. The real line has amplitude 2·abs(c) (abs(c) at 0 and 1/2).
    """

    freq: Fraction
    owner: int | None
    stage: int | None
    origins: tuple[int, ...]
    amplitude: Array | None = None

    def hz(self, sr: Fraction | float) -> Fraction:
        """Return the frequency in Hz at the output rate `sr`, exactly."""
        return self.freq * Fraction(sr)


@dataclass(frozen=True)
class Whence:
    """Who can put a line at a frequency, and who cannot.

    Attributes
    ----------
    freq : Fraction
        Cycles per output sample.
    owner, stage, origins
        As for `Line`; owner and stage are None where no layer can.
    cannot : tuple of int
        The upsampling layers that can make no line here.
    nearest : Fraction
        The nearest frequency at which some layer can.
    """

    freq: Fraction
    owner: int | None
    stage: int | None
    origins: tuple[int, ...]
    cannot: tuple[int, ...]
    nearest: Fraction


@value
class Image:
    """A spectral replica of one component.

    Attributes
    ----------
    freq : Fraction
        Cycles per output sample.
    order : int
        k in ``f = abs(k r₀ ± f₀)``; 0 is the component itself.
    owner, stage : int or None
        The upsampling layer at which it is new, counted from 1, and its place; None for order 0.
    gain : complex array (out, in), or None
        Response of the collapsed chain at `freq`, over S; None where it is not linear. Of the component
        ``2 Re(a e^{j2πf₀n})`` it makes ``2 Re(a gain e^{j2πfm})`` where ``f = k r₀ + f₀``, and with the
        conjugate of a where ``f = k r₀ − f₀``.
    """

    freq: Fraction
    order: int
    owner: int | None
    stage: int | None
    gain: Array | None


def _spacings(chain: Chain) -> tuple[Fraction, ...]:
    """Return r_{i−1}/sr, the spacing of the lines that layer i can make, for each i."""
    rates = chain.rates(1)
    return tuple(rates[place] for place, _ in chain.upsamplers)


def _origins(chain: Chain, freq: Fraction) -> tuple[int, ...]:
    return tuple(i for i, spacing in enumerate(_spacings(chain), 1) if freq % spacing == 0)


def _owner(chain: Chain, origins: tuple[int, ...]) -> tuple[int | None, int | None]:
    """Return the latest of the origins, and its place in the chain."""
    if not origins:
        return None, None
    return origins[-1], chain.upsamplers[origins[-1] - 1][0]


def tone_lines(chain: Chain, *, offset: ArrayLike = 1) -> tuple[Line, ...]:
    """Return every line that an offset can make: k/S for k = 0 … ⌊S/2⌋, S the factor of the chain.

    Layer i makes lines at multiples of its input rate ``r_{i−1} = sr/(s_i⋯s_n)`` and nowhere else. Where
    all weights are known and no stage is nonlinear, the amplitudes are those of the steady output, with
    the input offset and every bias as sources: ``c_k = 1/S Σ_m y[m] e^{−j2πkm/S}``.

    Eqs. 2.2 and 2.6.

    Parameters
    ----------
    chain : Chain
    offset : number or array (in,)
        Mean of the input, in each channel.

    Returns
    -------
    tuple of Line, by frequency; the first is the offset itself, at 0.

    Raises
    ------
    NotAnalysable
        If a stage lowers the rate or has no fixed grid (corners aligned), or taps are symbols.

    References
    ----------
    J. Pons, S. Pascual, G. Cengarle, J. Serrà, "Upsampling artifacts in neural audio synthesis",
    ICASSP 2021, arXiv 2010.14356: "sampling rate / upsampling factor" is k = 1 of one layer.

    Examples
    --------
    >>> from dspref import parse
    >>> [str(line.hz(32000)) for line in tone_lines(parse("convt k4 s2 | convt k4 s2"))]
    ['0', '8000', '16000']
    """
    S, mean = chain.factor, chain.checked_offset(offset)
    amplitudes: Array | None = None
    if chain.affine:
        period = as_complex("amplitudes", chain.offset_response(mean))
        amplitudes = np.fft.fft(period, axis=-1) / S
    lines = []
    for k in range(S // 2 + 1):
        freq = Fraction(k, S)
        origins = _origins(chain, freq)
        amplitude = None if amplitudes is None else amplitudes[:, k]
        lines.append(Line(freq, *_owner(chain, origins), origins, amplitude))
    return tuple(lines)


def whence(chain: Chain, freq: Fraction | float | str) -> Whence:
    """Return which upsampling layer makes a line at `freq`, in cycles per output sample.

    Layer i can if and only if `freq` is a multiple of its input rate; the owner is the latest that can.

    Eq. 2.7.

    Parameters
    ----------
    chain : Chain
    freq : Fraction, text, or short binary float
        Cycles per output sample, 0 … 1/2; "1/8" and 0.125 are exact, 0.1 is not.

    Returns
    -------
    Whence
        The owner, other layers that could have made the line, and the nearest line that can be.

    Raises
    ------
    ValueError
        If `freq` lies outside 0 … 1/2, or is a float such as 0.2, which is no multiple of anything.
    NotAnalysable
        If a stage lowers the rate or has no fixed grid (corners aligned).

    Examples
    --------
    >>> from dspref import parse
    >>> chain = parse("convt k4 s2 | convt k4 s2 | convt k4 s2")
    >>> whence(chain, Fraction(4000, 32000)).owner, whence(chain, Fraction(5000, 32000)).owner
    (1, None)
    """
    freq = as_exact("frequency", freq)
    if not 0 <= freq <= Fraction(1, 2):
        raise ValueError(complaint("frequency", f"{freq} cycles/sample", "0 … 1/2, up to half the output rate"))
    S = chain.factor
    origins = _origins(chain, freq)
    cannot = tuple(i for i in range(1, len(chain.upsamplers) + 1) if i not in origins)
    nearest = Fraction(min(round(freq * S), S // 2), S)
    return Whence(freq, *_owner(chain, origins), origins, cannot, nearest)


def images(chain: Chain, freq: Fraction | float | str) -> tuple[Image, ...]:
    """Return the replicas at the output of one component of the input: ``abs(k r₀ ± f₀)``, all k.

    Eq. 4.3.

    Parameters
    ----------
    chain : Chain
    freq : Fraction
        f₀ in cycles per *input* sample, 0 … 1/2; as for `whence`.

    Returns
    -------
    tuple of Image, by frequency; the component itself has order 0.

    Raises
    ------
    ValueError
        If the frequency is beyond 0 … 1/2.
    NotAnalysable
        If a stage lowers the rate or has no fixed grid.

    Examples
    --------
    >>> from dspref import parse
    >>> [(str(i.freq), i.owner) for i in images(parse("nearest x2 | nearest x2"), Fraction(1, 4))]
    [('1/16', None), ('3/16', 1), ('5/16', 2), ('7/16', 2)]
    """
    freq = as_exact("frequency", freq)
    if not 0 <= freq <= Fraction(1, 2):
        raise ValueError(complaint("frequency", f"{freq} cycles/sample", "0 … 1/2, up to half the input rate"))
    S = chain.factor
    orders: dict[Fraction, int] = {}
    for k in range(S // 2 + 1):
        for place in ((k + freq) / S, abs(k - freq) / S):  # for k = 0 the two are one
            if place <= Fraction(1, 2):
                orders.setdefault(place, k)
    places = sorted(orders)
    known = gains(chain, places) if chain.affine else [None] * len(places)
    rows = zip(places, known, strict=True)
    return tuple(Image(place, orders[place], *_newest(chain, place), gain) for place, gain in rows)


def _newest(chain: Chain, freq: Fraction) -> tuple[int | None, int | None]:
    """Return the first upsampling layer whose output rate is high enough to hold `freq`."""
    rates = chain.rates(1)
    if freq <= rates[0] / 2:
        return None, None
    for i, (place, _) in enumerate(chain.upsamplers, 1):
        if freq <= rates[place + 1] / 2:
            return i, place
    return None, None
