"""What wide layers lose: lines of power 1/width that the limit puts at zero. Below them a line is not predicted.

In the limit every phase of a transposed or sub-pixel convolution has the same variance q, and halves of a gate are
independent. With C channels and n taps per phase, those of one draw are not:

    q_r = q (1 + δ_r),  E δ_r² = (κ₄ − 1)/(Cn): behind relu, √(q_r/2π) is a tone        κ₄ = E w⁴/(E w²)²
    E ab = γ,  E γ² = q²/(Cn): behind GLU, γ E σ′(b) is an offset in each channel       (a and b, as Gaussian as ever)
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


def relu_line(layer: Drawn, *, kurtosis: Any = KURTOSIS["uniform"]) -> Any:
    """Return the power of each line over DC, behind an upsampling layer and relu, for white noise: to first order.

    ``(κ₄ − 1)/(4 C n L)``, as δ_r moves the mean of phase r by δ_r/2, and the L phases are drawn independently.

    Parameters
    ----------
    layer : Drawn
        "convt", whole overlap, or "shuffle".
    kurtosis : number
        κ₄ of its weights; `KURTOSIS` has those of common laws.

    Examples
    --------
    >>> relu_line(Drawn("convt", 64, 32, 8, factor=4))
    Fraction(1, 2560)
    """
    if layer.op == "conv" or not layer.full_overlap:
        raise ValueError(complaint("layer", layer.op, "a transposed convolution of whole overlap, or sub-pixel"))
    return (kurtosis - 1) / (4 * layer.width * taps_per_phase(layer) * layer.factor)


def glu_offset(layer: Drawn, q: float) -> float:
    """Return the power of the offset of each channel, behind a drawn layer and GLU, for white noise: to first order.

    ``(E σ′)² q²/(Cn)``, whatever the law of the weights: by Stein's identity ``E a σ(b) = γ E σ′(b)``.

    Parameters
    ----------
    layer : Drawn
    q : float
        Variance in front of the gate.

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
