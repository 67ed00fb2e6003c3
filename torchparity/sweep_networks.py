"""A network of an architecture in words: channels, the law of its weights, and biases as they are said."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dspref.arrays import as_choice, complaint
from dspref.chain import Chain, Stage
from dspref.expected.laws import LAWS
from dspref.outline import HEADS, KERNELS, Outline
from torchparity.build import build
from torchparity.heads import head_channels, head_module
from torchparity.nn import SubpixelConv1d
from torchparity.nn.init import icnr_

INITS: dict[str, Callable[[Tensor, float], Any]] = {
    "kaiming": lambda w, gain: nn.init.kaiming_uniform_(w, nonlinearity="linear").mul_(gain),
    "kaiming_normal": lambda w, gain: nn.init.kaiming_normal_(w, nonlinearity="linear").mul_(gain),
    "xavier": nn.init.xavier_uniform_,
    "xavier_normal": nn.init.xavier_normal_,
    "normal": lambda w, deviation: nn.init.normal_(w, 0, deviation),
    "uniform": lambda w, bound: nn.init.uniform_(w, -bound, bound),
    "orthogonal": nn.init.orthogonal_,
}
"""What fills a weight by a law and its scale; "default" leaves it as Torch made it, "icnr" repeats that kernel."""


def drawn_network(
    chain: Chain, channels: Sequence[int], *, init: str = "default", scale: float = 1.0, bias: bool = True
) -> nn.Sequential:
    """Return the network of an architecture, its weights drawn: what `dspref.expected.outlined.network_of` predicts.

    Parameters
    ----------
    chain : Chain
    channels : sequence of int
        C₀, …, C_N for N layers with kernels: of the input, and behind each of them. In front of "glu" a layer makes
        twice as many, and in front of a head as many as the head takes.
    init, scale : str, float
        As for `dspref.expected.initialised`, orthogonal ones too.
    bias : bool
        Whether layers have biases, Torch's default ones.

    Raises
    ------
    ValueError
        If the channels do not fit; for "glu" behind anything but a layer with a kernel, and a head that no such layer
        stands in front of.

    Examples
    --------
    >>> from dspref import parse
    >>> net = drawn_network(parse("convt k16 s8 p4 | relu | shuffle x2 k3 p1"), (8, 4, 1), init="icnr", bias=False)
    >>> net(torch.ones(1, 8, 5)).shape, len(list(net.parameters()))
    (torch.Size([1, 1, 80]), 2)
    """
    as_choice("initialisation", init, LAWS)
    inner, modules = channels[0], list[nn.Module]()
    for stage, outer in zip(chain.stages, _outputs(chain, channels), strict=True):
        modules.append(_module(stage, inner, outer, bias=bias))
        if init != "default" and isinstance(stage, Outline) and stage.op in KERNELS:
            _fill(modules[-1], stage, init, scale)
        inner = outer
    return nn.Sequential(*modules)


def _outputs(chain: Chain, channels: Sequence[int]) -> tuple[int, ...]:
    """Return the channels behind every stage."""
    kernels = [stage for stage in chain.stages if isinstance(stage, Outline) and stage.op in KERNELS]
    if len(channels) != 1 + len(kernels):
        allowed = f"{1 + len(kernels)}: those of the input, and behind each layer with a kernel"
        raise ValueError(complaint("channels", f"{len(channels)} numbers", allowed))
    return tuple(reversed([*_backwards(chain, list(channels))]))


def _backwards(chain: Chain, said: list[int]) -> Iterator[int]:
    """Yield the channels behind every stage, last to first: a head takes what it must, "glu" twice as many."""
    due = 0  # what the stages behind ask for; 0 if they take any number
    for place in range(len(chain.stages) - 1, -1, -1):
        stage = chain.stages[place]
        if isinstance(stage, Outline) and stage.op in KERNELS:
            own = said.pop()
            yield due if due else own
            due = 0
            continue
        yield due or said[-1]
        if isinstance(stage, Outline):
            due = head_channels(stage, out=due or 1)
        elif stage.op == "glu":
            due = 2 * (due or said[-1])
    if due:
        raise ValueError(complaint("first layer", chain.stages[0].op, "a layer with a kernel, to make its channels"))


def _module(stage: Stage, inner: int, outer: int, *, bias: bool) -> nn.Module:
    """Return the module of one stage."""
    match stage:
        case Outline(op=op) if op in HEADS:
            return head_module(stage, out=outer)
        case Outline(op="convt", length=K, stride=s, padding=p):
            return nn.ConvTranspose1d(inner, outer, K, s, p, stage.output_padding, stage.groups, bias, stage.dilation)
        case Outline(op="shuffle"):
            K, L, p, d, groups = stage.length, stage.stride, stage.padding, stage.dilation, stage.groups
            return SubpixelConv1d(inner, outer, K, L, p, d, groups, bias)
        case Outline():
            return _conv(stage, inner, outer, stage.stride, bias=bias)
    return build(stage)


def _conv(stage: Outline, inner: int, outer: int, stride: int, *, bias: bool) -> nn.Conv1d:
    return nn.Conv1d(inner, outer, stage.length, stride, stage.padding, stage.dilation, stage.groups, bias)


def _fill(module: nn.Module, stage: Outline, init: str, scale: float) -> None:
    """Draw the weight of a layer anew."""
    weight: Any = module.weight
    if init != "icnr":
        with torch.no_grad():
            INITS[init](weight, scale)
    elif stage.op == "shuffle":
        icnr_(weight, stage.stride, initialise=lambda kernel: nn.init.kaiming_uniform_(kernel, math.sqrt(5)))
