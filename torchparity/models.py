"""Networks to audit: the article's MelGAN, and a random one-channel network for any chain."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from dspref.arrays import complaint
from dspref.chain import Chain, Pointwise
from dspref.interpolators import Linear, Nearest
from dspref.outline import Outline
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
) -> nn.Sequential:
    """Return the article's MelGAN generator: (batch, channels, frames) ↦ (batch, 1, 256 · frames).

    Four transposed convolutions of lengths 16, 16, 4, 4 and strides 8, 8, 2, 2, each after LeakyReLU(0.2)
    and before `stacks` residual stacks of dilations 1, 3, 9; every layer under weight norm, with Torch's
    default initialisation. `width` is the number of channels before the last convolution.

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
        weight_norm(nn.Conv1d(wide, 1, 7, padding=3, padding_mode="reflect")),
        nn.Tanh(),
    ]
    return nn.Sequential(*layers)


POINTWISE: dict[str, Callable[..., nn.Module]] = {
    "relu": nn.ReLU,
    "leaky": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
}


def random_network(chain: Chain) -> nn.Sequential:
    """Return a one-channel network of the architecture, each layer with Torch's default initialisation.

    Raises
    ------
    ValueError
        For stages that change the number of channels ("glu"), or that Torch has no module for ("snake").
    """
    return nn.Sequential(*(module for stage in chain.stages for module in _modules(stage)))


def _modules(stage: object) -> list[nn.Module]:
    match stage:
        case Outline(op="conv"):
            return [nn.Conv1d(1, 1, stage.length, stage.stride, stage.padding, stage.dilation)]
        case Outline(op="convt"):
            up = nn.ConvTranspose1d(
                1, 1, stage.length, stage.stride, stage.padding, stage.output_padding, dilation=stage.dilation
            )
            return [up]
        case Outline(op="shuffle"):
            low = nn.Conv1d(1, stage.stride, stage.length, padding=stage.padding, dilation=stage.dilation)
            return [low, PixelShuffle1d(stage.stride)]
        case Nearest():
            return [nn.Upsample(scale_factor=stage.factor, mode="nearest")]
        case Linear():
            return [nn.Upsample(scale_factor=stage.factor, mode="linear", align_corners=stage.align_corners)]
        case Pointwise(name=name) if name in POINTWISE:
            return [POINTWISE[name](*stage.parameters)]
    what = getattr(stage, "op", type(stage).__name__)
    raise ValueError(
        complaint("stage of a random network", what, "convolutions, interpolators and Torch's activations")
    )
