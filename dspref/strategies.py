"""Hypothesis strategies: layers, chains and signals for your own property tests.

Every layer drawn is legal, and every signal drawn for it has an output. Layers come from the corners of
`dspref.strata` (groups of several channels, gaps between stamps, kernels longer than their padding, …) about as
often as from anywhere else. Counter-examples shrink to the smallest layer and the shortest signal; numbers come
from one drawn seed, and that of the smallest example counts 1, 2, 3, ….

>>> from hypothesis import given
>>> @given(cases("convt", max_factor=4))
... def test_length(case: Case) -> None:
...     layer, x = case
...     assert layer(x).shape[-1] == layer.normal.length(x.shape[-1])
>>> test_length()

Needs Hypothesis: ``pip install dspref[test]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np

from dspref.arrays import Array, NotAnalysable, as_choice, as_integer, complaint
from dspref.chain import POINTWISE, Chain, Pointwise, Stage
from dspref.corners import NUMBERS, Case, Limits
from dspref.drawing import KINDS, any_case, any_chain, corner, makers, st
from dspref.layers import Layer
from dspref.outline import WEIGHTS_HINT, Outline

__all__ = [
    "Case",
    "cases",
    "chains",
    "convs",
    "corner",
    "inputs",
    "interpolators",
    "layers",
    "shortest",
    "signals",
    "subpixel_convs",
    "transposed_convs",
]

_LONGEST = 4096
_INTERPOLATORS = ("nearest", "linear", "filter")


def cases(
    kind: str | Sequence[str] | None = None,
    *,
    channels: int | None = None,
    max_factor: int | None = None,
    numbers: str = "integer",
    native_only: bool = False,
    any_shape: bool = False,
) -> st.SearchStrategy[Case]:
    """Return layers, each with a legal input.

    Parameters
    ----------
    kind, channels, max_factor, numbers, native_only
        As for `layers`.
    any_shape : bool
        Whether inputs may also have no batch axis, two of them, no item, or no sample, as the reference
        takes them; else they are (batch, channel, time), as Torch takes them.

    Returns
    -------
    strategy of Case

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(cases(numbers="real"))
    ... def test(case: Case) -> None:
    ...     assert case.layer(case.x).ndim == case.x.ndim == 3
    >>> test()
    """
    limits = _limits(channels, max_factor, numbers, any_shape=any_shape)
    return any_case(_kinds(kind), limits, numbers, native_only)


def layers(
    kind: str | Sequence[str] | None = None,
    *,
    channels: int | None = None,
    max_factor: int | None = None,
    numbers: str = "integer",
    native_only: bool = False,
) -> st.SearchStrategy[Layer]:
    """Return layers, the smallest first.

    Parameters
    ----------
    kind : str or several, optional
        Of "nearest", "linear", "filter", "conv", "shuffle", "convt"; all by default.
    channels : int, optional
        Input channels; by default between 1 and 4.
    max_factor : int, optional
        Largest upsampling factor.
    numbers : {'integer', 'real'}
        Weights: whole numbers in ±4, whose sums are exact in every arithmetic, or normal noise (float64).
    native_only : bool
        Whether layers may be drawn that have no normal form: decimating convolutions, aligned corners.

    Returns
    -------
    strategy of Layer

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(layers(["convt", "shuffle"], channels=2, max_factor=4))
    ... def test(layer: Layer) -> None:
    ...     assert layer.in_channels == 2 and 1 <= layer.factor <= 4
    >>> test()
    """
    drawn = any_case(_kinds(kind), _limits(channels, max_factor, numbers), numbers, native_only)
    return drawn.map(lambda case: case.layer)


def transposed_convs(**options: Any) -> st.SearchStrategy[Layer]:
    """Return transposed convolutions; options as for `layers`.

    Parameters
    ----------
    **options
        As of `layers`, without the kind.

    Returns
    -------
    strategy of TransposedConv

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(transposed_convs(channels=4))
    ... def test(layer: Layer) -> None:
    ...     assert (layer.op, layer.in_channels) == ("convt", 4)
    >>> test()
    """
    return layers("convt", **options)


def convs(**options: Any) -> st.SearchStrategy[Layer]:
    """Return convolutions; options as for `layers`.

    Parameters
    ----------
    **options
        As of `layers`, without the kind.

    Returns
    -------
    strategy of Conv

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(convs(native_only=True))
    ... def test(layer: Layer) -> None:
    ...     assert layer.op == "conv" and layer.factor <= 1
    >>> test()
    """
    return layers("conv", **options)


def subpixel_convs(**options: Any) -> st.SearchStrategy[Layer]:
    """Return sub-pixel convolutions; options as for `layers`.

    Parameters
    ----------
    **options
        As of `layers`, without the kind.

    Returns
    -------
    strategy of SubpixelConv

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(subpixel_convs())
    ... def test(layer: Layer) -> None:
    ...     assert layer.op == "shuffle"
    >>> test()
    """
    return layers("shuffle", **options)


def interpolators(**options: Any) -> st.SearchStrategy[Layer]:
    """Return nearest, linear and filter interpolation; options as for `layers`.

    Parameters
    ----------
    **options
        As of `layers`, without the kind.

    Returns
    -------
    strategy of Layer

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(interpolators(max_factor=1))
    ... def test(layer: Layer) -> None:
    ...     assert layer.factor == 1 and layer.bias_phases is None
    >>> test()
    """
    return layers(_INTERPOLATORS, **options)


def chains(
    kind: str | Sequence[str] | None = None,
    *,
    max_layers: int = 3,
    channels: int | None = None,
    max_factor: int = 16,
    numbers: str = "integer",
    pointwise: Sequence[str] = (),
) -> st.SearchStrategy[Chain]:
    """Return chains of layers whose channels meet.

    Parameters
    ----------
    kind, channels, numbers
        As for `layers`; `channels` are those of the input.
    max_layers : int
        At most so many layers, and at least one.
    max_factor : int
        Largest product of the factors.
    pointwise : sequence of str
        Maps that may stand behind a layer, as ("leaky", "tanh"); not "glu", which halves the channels.

    Returns
    -------
    strategy of Chain

    Raises
    ------
    ValueError
        If a kind or map is unknown, or a limit is not in range.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(chains(max_factor=8))
    ... def test(chain: Chain) -> None:
    ...     assert chain.collapse().L == chain.factor <= 8
    >>> test()
    """
    maps = [as_choice("pointwise map", name, [n for n in POINTWISE if n != "glu"]) for name in pointwise]
    max_layers = as_integer("max_layers", max_layers, 1)
    limits = _limits(channels, max_factor, numbers)
    return any_chain(_kinds(kind), max_layers, limits, numbers, [None, *map(Pointwise, maps)])


def signals(
    channels: int, *, min_time: int = 1, max_time: int = 32, numbers: str = "integer"
) -> st.SearchStrategy[Array]:
    """Return signals (batch, channel, time) of 1 to 3 items.

    Parameters
    ----------
    channels : int
    min_time, max_time : int
        In samples.
    numbers : {'integer', 'real'}

    Returns
    -------
    strategy of array (batch, channel, time)

    Raises
    ------
    ValueError
        If a count is not in range, or the kind of numbers unknown.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(signals(2, max_time=5))
    ... def test(x: Array) -> None:
    ...     assert x.shape[1] == 2 and 1 <= x.shape[2] <= 5
    >>> test()
    """
    channels, min_time = as_integer("channels", channels, 1), as_integer("min_time", min_time, 0)
    max_time = as_integer("max_time", max_time, min_time)
    shapes = st.tuples(st.integers(1, 3), st.just(channels), st.integers(min_time, max_time))
    return st.builds(lambda shape, make: make(shape), shapes, makers(as_choice("numbers", numbers, NUMBERS)))


def inputs(layer: Stage | Chain, *, max_time: int | None = None, numbers: str = "integer") -> st.SearchStrategy[Array]:
    """Return signals (batch, channel, time) that a layer or chain takes.

    Parameters
    ----------
    layer : layer or Chain
    max_time : int, optional
        By default 15 samples more than the fewest that it takes (`shortest`).
    numbers : {'integer', 'real'}

    Returns
    -------
    strategy of array (batch, channel, time)

    Raises
    ------
    ValueError
        If the longest is shorter than the layer takes.

    Examples
    --------
    >>> from dspref import Conv
    >>> from hypothesis import given
    >>> @given(inputs(Conv([[[1, 1, 1]]])))
    ... def test(x: Array) -> None:
    ...     assert x.shape[-1] >= 3
    >>> test()
    """
    least = shortest(layer)
    most = least + 15 if max_time is None else as_integer("max_time", max_time, least, f"it takes {least} or more")
    return signals(layer.in_channels or 1, min_time=least, max_time=most, numbers=numbers)


def shortest(layer: Stage | Chain) -> int:
    """Return the fewest input samples for which a layer or chain gives at least one.

    Parameters
    ----------
    layer : layer or Chain, with weights

    Returns
    -------
    int
        Samples.

    Raises
    ------
    NotAnalysable
        If there are no weights.

    Examples
    --------
    >>> from dspref import Conv, Nearest
    >>> shortest(Conv([[[1, 1, 1]]])), shortest(Nearest(2))
    (3, 1)
    """
    if any(isinstance(stage, Outline) for stage in (layer.stages if isinstance(layer, Chain) else (layer,))):
        raise NotAnalysable(complaint("layer", "one without weights", "layers with weights", WEIGHTS_HINT))
    channels = layer.in_channels or 1
    return next(time for time in count(1) if _takes(layer, np.zeros((channels, time))))


def _takes(layer: Stage | Chain, x: Array) -> bool:
    """Return whether there is an output; every law of lengths gives one for an input that is long enough."""
    try:
        return bool(layer(x).shape[-1] > 0)
    except ValueError:
        if x.shape[-1] >= _LONGEST:
            raise
        return False


def _kinds(kind: str | Sequence[str] | None) -> tuple[str, ...]:
    words = KINDS if kind is None else (kind,) if isinstance(kind, str) else tuple(kind)
    if not words:
        raise ValueError(complaint("kind", "none", ", ".join(KINDS)))
    return tuple(sorted((as_choice("kind", word, KINDS) for word in words), key=KINDS.index))


def _limits(channels: int | None, max_factor: int | None, numbers: str, *, any_shape: bool = False) -> Limits:
    as_choice("numbers", numbers, NUMBERS)
    channels = None if channels is None else as_integer("channels", channels, 1)
    max_factor = None if max_factor is None else as_integer("max_factor", max_factor, 1)
    return Limits(channels, max_factor, any_shape)
