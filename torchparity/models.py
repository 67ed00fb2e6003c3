"""Networks to audit: the article's MelGAN, and a random one-channel network for any chain."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from dspref.arrays import complaint
from dspref.chain import Chain, Stage
from dspref.outline import HEADS, Outline
from torchparity.build import build
from torchparity.heads import head_channels, head_module
from torchparity.nn import PixelShuffle1d


class ResidualStack(nn.Module):
    """x ↦ W x + conv₁(leaky(conv₃(leaky(x)))), the middle convolution dilated (MelGAN's residual unit)."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.LeakyReLU(0.2),
            weight_norm(nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation, padding_mode="reflect")),
            nn.LeakyReLU(0.2),
            weight_norm(nn.Conv1d(channels, channels, 1)),
        )
        self.shortcut = weight_norm(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return shortcut plus residual, of the same shape (batch, channels, time)."""
        return torch.as_tensor(self.shortcut(x) + self.block(x))


def melgan(
    *,
    channels: int = 80,
    width: int = 32,
    lengths: tuple[int, ...] = (16, 16, 4, 4),
    strides: tuple[int, ...] = (8, 8, 2, 2),
    stacks: int = 3,
    out: int = 1,
) -> nn.Sequential:
    """Return the article's MelGAN generator: (batch, channels, frames) ↦ (batch, out, 256 · frames).

    Four transposed convolutions of lengths 16, 16, 4, 4 and strides 8, 8, 2, 2, each after LeakyReLU(0.2)
    and before `stacks` residual stacks of dilations 1, 3, 9; every layer under weight norm, with Torch's
    default initialisation. `width` is the number of channels before the last convolution. The article has one channel
    of output: the channels of more are as many networks that differ in their last layer.

    Source: J. Pons et al., arXiv 2010.14356, section 1, after K. Kumar et al., NeurIPS 2019.
    """
    wide = width * 2 ** len(strides)
    layers: list[nn.Module] = [weight_norm(nn.Conv1d(channels, wide, 7, padding=3, padding_mode="reflect"))]
    for K, s in zip(lengths, strides, strict=True):
        layers.append(nn.LeakyReLU(0.2))
        up = nn.ConvTranspose1d(wide, wide // 2, K, s, padding=s // 2 + s % 2, output_padding=s % 2)
        layers.append(weight_norm(up))
        wide //= 2
        layers.extend(ResidualStack(wide, 3**j) for j in range(stacks))
    layers += [
        nn.LeakyReLU(0.2),
        weight_norm(nn.Conv1d(wide, out, 7, padding=3, padding_mode="reflect")),
        nn.Tanh(),
    ]
    return nn.Sequential(*layers)


def random_network(chain: Chain) -> nn.Sequential:
    """Return a one-channel network of the architecture, each layer with Torch's default initialisation.

    Before a head the last convolution makes the channels that the head takes.

    Raises
    ------
    ValueError
        For groups, and for "glu" behind anything but a convolution, which then makes two channels; for a head that
        no convolution stands before.
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
