"""From an architecture in words to a network before training: words say kernels and rates, the rest is asked for.

Channels are counted where layers meet: those of the input, then those that each layer with a kernel hands on. In
front of GLU a layer makes twice as many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from dspref.arrays import NotAnalysable, as_integer, complaint
from dspref.chain import Chain, Pointwise, Stage
from dspref.expected.filters import fixed
from dspref.expected.graph import INPUT, Network, Node, Op
from dspref.expected.laws import initialised
from dspref.expected.network import Drawn, Unknown
from dspref.outline import KERNELS, Outline
from dspref.spec import outlined, token

FIRST = 512
"""Channels of the input, where none are said."""


def network_of(
    chain: Chain,
    channels: Sequence[int] | None = None,
    *,
    init: str = "default",
    scale: float = 1.0,
    bias: Any = None,
) -> Network:
    """Return the network of an architecture, all kernels drawn by one law.

    Parameters
    ----------
    chain : Chain
        Of layers that have weights, only the shapes count. Heads, and interpolation of another grid, are `Unknown`.
    channels : sequence of int, optional
        C₀, …, C_N for N layers with kernels: of the input, and behind each of them (and its GLU, if one follows).
        By default `default_channels`.
    init, scale, bias
        As in `initialised`; "icnr" concerns sub-pixel convolutions alone, other layers keep Torch's default.

    Returns
    -------
    Network
        Its places are named by number and word, as "3 convt".

    Raises
    ------
    ValueError
        If the channels do not fit, or the weights have no finite variance > 0.

    Examples
    --------
    >>> from dspref import parse
    >>> net = network_of(parse("conv k3 p1 | glu | convt k8 s4 | nearest x2"), [64, 32, 1])
    >>> [(node.name, getattr(node.op, "outputs", "")) for node in net]
    [('1 conv', 64), ('2 glu', ''), ('3 convt', 1), ('4 nearest', '')]
    """
    widths = default_channels(chain) if channels is None else _fitting(chain, channels)
    names = [INPUT, *(f"{i} {stage.op}" for i, stage in enumerate(chain.stages, 1))]
    ops = _ops(chain, list(pairwise(widths)), init, scale, bias)
    return Network(tuple(Node(name, op, (before,)) for (before, name), op in zip(pairwise(names), ops, strict=True)))


def default_channels(chain: Chain) -> tuple[int, ...]:
    """Return 512 channels of input, halved by every layer that raises the rate, and one at the end.

    Interpolation has no channels of its own: the convolution behind it halves them.

    Examples
    --------
    >>> from dspref import parse
    >>> default_channels(parse("conv k7 p3 | convt k16 s8 p4 | nearest x2 | conv k3 p1 | conv k7 p3"))
    (512, 512, 256, 128, 1)
    """
    found, raised = [FIRST], 0
    for stage in chain.stages:
        raised += _raises(stage)
        if _kernel(stage) is not None:
            found.append(max(1, FIRST >> raised))
    return (*found[:-1], 1)


def _raises(stage: Stage) -> bool:
    """Return whether a layer raises the rate; interpolation to a size has none."""
    return getattr(stage, "size", None) is None and stage.factor > 1


def _fitting(chain: Chain, channels: Sequence[int]) -> tuple[int, ...]:
    """Return channels, if there are as many as there are places between layers."""
    due = 1 + sum(_kernel(stage) is not None for stage in chain.stages)
    if len(channels) != due:
        allowed = f"{due}: those of the input, and behind each layer with a kernel"
        hint = f"by default {','.join(map(str, default_channels(chain)))}"
        raise ValueError(complaint("channels", f"{len(channels)} numbers", allowed, hint))
    return tuple(as_integer("channels", C, 1) for C in channels)


def _kernel(stage: Stage) -> Outline | None:
    """Return the outline of a layer whose kernel is drawn."""
    if isinstance(stage, Outline):
        return stage if stage.op in KERNELS else None
    known = outlined(stage) if stage.out_channels is not None else None  # one filter for all channels is not drawn
    return known if known is not None and known.op in KERNELS else None


def _ops(chain: Chain, widths: list[tuple[int, int]], init: str, scale: float, bias: Any) -> Iterator[Op]:
    between = iter(widths)
    following = [*(stage.op for stage in chain.stages[1:]), ""]
    for stage, then in zip(chain.stages, following, strict=True):
        if (known := _kernel(stage)) is not None:
            inputs, outputs = next(between)
            layer = _drawn(known, inputs, 2 * outputs if then == "glu" else outputs)
            law = "default" if init == "icnr" and known.op != "shuffle" else init
            yield initialised(layer, law, scale=scale, bias=bias)
        else:
            yield stage if isinstance(stage, Pointwise) else _filter(stage)


def _drawn(outline: Outline, inputs: int, outputs: int) -> Drawn:
    sizes = (inputs, outputs, outline.length, outline.stride, outline.dilation, outline.padding, outline.groups)
    return Drawn(outline.op, *sizes)


def _filter(stage: Stage) -> Op:
    """Return an interpolator as the filter that it is; what is none is not covered."""
    try:
        return fixed(stage)
    except (NotAnalysable, TypeError):
        return Unknown(token(stage))
