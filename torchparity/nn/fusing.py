"""What the fused layers share: their parameters, how they run, and the two layers each is equal to.

Functions of a module with `geometry`, `in_channels`, `out_channels`, `groups`, `form`, `weight`, `bias` and `phases`;
the classes of `torchparity.nn.fused` have them for methods.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dspref.arrays import as_choice, as_integer, complaint
from torchparity.nn.basic import FilterInterp1d, Interpolate1d, check_signal
from torchparity.nn.choice import FORMS, RUNNING, chosen
from torchparity.nn.composite import transposed
from torchparity.nn.geometry import Geometry, Interpolation, linear, nearest, stretched
from torchparity.nn.handover import check_plain
from torchparity.nn.modes import cast_to, recorded, traced
from torchparity.nn.polyphase import polyphase
from torchparity.nn.running import running_sum
from torchparity.nn.twolayer import interpolated_and_convolved, outer, padding_layers

_SIZES = ("in_channels", "out_channels", "groups")


def equip(module: Any, shape: Geometry, sizes: tuple[int, int, int], bias: bool, form: str, **where: Any) -> None:
    """Give a new module its geometry, and parameters drawn as those of a Conv1d."""
    into, out, groups = (as_integer(name, size, 1) for name, size in zip(_SIZES, sizes, strict=True))
    if into % groups or out % groups:
        raise ValueError(complaint("groups", groups, f"a common divisor of the channels, {into} and {out}"))
    dtype = where["dtype"] or torch.get_default_dtype()
    if not dtype.is_floating_point:
        raise TypeError(complaint("dtype", dtype, "a real floating-point dtype"))
    module.geometry, module.form = shape, form
    module.in_channels, module.out_channels, module.groups = into, out, groups
    conv = nn.Conv1d(into, out, shape.length, groups=groups, bias=bias, **where)
    module.weight = conv.weight
    module.register_parameter("bias", conv.bias)
    module.register_buffer("phases", None, persistent=False)
    hold_phases(module)


def _form(module: Any) -> str:
    """How it is computed: 'auto', by the faster form, or by one that is named."""
    found: str = module._form
    return found


def _set_form(module: Any, form: str) -> None:
    module._form = as_choice("form", form, RUNNING if module.geometry.interpolation.kind == "nearest" else FORMS)


form = property(_form, _set_form, doc=_form.__doc__)
"""That of the classes: a layer is never computed by a form that is not its own."""


def hold_phases(module: Any) -> None:
    """Hold C where the weights are, as exact as they are; in main memory where they are not there yet.

    It follows from sizes alone, so it is made anew where weights move: half precision would round it, and `to_empty`
    leave nothing in it.
    """
    w = module.weight
    device = "cpu" if w.is_meta else w.device
    with torch.inference_mode(False):  # a module that is moved in one serves training
        module.phases = module.geometry.phases().to(dtype=torch.promote_types(w.dtype, torch.float32)).to(device)


def apply(module: Any, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
    """Move or cast a module, as `torch.nn.Module` does."""
    nn.Module._apply(module, fn, recurse)  # type: ignore[no-untyped-call]
    hold_phases(module)
    return module


def forward(module: Any, x: Tensor) -> Tensor:
    """Return (batch, out, L·time + excess + left + right − d(K − 1)) for a signal (batch, in, time).

    A signal without batch, (in, time), gives (out, time′).
    """
    check_signal(x)
    if x.ndim not in (2, 3) or x.shape[-2] != module.in_channels:
        allowed = f"(batch, {module.in_channels}, time) or ({module.in_channels}, time)"
        raise ValueError(complaint("input", f"shape {tuple(x.shape)}", allowed))
    w, b = module.weight, module.bias  # once: where they are computed, by a parametrization, it may be other ones next
    if x.dtype != w.dtype and cast_to(x) is None:
        hint = "cast one of them"
        raise TypeError(complaint("input", f"dtype {x.dtype}", f"{w.dtype}, as the weights", hint))
    module.geometry.check(x.shape[-1])
    y = _run(module, x if x.ndim == 3 else x.unsqueeze(0), w, b)
    return y if x.ndim == 3 else y.squeeze(0)


def _run(module: Any, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    g, groups = module.geometry, module.groups
    inner = g.factor * x.shape[-1] + g.surplus
    form = chosen(module, x) if module.form == "auto" else module.form
    if form == "two layers" or inner < 1:
        return interpolated_and_convolved(x, w, b, g, groups)
    x, C = _operands(module, x, w)
    if not traced() and x.is_inference() and recorded(w, b):
        x = x.clone()  # what an inference made is not kept for a backward pass
    if form == "transposed":
        y = transposed(x, w, b, C, g, groups)
    elif form == "running sum" and not traced():
        y = running_sum(x, w, b, g, groups)
    else:
        y = polyphase(x, w, b, C, g, groups)
    if g.surplus % g.factor:
        y = y[..., :inner]
    if not any(g.outer):
        return _owned(y)
    left, right = outer(x, w, b, g, groups)
    return torch.cat([left, y, right], -1)


def _owned(y: Tensor) -> Tensor:
    """Return y in memory of its own: a view that was made without gradients could not be changed in place with them."""
    return y.contiguous() if traced() or not y._is_view() else y.clone(memory_format=torch.contiguous_format)


def _operands(module: Any, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Return x in the dtype in which a convolution is computed, and C."""
    cast = cast_to(x)
    if cast is not None:
        x = x.to(cast)
    C, dtype = module.phases, torch.promote_types(w.dtype, torch.float32)
    if C.dtype != dtype:  # weights of another dtype were handed over for this call
        C = module.geometry.phases().to(dtype)
    return x, C.to(w.device)


def two_layers(module: Any) -> nn.Sequential:
    """Return the interpolation and the convolution that the layer equals, with a copy of its weights."""
    g, w = module.geometry, module.weight
    left, right = g.pads
    alike = left == right >= 0
    sizes = {"dilation": g.dilation, "groups": module.groups, "bias": module.bias is not None, "device": "meta"}
    if alike:
        sizes |= {"padding": left, "padding_mode": g.padding_mode}
    conv = _filled(nn.Conv1d(module.in_channels, module.out_channels, g.length, **sizes), module, share=False)
    between = [] if alike else padding_layers(g)
    return nn.Sequential(g.interpolation.module(w), *between, conv).train(module.training)


def of_two(make: Callable[..., Any], conv: nn.Conv1d, *, share: bool) -> Any:
    """Return what `make` makes of the sizes of a convolution, with its weights."""
    if isinstance(conv, nn.Conv1d) and "weight" not in conv._parameters:
        hint = (
            "replace_upsampling of torchparity.nn.replace keeps it; or remove it first, its product is then the weight"
        )
        raise ValueError(complaint("convolution", "a weight that is computed", "a weight that is a parameter", hint))
    if type(conv) is not nn.Conv1d:
        lazy = isinstance(conv, nn.modules.lazy.LazyModuleMixin)
        hint = "run it once, so that it has weights" if lazy else ""
        raise TypeError(complaint("convolution", type(conv).__name__, "a torch.nn.Conv1d itself", hint))
    check_plain(conv, nn.Conv1d)
    if conv.stride != (1,):
        raise ValueError(complaint("stride", conv.stride[0], "1", "a stride behind interpolation is another factor"))
    names = ("in_channels", "out_channels", "kernel_size", "padding", "dilation", "groups", "padding_mode")
    sizes = {name: getattr(conv, name) for name in names}
    layer = make(**sizes, bias=conv.bias is not None, device="meta", dtype=conv.weight.dtype)
    return _filled(layer, conv, share=share).train(conv.training)


def _filled(layer: Any, source: Any, *, share: bool) -> Any:
    """Give a layer the weights of another, or copies."""
    for name in ("weight", "bias"):
        given = getattr(source, name)
        if given is not None:
            own = given if share else nn.Parameter(given.detach().clone(), requires_grad=given.requires_grad)
            setattr(layer, name, own)
    return layer if isinstance(layer, nn.Conv1d) else apply(layer, lambda t: t)


def read(layer: nn.Module, kinds: tuple[str, ...]) -> Interpolation:
    """Return what an interpolating module does, if it does it by an integer and is of one of these kinds."""
    allowed = f"an interpolation by an integer, {' or '.join(kinds)}"
    for known in (FilterInterp1d, nn.Upsample, Interpolate1d):
        if isinstance(layer, known):
            check_plain(layer, known)
    if isinstance(layer, FilterInterp1d) and "filter" in kinds:
        return stretched(layer.factor, layer.taps, layer.offset, layer.excess)
    mode, scale = getattr(layer, "mode", type(layer).__name__), getattr(layer, "scale_factor", None)
    if not isinstance(layer, (nn.Upsample, Interpolate1d)) or mode not in kinds:
        hint = {"linear": "LinearConv1d takes it", "nearest": "NearestConv1d takes it"}.get(mode, "")
        raise ValueError(complaint("interpolation", mode, allowed, hint))
    scale = scale[0] if isinstance(scale, tuple) and len(scale) == 1 else scale
    if not isinstance(scale, (int, float)) or scale != int(scale) or layer.align_corners:
        got = f"{mode} with scale_factor={scale}, size={layer.size}, align_corners={layer.align_corners}"
        raise ValueError(complaint("interpolation", got, allowed, "by scale_factor, corners not aligned"))
    return linear(int(scale)) if mode == "linear" else nearest(int(scale))


def reset_parameters(module: Any) -> None:
    """Draw new weights, as `torch.nn.Conv1d` does."""
    nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5))
    if module.bias is not None:
        bound = 1 / math.sqrt(module.weight[0].numel())
        nn.init.uniform_(module.bias, -bound, bound)


def extra_repr(module: Any) -> str:
    """Return sizes, and what is not at its default."""
    g = module.geometry
    i, said = g.interpolation, [f"{module.in_channels}, {module.out_channels}, kernel_size={g.length}"]
    said.append(f"scale_factor={g.factor}")
    if i.kind == "filter":
        said.append(f"taps={len(i.taps)}, offset={i.offset}" + (f", excess={i.excess}" if i.excess else ""))
    shown = {"padding": g.pads, "dilation": g.dilation, "groups": module.groups, "padding_mode": g.padding_mode}
    shown |= {"bias": module.bias is not None, "form": module.form}
    usual = {"padding": (0, 0), "dilation": 1, "groups": 1, "padding_mode": "zeros", "bias": True, "form": "auto"}
    return ", ".join([*said, *(f"{name}={value!r}" for name, value in shown.items() if value != usual[name])])
