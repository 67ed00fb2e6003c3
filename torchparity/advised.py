"""The choices of `dspref.advise` as Torch modules, with the weights that each begins with."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from dspref.advice.choices import Choice
from dspref.advice.plans import Plan, triangle_taps
from torchparity.nn import FilterInterp1d, SubpixelConv1d
from torchparity.nn.utils import OneBias, tone_free

__all__ = ["LearnedLinear1d", "build_choice"]


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
    return tone_free(conv) if plan.init == "tone-free" else conv


def _subpixel(plan: Plan, dtype: torch.dtype) -> nn.Module:
    (inner, outer), s = plan.channels, plan.factor
    p, biased = plan.padding[0], plan.bias != "none"
    conv = SubpixelConv1d(inner, outer, plan.length, s, padding=p, bias=biased, dtype=dtype)
    if plan.init == "icnr":
        with torch.no_grad():
            conv.weight.copy_(conv.weight[::s].repeat_interleave(s, 0))
    if plan.init == "tone-free":
        return tone_free(conv)
    if plan.bias == "equal":
        register_parametrization(conv, "bias", OneBias(s))
    return conv
