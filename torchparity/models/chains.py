"""Random one-channel networks of any chain: an architecture in words, made with weights."""

from __future__ import annotations

from torch import nn

from dspref.arrays import complaint
from dspref.chain import Chain, Stage
from dspref.outline import HEADS, Outline
from torchparity.build import build
from torchparity.heads import head_channels, head_module
from torchparity.nn import PixelShuffle1d


def random_network(chain: Chain) -> nn.Sequential:
    """Return a one-channel network of the architecture, each layer with Torch's default initialisation.

    Before a head the last convolution makes the channels that the head takes.

    Parameters
    ----------
    chain : Chain
        Of layers without weights: what `dspref.parse` reads.

    Returns
    -------
    nn.Sequential
        (batch, 1, time) ↦ (batch, 1, time · factor).

    Raises
    ------
    ValueError
        For groups, and for "glu" behind anything but a convolution, which then makes two channels; for a head that
        no convolution stands before.

    Examples
    --------
    >>> import torch
    >>> from dspref import parse
    >>> random_network(parse("conv k7 p3 | leaky 0.2 | convt k8 s4 p2"))(torch.zeros(1, 1, 50)).shape
    torch.Size([1, 1, 200])
    """
    given, widths = 1, []
    for stage in reversed(chain.stages):
        widths.append(given)
        if isinstance(stage, Outline):
            given = head_channels(stage, out=given) if stage.op in HEADS else 1
    if given > 1:
        allowed = "a convolution before a head, to make its channels"
        raise ValueError(complaint("first layer of a random network", chain.stages[0].op, allowed))
    following = [*(stage.op for stage in chain.stages[1:]), ""]
    rows = zip(chain.stages, reversed(widths), following, strict=True)
    return nn.Sequential(*(module for stage, out, then in rows for module in _modules(stage, out, then)))


def _modules(stage: Stage, out: int, then: str) -> list[nn.Module]:
    """Return the modules of one stage that gives so many channels, twice as many before "glu"."""
    out = 2 * out if then == "glu" and not (isinstance(stage, Outline) and stage.op in HEADS) else out
    match stage:
        case Outline(op=op) if op in HEADS:
            return [head_module(stage, out=out)]
        case Outline(op="conv", groups=1):
            return [nn.Conv1d(1, out, stage.length, stage.stride, stage.padding, stage.dilation)]
        case Outline(op="convt", groups=1):
            up = nn.ConvTranspose1d(
                1, out, stage.length, stage.stride, stage.padding, stage.output_padding, dilation=stage.dilation
            )
            return [up]
        case Outline(op="shuffle", groups=1):
            low = nn.Conv1d(1, out * stage.stride, stage.length, padding=stage.padding, dilation=stage.dilation)
            return [low, PixelShuffle1d(stage.stride)]
        case Outline():
            allowed = "no groups, since it has one channel"
            raise ValueError(complaint(f"groups of {stage.op} in a random network", stage.groups, allowed))
    if then == "glu":
        raise ValueError(complaint("stage before glu", stage.op, "a convolution, which makes its two channels"))
    return [build(stage)]
