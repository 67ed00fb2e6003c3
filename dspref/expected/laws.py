"""Initialisations other than Torch's default: what they make of the variances of a layer."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

from dspref.arrays import NotAnalysable, as_choice, as_real, complaint
from dspref.expected.network import Drawn

LAWS = ("default", "kaiming", "kaiming_normal", "xavier", "xavier_normal", "normal", "uniform", "icnr", "orthogonal")
"""Initialisations by name. Uniform and normal variants have the same variance; κ₄ tells them apart in narrow layers."""


def initialised(layer: Drawn, law: str, *, scale: float = 1.0, bias: Any = None) -> Drawn:
    """Return the layer under another initialisation of its weights.

    ==========  ==============================
    law         σ_w²
    ==========  ==============================
    default     1/(3 fan_in)
    kaiming     scale²/fan_in
    xavier      2 scale²/(fan_in + fan_out)
    normal      scale²
    uniform     scale²/3
    icnr        as it was, repeated in each phase of a sub-pixel convolution
    ==========  ==============================

    Weights are uniform, κ₄ = 9/5, but for "normal", "kaiming_normal" and "xavier_normal": κ₄ = 3.

    Parameters
    ----------
    layer : Drawn
    law : str
    scale : float
        Torch's gain for kaiming (√2 for relu) and xavier, the standard deviation of normal, the bound of uniform.
    bias : number, optional
        σ_b², unchanged if not given.

    Returns
    -------
    Drawn

    Raises
    ------
    NotAnalysable
        For "orthogonal", whose taps are not independent.

    Notes
    -----
    Weight norm changes nothing: its norm is set to that of the weights it was given.

    Examples
    --------
    >>> round(24 * initialised(Drawn("conv", 8, 8, 3), "kaiming", scale=2**0.5, bias=0).weight, 12)
    2.0
    """
    if not isinstance(layer, Drawn):
        raise TypeError(complaint("layer", repr(layer), "Drawn"))
    as_choice("initialisation", law, LAWS)
    if not (math.isfinite(scale) and scale >= 0):
        raise ValueError(complaint("scale", scale, "a number > 0"))
    if scale != 1 and law in ("default", "icnr"):
        raise ValueError(complaint("scale", scale, f"none for {law}", "say another initialisation"))
    if law == "orthogonal":
        hint = "its taps depend on each other"
        raise NotAnalysable(complaint("initialisation", law, ", ".join(LAWS[:-1]), hint))
    fan_in, fan_out = layer.fans
    if law == "icnr":
        return replace(layer, icnr=True, bias=layer.bias if bias is None else bias)
    variances: dict[str, Any] = {
        "default": None,
        "kaiming": scale**2 / fan_in,
        "xavier": 2 * scale**2 / (fan_in + fan_out),
        "normal": scale**2,
        "uniform": scale**2 / 3,
    }
    kurtosis = 3 if law.endswith("normal") else Fraction(9, 5)
    weight = variances[law.removesuffix("_normal")]
    return replace(layer, weight=weight, bias=layer.bias if bias is None else bias, kurtosis=kurtosis)


def rescaled(layer: Drawn, reference: float = 0.1) -> Drawn:
    """Return the layer behind Demucs's rescaling: weights and biases divided by ``√(σ_w/r)``, r the reference.

    ``σ_w² → σ_w r``, ``σ_b² → σ_b² r/σ_w``.

    Parameters
    ----------
    layer : Drawn
    reference : float
        r, above 0.

    Returns
    -------
    Drawn

    Raises
    ------
    TypeError, ValueError
        If it is no drawn layer, or the reference not above 0.

    References
    ----------
    A. Défossez et al., *Music source separation in the waveform domain*, arXiv 1911.13254 (weight rescaling).

    Examples
    --------
    >>> layer = rescaled(Drawn("conv", 10, 10, 10, weight=0.04, bias=0.04), 0.1)
    >>> round(layer.weight, 12), round(layer.bias, 12)
    (0.02, 0.02)
    """
    if not isinstance(layer, Drawn):
        raise TypeError(complaint("layer", repr(layer), "Drawn"))
    if not as_real("reference", reference) > 0:
        raise ValueError(complaint("reference", reference, "a number > 0"))
    factor = reference / math.sqrt(layer.weight)
    return replace(layer, weight=float(layer.weight) * factor, bias=float(layer.bias) * factor)
