"""How kernels are drawn: the laws of their taps, Torch's defaults, and what those do to the power of a signal.

Taps are drawn independently, of variance σ². White noise of power P in each of C_in channels comes out of a layer of
K taps and factor s with the time-averaged power ``C_in K σ²/s · P``. Torch draws uniformly from ±1/√fan_in, which
is a variance of 1/(3 fan_in), the bias too; the fan_in of a transposed convolution is C_out·K, so its gain is
``C_in/(3 s C_out)`` whatever K: where C_in < 3 s C_out signals shrink layer by layer, and biases do not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dspref.arrays import Array, as_choice, as_integer, complaint
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.outline import KERNELS

EXCESS = {"normal": Fraction(0), "uniform": Fraction(-6, 5), "sign": Fraction(-2)}
"""Laws of a tap, all symmetric, by name: their excess kurtosis κ₄/σ⁴. "sign" is ±σ."""


@dataclass(frozen=True)
class TapLaw:
    """The law of one tap: symmetric about zero, of variance σ².

    Parameters
    ----------
    name : {'normal', 'uniform', 'sign'}
    variance : Fraction or float
        σ²; Fractions stay exact.

    Raises
    ------
    ValueError
        If the name is unknown, or the variance not above 0.

    Examples
    --------
    >>> TapLaw("uniform", Fraction(1, 3)).bound
    1.0
    """

    name: str
    variance: Fraction | float = Fraction(1)

    def __post_init__(self) -> None:
        as_choice("law of a tap", self.name, EXCESS)
        if not (math.isfinite(self.variance) and self.variance > 0):
            raise ValueError(complaint("variance of a tap", self.variance, "a number > 0"))

    @property
    def excess(self) -> Fraction:
        """κ₄/σ⁴, exactly."""
        return EXCESS[self.name]

    @property
    def bound(self) -> float:
        """Largest magnitude: √3 σ for "uniform", σ for "sign", ∞ for "normal"."""
        reach = {"normal": math.inf, "uniform": math.sqrt(3 * self.variance), "sign": math.sqrt(self.variance)}
        return reach[self.name]

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Return taps drawn by this law."""
        sigma = math.sqrt(self.variance)
        if self.name == "normal":
            return sigma * rng.standard_normal(shape)
        if self.name == "uniform":
            return rng.uniform(-self.bound, self.bound, shape)
        return sigma * rng.choice([-1.0, 1.0], shape)


@dataclass(frozen=True)
class Default:
    """Torch's default initialisation of a layer.

    Attributes
    ----------
    fan_in : int
        As Torch counts it: weight.shape[1] times the taps.
    gain : Fraction
        Time-averaged output power over input power per channel, for white input.
    """

    fan_in: int
    gain: Fraction

    @property
    def law(self) -> TapLaw:
        """Uniform, of variance 1/(3 fan_in)."""
        return TapLaw("uniform", Fraction(1, 3 * self.fan_in))

    @property
    def bias_variance(self) -> Fraction:
        """1/(3 fan_in), as that of the taps."""
        return self.law.variance if isinstance(self.law.variance, Fraction) else Fraction(self.law.variance)


def torch_default(
    op: str, in_channels: int, out_channels: int, length: int, *, factor: int = 1, groups: int = 1
) -> Default:
    """Return how Torch draws a layer, and the power gain that follows.

    =========  ====================  ==========================
    op         fan_in                gain
    =========  ====================  ==========================
    "convt"    (C_out/groups)·K      C_in/(3 s C_out)
    "conv"     (C_in/groups)·K       1/3, whatever the stride
    "shuffle"  (C_in/groups)·K       1/3
    =========  ====================  ==========================

    Eq. 6.10.

    Parameters
    ----------
    op : {'conv', 'convt', 'shuffle'}
    in_channels, out_channels, length, groups : int
        Of the layer; the channels of a sub-pixel convolution are those behind its shuffle.
    factor : int
        s, of "convt".

    Returns
    -------
    Default

    Raises
    ------
    ValueError
        If the word is unknown, a count is below 1, or groups do not divide the channels.

    Examples
    --------
    >>> demucs = torch_default("convt", 200, 100, 8, factor=4)
    >>> demucs.fan_in, demucs.gain, demucs.bias_variance
    (800, Fraction(1, 6), Fraction(1, 2400))
    """
    as_choice("op", op, KERNELS)
    numbers = {"in_channels": in_channels, "out_channels": out_channels, "length": length, "factor": factor}
    C_in, C_out, K, s = (as_integer(name, number, 1) for name, number in numbers.items())
    groups = as_integer("groups", groups, 1)
    if C_in % groups or C_out % groups:
        raise ValueError(complaint("groups", groups, f"a divisor of {C_in} and {C_out} channels"))
    fan_in = (C_out if op == "convt" else C_in) // groups * K
    density = Fraction(C_in // groups * K, s if op == "convt" else 1)
    return Default(fan_in, density * Fraction(1, 3 * fan_in))


def default_of(layer: Conv | TransposedConv | SubpixelConv) -> Default:
    """Return `torch_default` for a layer of that shape, whatever its weights.

    Parameters
    ----------
    layer : Conv, TransposedConv or SubpixelConv

    Returns
    -------
    Default

    Raises
    ------
    TypeError
        If it is no such layer.

    Examples
    --------
    >>> default_of(TransposedConv(np.ones((4, 2, 16)), stride=8)).gain
    Fraction(1, 12)
    """
    if not isinstance(layer, (Conv, TransposedConv, SubpixelConv)):
        raise TypeError(complaint("layer", repr(layer), "Conv, TransposedConv or SubpixelConv"))
    sizes = (layer.in_channels, layer.out_channels, layer.length)
    factor = layer.stride if isinstance(layer, TransposedConv) else 1
    return torch_default(layer.op, *sizes, factor=factor, groups=layer.groups)


@dataclass(frozen=True)
class Shares:
    """Power behind a layer that stems from the input, and from the biases so far."""

    signal: Fraction
    bias: Fraction


def power_through(defaults: Iterable[Default], *, power: Fraction | int = 1) -> tuple[Shares, ...]:
    """Return what is left of a signal behind each layer of a default-initialised stack, and what biases have added.

    ``signal ← gain · signal``, ``bias ← gain · bias + bias variance``: means over initialisations, per channel,
    of linear stacks. Later layers are dominated by biases, which are offsets, and so by tones.

    Parameters
    ----------
    defaults : iterable of Default
    power : Fraction or int
        Of the white input, per channel.

    Returns
    -------
    tuple of Shares
        Of each kernel, first to last.

    Examples
    --------
    >>> stack = [torch_default("convt", 2 * C, C, 8, factor=4) for C in (32, 16, 8)]
    >>> [(str(at.signal), round(float(at.bias / at.signal), 3)) for at in power_through(stack)]
    [('1/6', 0.008), ('1/36', 0.102), ('1/216', 1.227)]
    """
    signal, bias, found = Fraction(power), Fraction(0), []
    for layer in defaults:
        signal, bias = layer.gain * signal, layer.gain * bias + layer.bias_variance
        found.append(Shares(signal, bias))
    return tuple(found)
