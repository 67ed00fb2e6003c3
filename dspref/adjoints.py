"""Adjoints: the gradients of Σ g·layer(x) by input, weight and bias, each by definition.

A layer of kernels is a derivative of one trilinear form (`dspref.trilinear`); its gradients are the others. What
is linear in x alone has the transpose of its matrix. Nothing is conjugated: complex numbers are transposed too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import singledispatch
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, align, as_choice, as_numbers, as_signal, complaint, value
from dspref.chain import Chain, Pointwise
from dspref.interpolate import Interpolate
from dspref.interpolators import FilterInterp, Linear, Nearest
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.multirate import check_border, extend, polyphase, window
from dspref.operators import joint_real, line_positions
from dspref.resize import resize_adjoint
from dspref.trilinear import Trilinear

WRT = ("input", "weight", "bias")
"""What a layer may be differentiated by."""


@value
class Gradients:
    """The gradients of Σ g·layer(x): None for what was not asked for, or what the layer does not have.

    Parameters
    ----------
    input : array (..., in, time)
    weight : array, of the shape of the layer's weight (or taps)
        Summed over leading axes.
    bias : array (out,), or (out·L,) of a sub-pixel convolution

    Examples
    --------
    >>> from dspref import Nearest, adjoint
    >>> adjoint(Nearest(2), [[1, 2]], [[1, 10, 100, 1000]])
    Gradients(input=array([[  11, 1100]]), weight=None, bias=None)
    """

    input: Array | None = None
    weight: Array | None = None
    bias: Array | None = None


def adjoint(layer: Any, x: ArrayLike, g: ArrayLike, *, wrt: Iterable[str] = WRT) -> Gradients:
    """Return the gradients of ``Σ g·layer(x)`` by input, weight and bias.

    For the layer ``y[o, ns + kd − p] += w[i, o, k] x[i, n]``, plus the bias, for instance,

        x̄[i, n]    = Σ_o Σ_k w[i, o, k] g[o, ns + kd − p]
        w̄[i, o, k] = Σ_n x[i, n] g[o, ns + kd − p]
        b̄[o]       = Σ_t g[o, t]

    and what a border rule took from several places is added up in the sample that it came from.

    Eq. 7.7.

    Parameters
    ----------
    layer : layer of dspref, Pointwise (relu, leaky) or Chain
        Of a chain the gradient by its input; `stage_adjoints` has those of its stages.
    x : array (..., in, time)
    g : array (..., out, time'), of the shape of the output
    wrt : subset of {'input', 'weight', 'bias'}
        Which to compute.

    Returns
    -------
    Gradients
        In the arithmetic of the arrays: exact for integers, Fractions and SymPy.

    Raises
    ------
    ValueError
        If g has not the shape of the output, or the layer refuses x.
    NotAnalysable
        For other nonlinear maps.

    Examples
    --------
    >>> from dspref import TransposedConv
    >>> layer = TransposedConv([[[1, 2, 3]]], stride=2, bias=[0])
    >>> adjoint(layer, [[1, 10]], [[1, 0, 0, 0, 1]])
    Gradients(input=array([[1, 3]]), weight=array([[[ 1,  0, 10]]]), bias=array([2]))
    """
    names = (wrt,) if isinstance(wrt, str) else wrt
    wanted = frozenset(as_choice("wrt", name, WRT) for name in names)
    signal = as_signal(x, getattr(layer, "in_channels", None))
    return gradients_of(layer, signal, as_numbers("gradient", g), wanted)


@singledispatch
def gradients_of(layer: Any, x: Array, g: Array, wrt: frozenset[str]) -> Gradients:
    """Return what `adjoint` does, its arrays checked, for one type of layer.

    The rules stand below. A layer elsewhere has its own by ``@gradients_of.register``: a function of these four
    that checks g by `as_gradient`, and computes what `wrt` names by `collect`.
    """
    allowed = "a layer of dspref, relu or leaky, or a Chain of them"
    hint = "for a layer of your own, register a rule by dspref.adjoints.gradients_of.register"
    raise NotAnalysable(complaint("adjoint", f"{type(layer).__name__} {layer!r}"[:200], allowed, hint))


def as_gradient(g: Array, x: Array, channels: int | None, length: int) -> Array:
    """Return g, if it has the shape of the output: (..., channels, length), channels None for those of x."""
    time = x.shape[-1]
    if length < 0 or (length == 0 and time):
        raise ValueError(complaint(f"output length for {time} input samples", length, "at least 1"))
    shape = (*x.shape[:-2], x.shape[-2] if channels is None else channels, length)
    if g.shape != shape:
        raise ValueError(complaint("gradient", f"shape {g.shape}", f"{shape}, as the output", "g weighs every output"))
    return g


def collect(wrt: frozenset[str], **makers: Callable[[], Array]) -> Gradients:
    """Return the gradients that are asked for, each made only then."""
    return Gradients(**{name: make() for name, make in makers.items() if name in wrt})


def scattered(v: Array, source: Array, time: int) -> Array:
    """Return ``x̄[n] = Σ v[m]`` over all m with ``source[m] = n``: the adjoint of ``x[source]``.

    Examples
    --------
    >>> scattered(np.array([[1, 10, 100]]), np.array([2, 0, 2]), 4)
    array([[ 10,   0, 101,   0]])
    """
    x = np.zeros((*v.shape[:-1], time), v.dtype)
    if source.size:
        order = np.argsort(source, kind="stable")
        places, first = np.unique(source[order], return_index=True)
        x[..., places] = np.add.reduceat(v[..., order], first, axis=-1)
    return x


@gradients_of.register
def _(layer: TransposedConv, x: Array, g: Array, wrt: frozenset[str]) -> Gradients:
    time, w = x.shape[-1], layer.weight
    form = Trilinear(layer.length, layer.stride, layer.dilation, layer.groups)
    reach = layer.dilation * (layer.length - 1)
    length = (time - 1) * layer.stride - 2 * layer.padding + reach + layer.output_padding + 1
    g = as_gradient(g, x, layer.out_channels, length)
    high = window(g, -layer.padding, form.span(time))
    return collect(
        wrt,
        input=lambda: form.by_low(w, high, time),
        weight=lambda: form.by_kernel(x, high),
        **_bias(layer, g),
    )


@gradients_of.register
def _(layer: Conv, x: Array, g: Array, wrt: frozenset[str]) -> Gradients:
    g = as_gradient(g, x, layer.out_channels, _conv_length(layer, x.shape[-1], layer.stride))
    return _conv(layer, x, g, wrt, layer.stride)


@gradients_of.register
def _(layer: SubpixelConv, x: Array, g: Array, wrt: frozenset[str]) -> Gradients:
    L = layer.factor
    g = as_gradient(g, x, layer.out_channels, L * _conv_length(layer, x.shape[-1], 1))
    return _conv(layer, x, polyphase(g, L, order=layer.order), wrt, 1)


def _conv_length(layer: Conv | SubpixelConv, time: int, stride: int) -> int:
    """Return the output length at the low rate, refusing what the border rule refuses."""
    length = (time + sum(layer.pads) - layer.dilation * (layer.length - 1) - 1) // stride + 1
    if length > 0:
        check_border(time, *layer.pads, layer.padding_mode)
    return length


def _conv(layer: Conv | SubpixelConv, x: Array, g: Array, wrt: frozenset[str], stride: int) -> Gradients:
    """Return the gradients of ``y[o, t] = Σ_i Σ_k w[o, i, k] x̃[i, ts + kd − p] + b[o]``."""
    time, w, border = x.shape[-1], layer.weight, layer.padding_mode
    form = Trilinear(layer.length, stride, layer.dilation, layer.groups)
    left, right = layer.pads if g.shape[-1] else (0, 0)

    def folded(x: Array) -> Array:
        """Add what stands in the border to the samples that it was taken from."""
        if border == "zeros" or left == right == 0:
            return window(x, left, time)
        return scattered(x, extend(np.arange(time), left, right, border=border), time)

    return collect(
        wrt,
        input=lambda: folded(form.by_high(w, g, left + time + right)),
        weight=lambda: form.by_kernel(g, extend(x, left, right, border=border)),
        **_bias(layer, g),
    )


def _bias(layer: Conv | SubpixelConv | TransposedConv, g: Array) -> dict[str, Callable[[], Array]]:
    """Return how to sum g by channel, if the layer has a bias."""
    over = (*range(g.ndim - 2), g.ndim - 1)
    return {} if layer.bias is None else {"bias": lambda: np.asarray(g.sum(axis=over))}


@gradients_of.register
def _(layer: FilterInterp, x: Array, g: Array, wrt: frozenset[str]) -> Gradients:
    """From ``y[m] = Σ_n h[m + offset − nL] x[n]``: tap k of sample n stands at m = nL + k − offset."""
    time, h = x.shape[-1], layer.taps
    form = Trilinear(layer.length, layer.factor)
    g = as_gradient(g, x, layer.out_channels, layer.factor * time + layer.excess)
    high = window(g, -layer.offset, form.span(time))
    if h.ndim == 1:  # every channel filtered alike: channels are further signals
        return collect(
            wrt,
            input=lambda: form.by_low(h[None, None], high[..., None, :], time)[..., 0, :],
            weight=lambda: form.by_kernel(x[..., None, :], high[..., None, :])[0, 0],
        )
    return collect(
        wrt,
        input=lambda: form.by_low(h.swapaxes(0, 1), high, time),
        weight=lambda: form.by_kernel(x, high).swapaxes(0, 1),
    )


@gradients_of.register
def _(layer: Nearest, x: Array, g: Array, wrt: frozenset[str]) -> Gradients:
    g = as_gradient(g, x, None, layer.factor * x.shape[-1])
    return collect(wrt, input=lambda: np.asarray(g.reshape(*x.shape, layer.factor).sum(axis=-1)))


@gradients_of.register
def _(layer: Linear, x: Array, g: Array, wrt: frozenset[str]) -> Gradients:
    """From ``y[m] = (1 − λ) x[i] + λ x[i + 1]``, λ as exact as the numbers."""
    time = x.shape[-1]
    _, g = align(x, as_gradient(g, x, None, layer.factor * time))
    i, part, by = line_positions(time, layer.factor, align_corners=layer.align_corners)
    exact = g.dtype.kind == "O"
    λ = part.astype(object) * Fraction(1, by) if exact else (part / by).astype(joint_real(g))
    after = np.minimum(i + 1, time - 1)
    return collect(wrt, input=lambda: scattered((1 - λ) * g, i, time) + scattered(λ * g, after, time))


@gradients_of.register
def _(layer: Interpolate, x: Array, g: Array, wrt: frozenset[str]) -> Gradients:
    time = x.shape[-1]
    _, g = align(x, as_gradient(g, x, None, layer.out_length(time)))
    corners = layer.align_corners
    return collect(wrt, input=lambda: resize_adjoint(g, layer.mode, time, scale=layer.ratio, align_corners=corners))


@gradients_of.register
def _(layer: Pointwise, x: Array, g: Array, wrt: frozenset[str]) -> Gradients:
    """Take the derivative at 0 from the left, as Torch does: 0, or the slope."""
    if layer.name not in ("relu", "leaky"):
        raise NotAnalysable(complaint("adjoint", layer.name, "relu, leaky", "differentiate the layers around it"))
    slope = layer.parameters[0] if layer.parameters else 0
    g = as_gradient(g, x, None, x.shape[-1])
    return collect(wrt, input=lambda: np.where(x > 0, g, slope * g))


@gradients_of.register
def _(layer: Chain, x: Array, g: Array, wrt: frozenset[str]) -> Gradients:
    if layer.stages:
        return collect(wrt, input=lambda: np.asarray(stage_adjoints(layer, x, g, wrt="input")[0].input))
    return collect(wrt, input=lambda: as_gradient(g, x, None, x.shape[-1]))


def stage_adjoints(chain: Chain, x: ArrayLike, g: ArrayLike, *, wrt: Iterable[str] = WRT) -> tuple[Gradients, ...]:
    """Return the `adjoint` of each stage of a chain, first to last, by the chain rule.

    Each stage is differentiated at the signal that it was given, with the gradient that the stages after it
    hand back; the gradients by input are always there.

    Examples
    --------
    >>> from dspref import Conv, Nearest
    >>> first, then = stage_adjoints(Chain([Nearest(2), Conv([[[1, 10]]])]), [[1, 2]], [[1, 1, 1]])
    >>> first.input, then.input, then.weight
    (array([[12, 21]]), array([[ 1, 11, 11, 10]]), array([[[4, 5]]]))
    """
    names = {"input", *((wrt,) if isinstance(wrt, str) else wrt)}
    signals = [*accumulate(chain.stages[:-1], lambda s, stage: stage(s), initial=as_signal(x, chain.in_channels))]
    found: list[Gradients] = []
    for stage, signal in zip(reversed(chain.stages), reversed(signals), strict=False):
        found.append(adjoint(stage, signal, g, wrt=names))
        g = np.asarray(found[-1].input)
    return tuple(reversed(found))
