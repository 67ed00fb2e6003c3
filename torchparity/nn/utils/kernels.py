"""Which weight of a layer is to be projected, whether it can be, and where it is kept: plain, or under a norm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrizations as norms
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.weight_norm import WeightNorm

from dspref.arrays import NotAnalysable, complaint
from torchparity.nn.modes import plain
from torchparity.nn.subpixel import SubpixelConv1d
from torchparity.nn.utils.moments import checked_order
from torchparity.nn.utils.projection import OneBias, ToneFreeRows, ToneFreeTaps

PROJECTIONS = (ToneFreeTaps, ToneFreeRows)

NORMS = (norms._WeightNorm, norms._SpectralNorm)
"""Parametrizations that a projection may stand behind: the weight is tone-free, whatever they make."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """The weight of an upsampling layer.

    Attributes
    ----------
    owner : nn.Module
        Has the weight.
    weight, bias : str
        Names of its tensors; bias is empty if there is none of each phase.
    taps, factor : int
        K of each filter, and s.
    channels : str
        Order of the channels of a sub-pixel convolution, else empty: the weight is one of a transposed convolution.
    dilation, groups : int
    """

    owner: nn.Module
    weight: str
    taps: int
    factor: int
    bias: str = ""
    channels: str = ""
    dilation: int = 1
    groups: int = 1

    @property
    def total(self) -> int:
        """Taps of the transposed convolution that the layer is."""
        return self.taps * self.factor if self.channels else self.taps

    def projection(self, order: int) -> nn.Module:
        """Return the projection of the weight, on its device."""
        like = tensors(self)[-1]
        rest: dict[str, Any] = {"order": order, "device": like.device}
        if self.channels:
            return ToneFreeRows(self.taps, self.factor, channels=self.channels, dilation=self.dilation, **rest)
        return ToneFreeTaps(self.taps, self.factor, **rest)

    def one_bias(self) -> nn.Module:
        """Return the projection of the bias."""
        return OneBias(self.factor, channels=self.channels)


def kernel_of(module: nn.Module) -> Kernel | None:
    """Return the kernel of a layer that upsamples by taps of its own; None for all others."""
    if isinstance(module, nn.ConvTranspose1d):
        return Kernel(module, "weight", module.kernel_size[0], module.stride[0], dilation=module.dilation[0])
    if isinstance(module, SubpixelConv1d):
        bias, shape = "bias" if module.bias is not None else "", (module.kernel_size, module.upscale_factor)
        return Kernel(module, "weight", *shape, bias, module.order, dilation=module.dilation, groups=module.groups)
    return None


def tensors(kernel: Kernel) -> tuple[Tensor, ...]:
    """Return what is learned, of which the weight is made: itself; g and v of weight norm; before any projection."""
    owner, name = kernel.owner, kernel.weight
    if is_parametrized(owner, name):
        made: Any = owner.parametrizations[name]  # type: ignore[index]
        return (
            (made.original,) if made.is_tensor else tuple(getattr(made, f"original{i}") for i in range(made.ntensors))
        )
    if old_norm(kernel) is not None:
        return getattr(owner, f"{name}_g"), getattr(owner, f"{name}_v")
    return (getattr(owner, name),)


def chain(kernel: Kernel) -> tuple[nn.Module, ...]:
    """Return the parametrizations of the weight, in their order."""
    there = is_parametrized(kernel.owner, kernel.weight)
    return tuple(kernel.owner.parametrizations[kernel.weight]) if there else ()  # type: ignore[index]


def old_norm(kernel: Kernel) -> WeightNorm | None:
    """Return the hook of the older `torch.nn.utils.weight_norm`, if the weight is under it."""
    hooks = kernel.owner._forward_pre_hooks.values()
    return next((h for h in hooks if isinstance(h, WeightNorm) and h.name == kernel.weight), None)


def check_module(model: object) -> None:
    """Raise unless it is a module, of whatever kind."""
    if not isinstance(model, nn.Module):
        hint = "nn.ModuleList makes one of several" if isinstance(model, (list, tuple)) else ""
        raise TypeError(complaint("model", type(model).__name__, "an nn.Module", hint))


def order_of(kernel: Kernel) -> int:
    """Return the order to which the weight is kept tone-free by a parametrization; 0 if it is not.

    Whatever scales the whole weight behind it keeps the property.
    """
    return max((int(m.order) for m in chain(kernel) if isinstance(m, PROJECTIONS)), default=0)


def check(kernel: Kernel, order: int) -> None:
    """Raise unless the weight can be projected, and is not yet."""
    check_own(kernel, order)
    if order_of(kernel):
        hint = "remove_tone_free first, to change the order"
        raise ValueError(complaint("weight", f"tone-free of order {order_of(kernel)} already", "any other", hint))


def check_own(kernel: Kernel, order: int) -> None:
    """Raise unless the weight is there, has tone-free taps, and neither it nor its bias is computed by others."""
    owner, name, s = kernel.owner, kernel.weight, kernel.factor
    if s < 2:
        raise ValueError(complaint("stride", s, "at least 2", "a layer of stride 1 makes no tone: nothing to do"))
    if any(is_lazy(p) for p in owner.parameters(recurse=False)):
        raise ValueError(complaint("weight", "not initialised yet", "weights", "call the module on a signal first"))
    if not kernel.channels and (why := gap(kernel.dilation, s)):
        raise NotAnalysable(why)
    if kernel.channels and kernel.groups > 1 and (kernel.channels == "dcr" or _out(kernel) % kernel.groups):
        got, hint = f"{kernel.groups} for {_out(kernel)} channels", "phases of one channel would hear other inputs"
        raise NotAnalysable(complaint("groups", got, "1, or a divisor of the channels in order crd", hint))
    checked_order(kernel.total, s, order)
    hint = "a projection behind it would undo what it keeps; remove it first"
    if (got := _computed(owner, name, (*NORMS, *PROJECTIONS))) and old_norm(kernel) is None:
        raise ValueError(complaint("weight", got, "a parameter, under weight or spectral norm at most", hint))
    if kernel.bias and (got := _computed(owner, kernel.bias, (OneBias,))):
        raise ValueError(complaint("bias", got, "a parameter", hint))
    if not tensors(kernel)[-1].is_floating_point():
        raise TypeError(complaint("dtype of the weight", str(tensors(kernel)[-1].dtype), "floating point"))


def gap(dilation: int, s: int) -> str:
    """Return why a dilated kernel leaves phases of a transposed convolution without a tap; empty if it does not."""
    common = math.gcd(dilation, s)
    hint = f"their common divisor {common} leaves phases without a tap"
    return complaint("dilation", f"{dilation} for stride {s}", f"one prime to {s}", hint) if common > 1 else ""


def _computed(owner: nn.Module, name: str, allowed: tuple[type[nn.Module], ...]) -> str:
    """Return what else computes a tensor of a module than the parametrizations that are allowed; empty if nothing."""
    if is_parametrized(owner, name):
        made: Any = owner.parametrizations[name]  # type: ignore[index]
        others = [type(m).__name__ for m in made if not isinstance(m, allowed)]
        return f"parametrized by {', '.join(others)}" if others else ""
    return "" if name in owner._parameters else "computed by a hook of the layer"


def adopt_new_norm(kernel: Kernel) -> None:
    """Turn the older weight norm into the parametrization: of the same g and v, which optimizers know.

    It loads checkpoints of either.
    """
    hook = old_norm(kernel)
    if hook is None:
        return
    owner, name = kernel.owner, kernel.weight
    g, v = tensors(kernel)
    key = next(key for key, h in owner._forward_pre_hooks.items() if h is hook)
    del owner._forward_pre_hooks[key]
    for each in (f"{name}_g", f"{name}_v"):
        delattr(owner, each)
    delattr(owner, name)
    owner.register_parameter(name, nn.Parameter(torch.empty_like(v), requires_grad=v.requires_grad))
    norms.weight_norm(owner, name, hook.dim)
    made: Any = owner.parametrizations[name]  # type: ignore[index]
    made.original0, made.original1 = g, v


def _out(kernel: Kernel) -> int:
    """Return the channels behind the shuffle of a sub-pixel convolution."""
    return tensors(kernel)[-1].shape[0] // kernel.factor


def own_class(module: nn.Module) -> None:
    """Give a parametrized module a class of its own: Torch keeps properties there, and deepcopy shares it."""
    if is_parametrized(module):
        kind = type(module)
        content = {key: value for key, value in vars(kind).items() if key not in ("__dict__", "__weakref__")}
        module.__class__ = type(kind.__name__, kind.__bases__, content)


def write(kernel: Kernel, weight: Tensor) -> None:
    """Make the weight what is given, before any projection: under weight norm g and v are its norm and itself.

    Where it is 0 the norm is, and v stays: 0/0 is no direction.
    """
    with torch.no_grad():
        found = tensors(kernel)
        if len(found) == 2:
            hook: Any = old_norm(kernel) or next(m for m in chain(kernel) if isinstance(m, norms._WeightNorm))
            found[0].copy_(torch.norm_except_dim(weight, 2, hook.dim))
            if isinstance(hook, WeightNorm):
                setattr(kernel.owner, kernel.weight, weight)
            nothing = found[0] == 0
            if weight.device.type != "cpu" or not plain(weight) or bool(nothing.any()):  # a GPU would have to wait
                weight = torch.where(nothing, found[1], weight)
        found[-1].copy_(weight)


def learned(kernel: Kernel) -> Tensor:
    """Return the weight before any projection and any spectral norm: under weight norm that of g and v."""
    found = tensors(kernel)
    if len(found) == 1:
        return found[0]
    g, v = found
    hook: Any = old_norm(kernel) or next(m for m in chain(kernel) if isinstance(m, norms._WeightNorm))
    return torch._weight_norm(v, g, hook.dim)


def bias_of(kernel: Kernel) -> Tensor:
    """Return what is learned of the bias: before any projection."""
    owner: Any = kernel.owner
    bias: Tensor = owner.parametrizations.bias.original if is_parametrized(owner, "bias") else owner.bias
    return bias
