"""Replicas: where a component goes on its way through upsampling layers, and what is left of it there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_integer, as_numbers, complaint, value
from dspref.chain import Chain
from dspref.lines import Image, images
from dspref.nulls import response_nulls
from dspref.spectrum.operand import Linear, numeric_chain


@value
class Replica:
    """One replica of a component, or (order 0) what became of the component itself.

    Attributes
    ----------
    freq : Fraction
        Cycles per output sample.
    order : int
        k in ``f = abs(k r ± f₀)``, r the rate at which the component entered.
    owner, stage : int or None
        The upsampling layer at which it is new, counted from 1 in the whole chain, and its place in it.
    amplitude : complex array (out,), or None
        c in ``Σ c e^{j2πfm}``; None where the chain is not linear or has no weights.
    level_db : float or None
        ``20 log10`` of the norm of c over that of the component: dB re the component at the input.
    relative_db : float or None
        The same in dB re the component at the output; None where nothing is left of that.
    null : bool
        Whether it is proved that exactly nothing is left, whatever the channels: then the levels are −inf.
    """

    freq: Fraction
    order: int
    owner: int | None
    stage: int | None
    amplitude: Array | None
    level_db: float | None
    relative_db: float | None
    null: bool

    def hz(self, sr: Fraction | float) -> Fraction:
        """Return the frequency in Hz at the output rate `sr`, exactly."""
        return self.freq * Fraction(sr)


def replicas(
    chain: Linear, freq: Fraction | float | str, *, amplitude: ArrayLike = 1, stage: int = 0
) -> tuple[Replica, ...]:
    """Return what becomes of a component f₀ that enters a chain: ``abs(k r ± f₀)``, k = 0 … ⌊S/2⌋.

    Each later layer repeats what comes in at the multiples of its own input rate, so that of S in all every
    ``k r ± f₀`` is met, r the rate where the component enters; its owner is the first layer whose output can
    hold it. The amplitude is ``c = G(f) a`` at k r + f₀ and ``G(f) a*`` at k r − f₀, ``G = H/S`` of what follows.

    Eq. 4.3.

    Parameters
    ----------
    chain : Chain, layer or StretchFilter
    freq : Fraction, text, or short binary float
        f₀ in cycles per sample where the component enters, 0 … 1/2. So 600 Hz at a rate of 4 kHz is "3/20".
    amplitude : number or array (in,)
        a in ``a e^{j2πf₀n} + a* e^{−j2πf₀n}``; at f₀ = 0 and 1/2, where the two are one, the real a in
        ``a e^{j2πf₀n}``.
    stage : int
        The place of the layer that the component enters: 0 for the input of the chain.

    Returns
    -------
    tuple of Replica, by frequency

    Raises
    ------
    ValueError
        If f₀ is beyond half the rate, or a has other channels than the layer takes, or is nothing.
    NotAnalysable
        If a stage lowers the rate, has no fixed grid, or has symbols for taps.

    Examples
    --------
    >>> from dspref import parse
    >>> found = replicas(parse("nearest x2"), Fraction(1, 4))
    >>> [(str(r.freq), r.order, round(r.level_db, 3), round(r.relative_db, 3)) for r in found]
    [('1/8', 0, -0.688, 0.0), ('3/8', 1, -8.343, -7.656)]
    """
    whole = numeric_chain(chain)
    rest = _from(whole, stage)
    found = images(rest, freq)
    a = _checked_amplitude(rest, amplitude, found)
    null = response_nulls(rest)
    before = Chain(whole.stages[:stage])
    first, S = len(before.upsamplers), rest.factor
    base = next(image for image in found if image.order == 0)
    carried = [_carried(image, a, positive=(image.freq * S - base.freq * S).denominator == 1) for image in found]
    reference = None if null(base.freq) else carried[found.index(base)]
    return tuple(
        Replica(
            image.freq,
            image.order,
            None if image.owner is None else image.owner + first,
            None if image.stage is None else image.stage + stage,
            c,
            _level_db(c, a, gone := null(image.freq)),
            _level_db(c, reference, gone),
            gone,
        )
        for image, c in zip(found, carried, strict=True)
    )


def image_rejection(u: Linear, freq: Fraction | float | str) -> tuple[Replica, ...]:
    """Return the images of a component without the component: their `relative_db` is the level re the baseband.

    ×2, f₀ in cycles per input sample: nearest neighbour tan(πf₀/2), linear on the integer grid its square,
    Torch's its cube; the bare stretch 1, so 0 dB.

    Eq. 4.4.

    Parameters
    ----------
    u, freq
        As for `replicas`.

    Returns
    -------
    tuple of Replica, by frequency

    Examples
    --------
    >>> from dspref import Linear, Nearest, ZeroStuff
    >>> [[round(r.relative_db, 4) for r in image_rejection(u(2), Fraction(1, 4))] for u in (ZeroStuff, Nearest, Linear)]
    [[0.0], [-7.6555], [-22.9665]]
    """
    return tuple(replica for replica in replicas(u, freq) if replica.order)


def _from(chain: Chain, stage: int) -> Chain:
    """Return the stages from one on, if there is such a one."""
    last = len(chain.stages)
    if as_integer("stage", stage, 0) > last:
        raise ValueError(complaint("stage", stage, f"0 … {last}, a place in the chain", "0 is its input"))
    return Chain(chain.stages[stage:])


def _checked_amplitude(chain: Chain, amplitude: ArrayLike, found: Iterable[Image]) -> Array:
    """Return a as an array (in,)."""
    a = chain.checked_offset(as_numbers("amplitude", amplitude)).astype(complex)
    a = np.broadcast_to(a, chain.in_channels or a.size)
    if not a.any():
        raise ValueError(complaint("amplitude", "nothing", "a component that is there"))
    alone = next(image.freq for image in found if image.order == 0) * chain.factor in (0, Fraction(1, 2))
    if alone and a.imag.any():
        raise ValueError(complaint("amplitude", "a complex number", "a real one at 0 and at half the rate"))
    return a


def _carried(image: Image, a: Array, *, positive: bool) -> Array | None:
    """Return the amplitude c at an image of the component."""
    if image.gain is None:
        return None
    arriving = a if positive else a.conj()
    return image.gain @ arriving if image.gain.ndim else image.gain * arriving


def _level_db(c: Array | None, reference: Array | None, null: bool) -> float | None:
    """Return the level of a norm over another, −inf where nothing is left; None where it is not known."""
    if c is None or reference is None or not reference.any():
        return None
    if null:
        return -math.inf
    power = float((np.abs(c) ** 2).sum() / (np.abs(reference) ** 2).sum())
    return 10 * math.log10(power) if power else None
