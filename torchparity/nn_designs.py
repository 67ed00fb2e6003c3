"""Torch twins of `dspref.designs`: Kaiser-sinc upsampling, windowed sincs, learned linear interpolation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspref.arrays import BORDERS, as_choice, as_integer, complaint
from dspref.designs import BorderInterp, LearnedLinear, kaiser_sinc, windowed_sinc
from dspref.interpolators import FilterInterp
from torchparity.dispatch import array, register
from torchparity.nn import FilterInterp1d


class KaiserUpsample1d(nn.Module):
    """Upsampling of alias-free activations, as BigVGAN has it: replicate, transposed convolution, crop.

    ``y = ratio · conv_transpose1d(pad(x), filter, stride=ratio)``, cropped to ratio·time samples; the filter is
    `dspref.designs.kaiser_sinc`. Weights of that module can be loaded: the one buffer has its name and shape.

    Parameters
    ----------
    ratio : int
    kernel_size : int, optional
        K, even and at least twice the ratio; 6·ratio by default.

    References
    ----------
    S. Lee et al., "BigVGAN", arXiv 2206.04658, and its code, after github.com/junjun3518/alias-free-torch.

    Examples
    --------
    >>> KaiserUpsample1d(2)(torch.ones(1, 1, 3))
    tensor([[[1., 1., 1., 1., 1., 1.]]])
    """

    filter: Tensor

    def __init__(self, ratio: int = 2, *, kernel_size: int | None = None) -> None:
        super().__init__()
        taps = kaiser_sinc(ratio, taps=kernel_size)
        if taps.size < 2 * ratio:
            raise ValueError(complaint("kernel_size", taps.size, f"an even number >= {2 * ratio}, twice the ratio"))
        self.ratio, self.pad = ratio, taps.size // ratio - 1
        self.register_buffer("filter", _buffer(taps)[None, None])

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channel, ratio·time) for a signal (batch, channel, time)."""
        channels, time = x.shape[-2:]
        first = self.pad * self.ratio + (self.filter.shape[-1] - self.ratio) // 2
        wide = F.pad(x, (self.pad, self.pad), mode="replicate")
        y = F.conv_transpose1d(wide, self.filter.expand(channels, -1, -1), stride=self.ratio, groups=channels)
        return self.ratio * y[..., first : first + self.ratio * time]

    def extra_repr(self) -> str:
        """Return the ratio and the length of the filter."""
        return f"ratio={self.ratio}, kernel_size={self.filter.shape[-1]}"


@register(KaiserUpsample1d)
def _kaiser(module: KaiserUpsample1d) -> BorderInterp:
    taps = array(module.filter)[0, 0].astype(float)  # in doubles the product with the ratio is exact
    return BorderInterp(module.ratio, module.ratio * taps, offset=(taps.size - module.ratio) // 2)


class BorderInterp1d(nn.Module):
    """Interpolation by any taps, with a border rule, as `dspref.designs.BorderInterp`: extend, stretch, filter, crop.

    Parameters
    ----------
    factor : int
    taps : Tensor (taps,) to filter every channel alike, or (out, in, taps)
    offset : int
    border : {'zeros', 'reflect', 'replicate', 'circular'}

    Examples
    --------
    >>> BorderInterp1d(2, torch.tensor([1.0, 2.0, 1.0]), offset=1)(torch.ones(1, 1, 3))
    tensor([[[2., 2., 2., 2., 2., 2.]]])
    """

    def __init__(self, factor: int, taps: Tensor, *, offset: int = 0, border: str = "replicate") -> None:
        super().__init__()
        self.factor, self.offset, self.border = factor, offset, as_choice("border", border, BORDERS)
        self.reach = max(0, (taps.shape[-1] - 1 - offset) // factor), max(0, (factor - 1 + offset) // factor)
        first = offset + self.reach[0] * factor
        self.filter = FilterInterp1d(factor, taps, offset=first, excess=-sum(self.reach) * factor)
        self.in_channels = self.filter.in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, out, L·time) for a signal (batch, in, time)."""
        mode = "constant" if self.border == "zeros" else self.border
        y: Tensor = self.filter(F.pad(x, self.reach, mode=mode))
        return y

    def extra_repr(self) -> str:
        """Return the factor, the offset and the border rule."""
        return f"{self.factor}, offset={self.offset}, border='{self.border}'"


@register(BorderInterp1d)
def _border_filter(module: BorderInterp1d) -> BorderInterp:
    return BorderInterp(module.factor, array(module.filter.taps), offset=module.offset, border=module.border)


def WindowedSinc1d(factor: int, **design: Any) -> FilterInterp1d:
    """Return sinc interpolation as a module, the taps those of `dspref.designs.windowed_sinc`, centred.

    Parameters
    ----------
    factor : int
    **design
        zeros, rolloff, window, attenuation, half_width and scale.

    Examples
    --------
    >>> WindowedSinc1d(2, zeros=6)(torch.ones(1, 1, 20)).shape
    torch.Size([1, 1, 40])
    """
    taps = windowed_sinc(factor, **design)
    return FilterInterp1d(factor, _buffer(taps), offset=taps.size // 2)


class LearnedLinear1d(nn.Module):
    """Learned linear interpolation by 2: ``y[2n] = x[n]``, ``y[2n + 1] = w x[n] + (1 − w) x[n + 1]``.

    w is the sigmoid of one parameter per channel, which is 0 at first: then w = ½.

    Parameters
    ----------
    channels : int
    excess : {-1, 0}
        −1: 2·time − 1 samples. 0: 2·time, with zeros beyond the end.

    References
    ----------
    D. Stoller, S. Ewert, S. Dixon, "Wave-U-Net", arXiv 1806.03185, and its code.

    Examples
    --------
    >>> LearnedLinear1d(1)(torch.tensor([[[2.0, 4.0]]])).tolist()
    [[[2.0, 3.0, 4.0]]]
    """

    def __init__(self, channels: int, *, excess: int = -1) -> None:
        super().__init__()
        self.in_channels = as_integer("channels", channels, 1)
        self.excess = int(as_choice("excess", str(excess), ("-1", "0")))
        self.weight = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channel, 2·time + excess) for a signal (batch, channel, time)."""
        w = torch.sigmoid(self.weight)[:, None]
        between = w * x + (1 - w) * F.pad(x[..., 1:], (0, 1))
        return torch.stack([x, between], dim=-1).flatten(-2)[..., : 2 * x.shape[-1] + self.excess]

    def extra_repr(self) -> str:
        """Return the channels and the excess."""
        return f"{self.in_channels}, excess={self.excess}"


@register(LearnedLinear1d)
def _learned_linear(module: LearnedLinear1d) -> FilterInterp:
    return LearnedLinear(array(torch.sigmoid(module.weight)), excess=module.excess)


def _buffer(taps: Any) -> Tensor:
    return torch.tensor(taps, dtype=torch.get_default_dtype())
