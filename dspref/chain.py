"""Chains of layers: rates, offsets that travel through them, and their single normal form."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, align, as_choice, as_numbers, as_signal, complaint
from dspref.interpolators import FilterInterp
from dspref.layers import Layer
from dspref.outline import WEIGHTS_HINT, Outline
from dspref.stretchfilter import StretchFilter

_erf = np.vectorize(math.erf, otypes=[float])


def _sigmoid(x: Array) -> Array:
    low = x.real < 0
    decay = np.exp(np.where(low, x, -x))  # at most 1: no overflow, however large x is
    return np.asarray(np.where(low, decay, 1) / (1 + decay))


def _glu(x: Array) -> Array:
    a, b = np.split(x, 2, axis=-2)
    return np.asarray(a * _sigmoid(b))


POINTWISE: dict[str, tuple[Callable[..., Array], tuple[float, ...]]] = {
    "relu": (lambda x: np.where(x > 0, x, 0 * x), ()),
    "leaky": (lambda x, a: np.where(x > 0, x, a * x), (0.01,)),
    "tanh": (np.tanh, ()),
    "sigmoid": (_sigmoid, ()),
    "elu": (lambda x, a: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))), (1.0,)),
    "gelu": (lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2, ()),
    "silu": (lambda x: x * _sigmoid(x), ()),
    "softplus": (lambda x: np.logaddexp(0, x), ()),
    "snake": (lambda x, a: x + np.sin(a * x) ** 2 / a if a else x, (1.0,)),
    "glu": (_glu, ()),
}
"""Nonlinear stages by name: the function, and the defaults of its parameters."""


@dataclass(frozen=True)
class Pointwise:
    """A nonlinear map of each sample: it keeps where lines are, and voids what is known of their level.

    Parameters
    ----------
    name : str
        One of `dspref.chain.POINTWISE`, as "relu", "leaky", "tanh".
    parameters : tuple of float
        As (0.2,) for "leaky"; those that are left out are Torch's.

    Raises
    ------
    ValueError
        If the name is unknown, or there are too many parameters.
    NotAnalysable
        By ``normal``: it is not linear.

    Examples
    --------
    >>> Pointwise("leaky", (0.5,))(np.array([[-2.0, 2.0]]))
    array([[-1.,  2.]])
    """

    name: str
    parameters: tuple[float, ...] = ()
    factor: ClassVar[int] = 1
    length: ClassVar[None] = None
    bias_phases: ClassVar[None] = None
    in_channels: ClassVar[None] = None
    out_channels: ClassVar[None] = None

    def __post_init__(self) -> None:
        as_choice("pointwise map", self.name, POINTWISE)
        defaults = POINTWISE[self.name][1]
        if len(self.parameters) > len(defaults):
            allowed = f"at most {len(defaults)} for {self.name}"
            raise ValueError(complaint("parameters", len(self.parameters), allowed))
        as_numbers(f"parameters of {self.name}", self.parameters or 0)
        full = tuple(float(p) for p in self.parameters) + defaults[len(self.parameters) :]
        object.__setattr__(self, "parameters", full)

    @property
    def op(self) -> str:
        """The name of the map."""
        return self.name

    def __call__(self, x: ArrayLike) -> Array:
        """Return the map of a signal (..., channel, time); "glu" halves the channels."""
        return np.asarray(POINTWISE[self.name][0](as_signal(x), *self.parameters))

    @property
    def normal(self) -> StretchFilter:
        """Refuse: a nonlinear map is no filter."""
        raise NotAnalysable(
            complaint("normal form", self.name, "a chain of linear layers", "ask for its lines instead")
        )


Stage: TypeAlias = Layer | Outline | Pointwise


@dataclass(frozen=True)
class Chain:
    """Layers one after another, first to last.

    Parameters
    ----------
    stages : iterable of layers, `Outline` (no weights) and `Pointwise`

    Raises
    ------
    TypeError
        If something is no such stage.
    ValueError
        If a layer gives other channels than the next takes, as far as they are known.

    Examples
    --------
    >>> from dspref import Nearest
    >>> Chain([Nearest(2), Nearest(3)]).collapse().h
    array([1, 1, 1, 1, 1, 1])
    """

    stages: tuple[Stage, ...]

    def __init__(self, stages: Iterable[Stage]) -> None:
        object.__setattr__(self, "stages", _checked(stages))

    def __call__(self, x: ArrayLike) -> Array:
        """Return the output for a signal (..., channel, time), each stage by its own definition."""
        return reduce(lambda signal, stage: stage(signal), self.stages, as_signal(x))

    @property
    def factor(self) -> int:
        """S, the product of the factors."""
        for stage in self.stages:
            if getattr(stage, "align_corners", False):
                got = f"{stage.op} x{stage.factor} with align_corners=True"
                hint = "use align_corners=False: with corners aligned, positions move with the length"
                raise NotAnalysable(complaint("rate of a chain", got, "a fixed grid of positions", hint))
            if isinstance(stage.factor, Fraction):
                hint = "cut the chain after its last decimating layer"
                raise NotAnalysable(complaint("factor of a chain", f"{stage.op} at {stage.factor}", "integers", hint))
        return math.prod(int(stage.factor) for stage in self.stages)

    @property
    def upsamplers(self) -> tuple[tuple[int, Stage], ...]:
        """The layers that raise the rate, as (place in the chain, layer), in order."""
        return tuple((place, stage) for place, stage in enumerate(self.stages) if stage.factor > 1)

    @property
    def affine(self) -> bool:
        """Whether every stage is linear with known weights, up to a bias."""
        return not any(isinstance(stage, (Pointwise, Outline)) for stage in self.stages)

    def rates(self, sr: Fraction | float) -> tuple[Fraction, ...]:
        """Return the rate in Hz at the input of each stage and, last, at the output (`sr`).

        Eq. 2.6.

        Examples
        --------
        >>> from dspref import Nearest
        >>> [str(rate) for rate in Chain([Nearest(2), Nearest(2)]).rates(32000)]
        ['8000', '16000', '32000']
        """
        rate = Fraction(sr) / self.factor
        return (rate, *(rate := rate * stage.factor for stage in self.stages))

    def collapse(self) -> StretchFilter:
        """Return the one stretch + filter that the chain is in the steady state, biases apart (Eq. 1.6)."""
        if not self.stages:
            return StretchFilter(1, np.ones(1, int))
        return reduce(lambda first, then: then @ first, (_normal(stage) for stage in self.stages))

    @property
    def in_channels(self) -> int | None:
        """Channels that the chain takes; None if it treats every channel alike, or nothing says how many."""
        for stage in self.stages:
            if stage.in_channels is not None or not _keeps_channels(stage):
                return stage.in_channels
        return None

    def checked_offset(self, offset: ArrayLike) -> Array:
        """Return an offset as an array () or (in,), if the chain can take it."""
        mean, inner = as_numbers("offset", offset), self.in_channels
        if mean.ndim > 1 or mean.size == 0:
            raise ValueError(complaint("offset", f"shape {mean.shape}", "a number, or one number per channel"))
        if mean.ndim and inner is not None and mean.size != inner:
            raise ValueError(complaint("offset", f"{mean.size} channels", f"{inner}, as the first layer"))
        return mean

    def offset_response(self, offset: ArrayLike = 1) -> Array:
        """Return one period of the steady output for a constant input: input offset and every bias at work.

        Eq. 2.8.

        Parameters
        ----------
        offset : number, or array (in,)

        Returns
        -------
        array (out, S), sample m of the output standing at m mod S; exact for exact numbers.
        """
        mean = self.checked_offset(offset)
        period = np.broadcast_to(mean, self.in_channels or mean.size)[:, None]
        for stage in self.stages:
            period = periodic_response(_normal(stage), period)
            if stage.bias_phases is not None:
                b = np.tile(stage.bias_phases, period.shape[-1] // stage.bias_phases.shape[-1])
                period = np.add(*align(period, b))
        return period


def as_chain(source: Chain | Stage | StretchFilter) -> Chain:
    """Return a stage or a stretch + filter as the chain that it is.

    Examples
    --------
    >>> as_chain(StretchFilter(2, [1, 1])).stages[0].op
    'filter'
    """
    if isinstance(source, StretchFilter):
        source = FilterInterp(source.L, source.h, offset=source.offset, excess=source.excess)
    return source if isinstance(source, Chain) else Chain([source])


_OFFERED = frozenset(("op", "factor", "length", "normal", "bias_phases", "in_channels", "out_channels"))


def _checked(stages: Any) -> tuple[Stage, ...]:
    """Return the stages, if they are stages, and each takes the channels that the one before gives."""
    allowed = "layers, Outline and Pointwise"
    if isinstance(stages, str) or not isinstance(stages, Iterable):
        hint = "parse() reads words" if isinstance(stages, str) else "write Chain([layer])"
        raise TypeError(complaint("stages of a chain", repr(stages), f"an iterable of {allowed}", hint))
    checked = tuple(stages)
    channels, giver = None, ""
    for place, stage in enumerate(checked):
        if isinstance(stage, type) or not set(dir(stage)) >= _OFFERED:
            hint = "write *chain.stages" if isinstance(stage, Chain) else ""
            raise TypeError(complaint(f"stage {place} of a chain", repr(stage), allowed, hint))
        name = f"{stage.op} (stage {place})"
        if channels is not None and stage.in_channels not in (None, channels):
            got = f"{channels} out of {giver}"
            raise ValueError(complaint("channels of a chain", got, f"{stage.in_channels}, as {name} takes"))
        if stage.op == "glu" and channels is not None and channels % 2:
            got = f"{channels} out of {giver}"
            raise ValueError(complaint("channels of a chain", got, f"even, as {name} halves them"))
        if not _keeps_channels(stage):
            channels = channels // 2 if stage.op == "glu" and channels is not None else stage.out_channels
            giver = name
    return checked


def _keeps_channels(stage: Stage) -> bool:
    """Return whether every channel is treated alike; an outline may change them, "glu" halves them."""
    return stage.out_channels is None and stage.op != "glu" and not isinstance(stage, Outline)


def _normal(stage: Stage) -> StretchFilter:
    if isinstance(stage, Outline):
        raise NotAnalysable(complaint("levels", f"{stage.op} without weights", "layers with weights", WEIGHTS_HINT))
    return stage.normal


def periodic_response(u: StretchFilter, x: ArrayLike) -> Array:
    """Return one period of stretch + filter for a periodic input: (in, Q) → (out, QL).

    Sample n of the input lands, by tap k, at ``nL − offset + k`` modulo QL.

    Examples
    --------
    >>> periodic_response(StretchFilter(2, [1, 10, 100]), np.array([[1, 2]]))
    array([[201,  10, 102,  20]])
    """
    h, x = align(u.h, np.asarray(x))
    Q = x.shape[-1]
    y = np.zeros((h.shape[0] if h.ndim == 3 else x.shape[0], Q * u.L), x.dtype)
    landing = u.L * np.arange(Q) - u.offset
    for k in range(h.shape[-1]):
        y[:, (landing + k) % (Q * u.L)] += h[k] * x if h.ndim == 1 else h[:, :, k] @ x
    return y
