"""The choices of `dspref.advise` as Torch modules, with the weights that each begins with."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from dspref.advice.choices import Choice
from dspref.advice.plans import Plan, triangle_taps
from torchparity.nn import FilterInterp1d, SubpixelConv1d

__all__ = ["LearnedLinear1d", "OneBias", "TonefreeRows", "TonefreeTaps", "build_choice"]


class TonefreeTaps(nn.Module):
    """Projects the taps of a transposed convolution, in its last axis, on those whose s phases have equal gains.

    ``h[qs + r] − (g_r − g)/n_r``, as `dspref.designs.projection.tone_free`. As a parametrization it holds in every
    forward pass, so that whatever is learned makes no tone of an offset.

    Parameters
    ----------
    s : int
        Factor of the layer.

    Examples
    --------
    >>> TonefreeTaps(2)(torch.tensor([1.0, 1.0, 1.0, 2.0]))
    tensor([1.2500, 0.7500, 1.2500, 1.7500])
    """

    def __init__(self, s: int) -> None:
        super().__init__()
        self.s = s

    def forward(self, h: Tensor) -> Tensor:
        """Return the projection of taps (..., K)."""
        s, K = self.s, h.shape[-1]
        n = torch.tensor([len(range(r, K, s)) for r in range(s)], dtype=h.dtype, device=h.device)
        gains = torch.stack([h[..., r::s].sum(-1) for r in range(s)], -1)
        target = (gains / n).sum(-1, keepdim=True) / (1 / n).sum()
        return h - ((gains - target) / n)[..., torch.arange(K, device=h.device) % s]


class TonefreeRows(nn.Module):
    """Projects the weight (out·s, in, K) of a sub-pixel convolution: filters of one group get equal sums.

    Parameters
    ----------
    s : int
        Factor of the layer.

    Examples
    --------
    >>> TonefreeRows(2)(torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])).sum(-1).flatten()
    tensor([5., 5.])
    """

    def __init__(self, s: int) -> None:
        super().__init__()
        self.s = s

    def forward(self, w: Tensor) -> Tensor:
        """Return the projection of a weight, its groups cL + r as `torch.nn.PixelShuffle` has them."""
        groups = w.reshape(-1, self.s, *w.shape[1:])
        gains = groups.sum(-1, keepdim=True)
        return (groups - (gains - gains.mean(1, keepdim=True)) / w.shape[-1]).reshape(w.shape)


class OneBias(nn.Module):
    """Gives the s phases of a channel the mean of their biases.

    Parameters
    ----------
    s : int
        Factor of the layer.

    Examples
    --------
    >>> OneBias(2)(torch.tensor([1.0, 3.0, 5.0, 5.0]))
    tensor([2., 2., 5., 5.])
    """

    def __init__(self, s: int) -> None:
        super().__init__()
        self.s = s

    def forward(self, b: Tensor) -> Tensor:
        """Return biases (out·s,)."""
        return b.reshape(-1, self.s).mean(1).repeat_interleave(self.s)


class LearnedLinear1d(nn.Module):
    """Linear interpolation whose weights are learned: ``y[ns + r] = (1 − w_r) x[n] + w_r x[n − 1]``, by channel.

    Every phase has the gain 1, whatever w: no tone from an offset. w begins at 1 − r/s, as linear interpolation; the
    output is centred by dropping its first ⌈s/2⌉ samples.

    Parameters
    ----------
    channels : int
        Each has weights of its own.
    s : int
        Factor.

    Examples
    --------
    >>> LearnedLinear1d(1, 2)(torch.tensor([[[0.0, 2.0, 4.0]]])).detach()
    tensor([[[0., 0., 1., 2., 3., 4.]]])
    """

    def __init__(self, channels: int, s: int) -> None:
        super().__init__()
        self.s = s
        self.w = nn.Parameter((1 - torch.arange(s) / s).repeat(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channel, s·time) for a signal (batch, channel, time)."""
        taps = torch.cat([1 - self.w, self.w], -1)[:, None]
        p = (self.s + 1) // 2
        return nn.functional.conv_transpose1d(
            x, taps, stride=self.s, padding=p, output_padding=self.s % 2, groups=x.shape[-2]
        )


def build_choice(choice: Choice, *, slope: float = 0.2, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """Return a choice as a module: its layers, leaky rectifiers between them, random weights of its initialisation.

    Weights come from Torch's generator, as those of `torch.nn` do: `torch.manual_seed` fixes them.

    Parameters
    ----------
    choice : dspref.advice.Choice
    slope : float
        Of the leaky rectifiers.
    dtype : torch.dtype

    Returns
    -------
    nn.Sequential
        (batch, channel, time) ↦ (batch, out, time · factor).

    Examples
    --------
    >>> from dspref.advice import advise
    >>> advice = advise([2, 2], 16000, tone_budget_db=-90, channels=[2, 2, 1])
    >>> build_choice(advice.choices[0])(torch.ones(1, 2, 8).double()).shape
    torch.Size([1, 1, 32])
    """
    modules: list[nn.Module] = []
    for plan in choice.layers:
        modules += [nn.LeakyReLU(slope)] if modules else []
        modules.append(_layer(plan, dtype))
    return nn.Sequential(*modules)


def _layer(plan: Plan, dtype: torch.dtype) -> nn.Module:
    if plan.family == "transposed":
        return _transposed(plan, dtype)
    if plan.family == "subpixel":
        return _subpixel(plan, dtype)
    conv = nn.Conv1d(*plan.channels, plan.length, padding=plan.padding[0], dtype=dtype)
    return nn.Sequential(_interpolation(plan, dtype), conv)


def _interpolation(plan: Plan, dtype: torch.dtype) -> nn.Module:
    if plan.family == "learned":
        return LearnedLinear1d(plan.channels[0], plan.factor).to(dtype)
    if plan.family == "sinc":
        taps = torch.tensor(plan.taps, dtype=dtype)
        return FilterInterp1d(plan.factor, taps, offset=plan.interpolation_padding[0])
    return nn.Upsample(scale_factor=plan.factor, mode=plan.family)


def _transposed(plan: Plan, dtype: torch.dtype) -> nn.Module:
    p, op = plan.padding
    inner, outer, s = *plan.channels, plan.factor
    conv = nn.ConvTranspose1d(inner, outer, plan.length, stride=s, padding=p, output_padding=op, dtype=dtype)
    shapes = {"ones": (1.0,) * plan.length, "triangle": triangle_taps(plan.factor)}
    if plan.init in shapes:
        with torch.no_grad():
            conv.weight.copy_(conv.weight[..., :1] * torch.tensor(shapes[plan.init], dtype=dtype))
    if plan.init == "tone-free":
        register_parametrization(conv, "weight", TonefreeTaps(plan.factor))
    return conv


def _subpixel(plan: Plan, dtype: torch.dtype) -> nn.Module:
    (inner, outer), s = plan.channels, plan.factor
    p, biased = plan.padding[0], plan.bias != "none"
    conv = SubpixelConv1d(inner, outer, plan.length, s, padding=p, bias=biased, dtype=dtype)
    if plan.init == "icnr":
        with torch.no_grad():
            conv.weight.copy_(conv.weight[::s].repeat_interleave(s, 0))
    if plan.init == "tone-free":
        register_parametrization(conv, "weight", TonefreeRows(s))
    if plan.bias == "equal":
        register_parametrization(conv, "bias", OneBias(s))
    return conv
