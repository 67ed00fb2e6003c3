"""Networks before training, as values: what each layer draws its weights from, and what it does between.

Nothing here has weights: of a kernel only its shape counts, and the variances σ_w² and σ_b² of its taps and biases.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from dspref.arrays import BORDERS, NotAnalysable, as_choice, as_integer, as_real, complaint, set_field
from dspref.chain import POINTWISE, Pointwise
from dspref.expected.filters import Fixed
from dspref.expected.source import Source as Source  # what comes in is named beside the layers that it enters
from dspref.outline import KERNELS


@dataclass(frozen=True)
class Drawn:
    """A convolution whose taps are drawn independently, of mean zero.

    With d the dilation, p the padding and s the factor, "conv" is ``y[n] = Σ_j w_j x[ns + jd − p]``, "convt"
    ``y[n] = Σ_k w_k x[(n + p − kd)/s]`` over whole places, "shuffle" a "conv" of stride 1 into s·outputs channels,
    interleaved.

    Parameters
    ----------
    op : {'conv', 'convt', 'shuffle'}
    inputs, outputs, length : int
        Channels, and taps K; the outputs of "shuffle" are those behind it.
    factor : int
        s: the stride of "conv", downwards, and the factor of the others, upwards.
    dilation, padding, groups : int
    weight, bias : number, optional
        σ_w² and σ_b²; Torch's default, 1/(3 fan_in), if not given. A layer without biases has ``bias=0``.
    kurtosis : number
        κ₄ = E w⁴/(E w²)² of the weights: 9/5, as of uniform ones, 3 of normal ones. It counts in narrow layers.
    icnr : bool
        Whether "shuffle" begins with the same kernel in each of its phases; their biases differ nonetheless.
    bias_law : {'uniform', 'normal'}
        Of the biases, which reach the next map as they are, in wide layers too.
    padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}
        What "conv" and "shuffle" put beside the input. The steady state has no ends, and ignores this: only
        `dspref.expected.dense` heeds it.
    output_padding : int
        Samples that "convt" makes beyond its last one; ignored likewise.

    Raises
    ------
    ValueError, TypeError
        If the word is unknown, a count is not in range, groups do not divide the channels, a variance is below 0, or an
        option is not one of that layer.

    Examples
    --------
    >>> layer = Drawn("convt", 512, 256, 16, factor=8)
    >>> str(layer.weight), str(layer.gain)
    ('1/12288', '1/24')
    """

    op: str
    inputs: int
    outputs: int
    length: int
    factor: int = 1
    dilation: int = 1
    padding: int = 0
    groups: int = 1
    weight: Any = None
    bias: Any = None
    icnr: bool = False
    padding_mode: str = "zeros"
    output_padding: int = 0
    kurtosis: Any = Fraction(9, 5)
    bias_law: str = "uniform"

    def __post_init__(self) -> None:
        as_choice("op", self.op, KERNELS)
        for name in ("inputs", "outputs", "length", "factor", "dilation", "groups"):
            as_integer(name, getattr(self, name), 1)
        as_integer("padding", self.padding, 0)
        if not isinstance(self.icnr, bool):
            raise TypeError(complaint("icnr", repr(self.icnr), "True or False"))
        if self.inputs % self.groups or self.outputs % self.groups:
            allowed = f"a divisor of {self.inputs} and {self.outputs} channels"
            raise ValueError(complaint("groups", self.groups, allowed))
        default = Fraction(1, 3 * self.fans[0])
        for name in ("weight", "bias"):
            given = getattr(self, name)
            set_field(self, name, default if given is None else _variance(f"variance of the {name}", given))
        if not self.weight:
            hint = "a constant initialisation has no spectrum to expect: ask for the lines of its weights"
            raise ValueError(complaint("variance of the weight", self.weight, "a number > 0", hint))
        if not as_real("kurtosis", self.kurtosis) >= 1:
            raise ValueError(
                complaint("kurtosis", self.kurtosis, "a number >= 1", "uniform weights have 9/5, normal 3")
            )
        if self.icnr and self.op != "shuffle":
            raise ValueError(complaint("icnr", self.op, "a shuffle", "it repeats the kernels of phases"))
        as_choice("bias_law", self.bias_law, ("uniform", "normal"))
        as_choice("padding_mode", self.padding_mode, BORDERS if self.op != "convt" else BORDERS[:1])
        if as_integer("output_padding", self.output_padding, 0):
            most = max(self.factor, self.dilation) - 1 if self.op == "convt" else 0
            if self.output_padding > most:
                raise ValueError(complaint("output_padding", self.output_padding, f"at most {most} for {self.op}"))

    @property
    def fans(self) -> tuple[int, int]:
        """fan_in and fan_out as Torch counts them: weight.shape[1] and weight.shape[0], each times the taps."""
        K, own = self.length, self.outputs * (self.factor if self.op == "shuffle" else 1)
        if self.op == "convt":
            return self.outputs // self.groups * K, self.inputs * K
        return self.width * K, own * K

    @property
    def width(self) -> int:
        """Channels that one output sums over."""
        return self.inputs // self.groups

    @property
    def terms(self) -> int:
        """Channels times taps that one output sample sums over."""
        return self.width * max(1, self.length // self.factor if self.op == "convt" else self.length)

    @property
    def gain(self) -> Any:
        """``g = C_in σ_w²`` of one tap, C_in the channels that an output sums over."""
        return self.width * self.weight

    @property
    def full_overlap(self) -> bool:
        """Whether every output sample of a transposed convolution sums over equally many taps."""
        hits = np.bincount(np.arange(self.length) * self.dilation % self.factor, minlength=self.factor)
        return bool((hits == hits[0]).all())


SMALLEST, LARGEST = 1e-100, 1e100
"""Variances that may be multiplied, layer after layer."""


def _short(number: Any) -> str:
    """Return a number in words, whose digits may be very many."""
    if isinstance(number, float) or SMALLEST <= abs(number) <= LARGEST:
        return str(number)
    return f"more than {LARGEST:g} in size" if abs(number) > LARGEST else f"less than {SMALLEST:g} in size"


def _variance(name: str, given: Any) -> Any:
    number = as_real(name, given)
    if number.ndim:
        raise ValueError(complaint(name, f"shape {number.shape}", "one number"))
    number = number[()]
    if number and not SMALLEST <= number <= LARGEST:
        raise ValueError(
            complaint(name, _short(number), f"0, or a finite number >= 0 from {SMALLEST:g} to {LARGEST:g}")
        )
    return given if isinstance(given, (int, Fraction)) else float(number)


GATES = ("identity", *(name for name in POINTWISE if name != "glu"))
"""Maps that a gated pair may be made of."""


@dataclass(frozen=True)
class Gate:
    """Half of the channels, mapped, times the other half, mapped: ``y = f(a) g(b)``, as WaveNet's tanh and sigmoid.

    Parameters
    ----------
    left, right : Pointwise, or "identity"

    Raises
    ------
    ValueError
        If a side is a map that a gate can't have.

    Examples
    --------
    >>> from dspref.expected import Source, expected_spectrum
    >>> steps = [Drawn("conv", 1, 8, 3), Gate(Pointwise("tanh"), Pointwise("sigmoid"))]
    >>> expected_spectrum(steps, Source(1, covariance=(1.0,))).channels
    4
    """

    left: Pointwise | str
    right: Pointwise | str

    def __post_init__(self) -> None:
        for side in (self.left, self.right):
            as_choice("map of a gate", side.name if isinstance(side, Pointwise) else side, GATES)


@dataclass(frozen=True)
class Sum:
    """Branches from one input, added; an empty branch is the identity, as the skip of a residual block or U-Net.

    Parameters
    ----------
    branches : tuple of tuples of steps

    Raises
    ------
    ValueError
        If there are fewer than two branches, or they are no tuples.

    Examples
    --------
    >>> from dspref.expected import Source, expected_spectrum
    >>> doubled = Sum(((Drawn("conv", 1, 4, 3),), (Drawn("conv", 1, 4, 3),)))  # drawn apart, so that powers add
    >>> noise = Source(1, covariance=(1.0,))
    >>> one, two = (expected_spectrum([step], noise) for step in (Drawn("conv", 1, 4, 3), doubled))
    >>> round(two.noise / one.noise, 12)
    2.0
    """

    branches: tuple[tuple[Step, ...], ...]

    def __post_init__(self) -> None:
        _branches(self.branches)


@dataclass(frozen=True)
class Concat:
    """Branches from one input, their channels side by side.

    Parameters
    ----------
    branches : tuple of tuples of steps

    Raises
    ------
    ValueError
        If there are fewer than two branches, or they are no tuples.

    Examples
    --------
    >>> from dspref.expected import Source, expected_spectrum
    >>> both = Concat(((Drawn("conv", 1, 4, 3),), (Drawn("conv", 1, 2, 3),)))
    >>> expected_spectrum([both], Source(1, covariance=(1.0,))).channels
    6
    """

    branches: tuple[tuple[Step, ...], ...]

    def __post_init__(self) -> None:
        _branches(self.branches)


def _branches(branches: Any) -> None:
    if len(branches) < 2 or not all(isinstance(branch, tuple) for branch in branches):
        raise ValueError(complaint("branches", repr(branches), "two or more tuples of steps"))


@dataclass(frozen=True)
class Unknown:
    """A layer that is not covered: what lies behind it is refused, by this name.

    Parameters
    ----------
    what : str
        As "LSTM", "GroupNorm", "attention".

    Examples
    --------
    >>> from dspref import NotAnalysable
    >>> from dspref.expected import Source, expected_spectrum
    >>> try:
    ...     _ = expected_spectrum([Drawn("conv", 1, 8, 3), Unknown("LSTM")], Source(1, covariance=(1.0,)))
    ... except NotAnalysable as refusal:
    ...     print(str(refusal)[:18])
    2: layer: got LSTM
    """

    what: str


Step: TypeAlias = Drawn | Fixed | Pointwise | Gate | Sum | Concat | Unknown


def refuse(step: Unknown) -> NotAnalysable:
    """Return the error that says what is not covered."""
    covered = "convolutions, fixed filters, pointwise maps, gates, sums and concatenations of branches"
    return NotAnalysable(complaint("layer", step.what, covered, "the expected spectrum ends in front of it"))
