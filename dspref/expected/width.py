"""What wide layers lose: lines of power 1/width that the limit puts at zero, and how far off it is in narrow networks.

In the limit every phase of a transposed or sub-pixel convolution has the same variance q, and halves of a gate are
independent. With C channels and n taps per phase, those of one draw are not:

    q_r = q (1 + δ_r),  E δ_r² = (κ₄ − 1)/(Cn): behind relu, √(q_r/2π) is a tone        κ₄ = E w⁴/(E w²)²
    E ab = γ,  E γ² = q²/(Cn): behind GLU, γ E σ′(b) is an offset in each channel       (a and b, as Gaussian as ever)

`dspref.expected.spread` carries both through any network; these are its closed forms for one layer. Lines that the
limit has are off by a share of 1/C, which is measured, not derived: `narrow_db`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from dspref.arrays import as_integer, as_real, complaint
from dspref.expected.mehler import nodes
from dspref.expected.network import Drawn

KURTOSIS = {"uniform": Fraction(9, 5), "normal": Fraction(3), "sign": Fraction(1)}
"""κ₄ by the law of the weights."""

OFF = 2.0
"""Channels times dB by which lines that the limit has may be off."""

FEW = 8
"""Fewest channels of independent noise that count as many."""

MONO = (
    "noise of one channel, or few, or the same in all, is hardly averaged over channels in the first layers: floors "
    "and lines may be off by up to some dB (seen: 0.1 to 3.8), however wide the network is"
)
"""Why lines and floors of such noise are not predicted exactly."""

WIDE = 64
"""Fewest channels for which that is within 0.1 dB, as far as the theory has been measured."""


def narrow_db(channels: int) -> float:
    """Return by how many dB, up or down, lines that the limit has may be off, for the narrowest layer: about 2/C.

    Measured, not derived, with constant input and 1500 to 6000 draws each: combs of decoders with GLU and relu, their
    narrowest layers of 8 and 16 channels, lay within 0.04 ± 0.04 dB; of MelGAN of 8 channels within 0.05 ± 0.07 dB, of
    4 channels at −0.3 to 0 ± 0.1 dB. Networks without biases whose maps make much more of strong signals than of weak
    ones are off by more: silu under a gain of √2 by +1.8 ± 0.4 dB at 8, +1.2 ± 0.3 at 16.

    Parameters
    ----------
    channels : int
        Of the narrowest layer around a map, at least 1.

    Returns
    -------
    float
        dB, to either side.

    Raises
    ------
    ValueError
        If there is no channel.

    Examples
    --------
    >>> narrow_db(16), narrow_db(64) < 0.1
    (0.125, True)
    """
    return OFF / as_integer("channels", channels, 1)


def narrow_warning(channels: int) -> str | None:
    """Return a warning in words for networks whose narrowest layer has fewer than 64 channels; 0 stands for none.

    Parameters
    ----------
    channels : int
        Of the narrowest layer around a map.

    Returns
    -------
    str or None

    Raises
    ------
    ValueError
        If the number is below 0.

    Examples
    --------
    >>> narrow_warning(8)[:86]
    'The narrowest layer around maps sums over 8 channels: lines may be off by about 0.2 dB'
    >>> narrow_warning(64), narrow_warning(0)
    (None, None)
    """
    if not 0 < as_integer("channels", channels, 0) < WIDE:
        return None
    return (
        f"The narrowest layer around maps sums over {channels} channels: lines may be off by about"
        f" {narrow_db(channels):.1f} dB, and one draw may lie farther from the mean than its band says."
        f" From {WIDE} channels on it is less than 0.1 dB."
    )


def relu_line(layer: Drawn, *, kurtosis: Any = None) -> Any:
    """Return the power of each line over DC, behind an upsampling layer and relu, for white noise: to first order.

    ``(κ₄ − 1)/(4 C n L)``, as δ_r moves the mean of phase r by δ_r/2, and the L phases are drawn independently.

    Eq. 6.12.

    Parameters
    ----------
    layer : Drawn
        "convt", whole overlap, or "shuffle".
    kurtosis : number
        κ₄ of its weights, instead of the layer's own; `KURTOSIS` has those of common laws.

    Returns
    -------
    float
        A ratio of powers; symbols stay what they are.

    Raises
    ------
    ValueError
        If the layer does not raise the rate, or its kernels overlap in part.

    Examples
    --------
    >>> relu_line(Drawn("convt", 64, 32, 8, factor=4))
    Fraction(1, 2560)
    """
    if layer.op == "conv" or not layer.full_overlap:
        raise ValueError(complaint("layer", layer.op, "a transposed convolution of whole overlap, or sub-pixel"))
    kurtosis = layer.kurtosis if kurtosis is None else kurtosis
    return (kurtosis - 1) / (4 * layer.width * taps_per_phase(layer) * layer.factor)


def glu_offset(layer: Drawn, q: float) -> float:
    """Return the power of the offset of each channel, behind a drawn layer and GLU, for white noise: to first order.

    ``(E σ′)² q²/(Cn)``, whatever the law of the weights: by Stein's identity ``E a σ(b) = γ E σ′(b)``.

    Parameters
    ----------
    layer : Drawn
    q : float
        Variance in front of the gate.

    Returns
    -------
    float
        A power, the unit that of q.

    Raises
    ------
    ValueError
        If the variance is below 0.

    Examples
    --------
    >>> round(1e3 * glu_offset(Drawn("conv", 64, 128, 1), 1.0), 3)
    0.667
    """
    q = float(as_real("variance", q))
    if q < 0:
        raise ValueError(complaint("variance", q, "a number >= 0"))
    x, w = nodes(max(0, int(np.ceil(np.log2(max(q, 1e-9)) / 2))))
    slope = float(w @ (1 / (4 * np.cosh(np.sqrt(q) * x / 2) ** 2)))
    return (slope * q) ** 2 / (layer.width * taps_per_phase(layer))


def taps_per_phase(layer: Drawn) -> int:
    """Return n, the taps of one channel that a sample of the output sums over."""
    return as_integer("taps per phase", layer.length // layer.factor if layer.op == "convt" else layer.length, 1)
