"""The layer that replaces another: built, with its weight and all that belongs to it, and compared with the old one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from dspref.arrays import complaint
from torchparity.calls import check_there as check_values
from torchparity.compiled import uncompiled
from torchparity.describe import evaluated
from torchparity.nn.added import added, names_of_norm
from torchparity.nn.basic import PixelShuffle1d
from torchparity.nn.canonical import Form
from torchparity.nn.fused import LinearConv1d, NearestConv1d
from torchparity.nn.fusing import hold_phases
from torchparity.nn.handover import hand_over
from torchparity.nn.kinds import KINDS, misfit
from torchparity.nn.sites import ALONE, FUSED, INTERPOLATIONS, Site, factor_of
from torchparity.nn.subpixel import SubpixelConv1d
from torchparity.nn.utils.kernels import check_module
from torchparity.writes import memory

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
METHODS = ("forward", "__call__", "_call_impl", "_conv_forward", "_output_padding")
HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
WAYS = (
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_is_full_backward_hook",
)
"""How the hooks are called."""

SAVING = ("_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks")
KNOWN = (*ALONE, nn.Conv1d, *INTERPOLATIONS, PixelShuffle1d)

MAKERS: dict[type, tuple[str, Any]] = {
    WeightNorm: ("weight norm", lambda hook, m: hook.compute_weight(m)),
    SpectralNorm: ("spectral norm", lambda hook, m: hook.compute_weight(m, do_power_iteration=False)),
    BasePruningMethod: ("pruning", lambda hook, m: hook.apply_mask(m)),
}
"""Torch's hooks that compute a weight, what they are called, and how they do it."""


@dataclass(frozen=True, eq=False)
class Twin:
    """A site, the layer that takes its place, how far taps and biases are off, at which ends, and what is to say."""

    site: Site
    layer: nn.Module
    errors: tuple[float, float] = (0.0, 0.0)
    ends: tuple[int, int] = (0, 0)
    note: str = ""

    @property
    def old(self) -> str:
        """Types and sizes of what was there."""
        return self.site.words

    @property
    def new(self) -> str:
        """Type and sizes of the layer."""
        return Site("", self.layer).words


def _formed(site: Site, tensors: dict[str, Tensor | None]) -> Form:
    """Return what a layer of this weight and bias does, in double precision."""
    weight, bias = (None if t is None else t.detach().double().cpu() for t in tensors.values())
    assert weight is not None, "checked before"
    return site.form(weight, bias)


def twin(site: Site, kind: str) -> Twin:
    """Return what takes the place of an upsampling layer; the model is not changed by that."""
    _check(site)
    if site.family == kind and all(_maker(h) in (None, WeightNorm) for h in site.kernel._forward_pre_hooks.values()):
        remarks = ["its parameters are the same ones", *_frozen(site), *_lost(site)]
        return Twin(site, _joined(site), note="; ".join(remarks))
    parts = {name: _tensor(site.kernel, name) for name in ("weight", "bias")}
    form = _formed(site, parts)
    layer, *tensors = KINDS[kind](form)
    for (name, old), value in zip(parts.items(), tensors, strict=True):
        if old is not None and value is not None:
            learned = any(p.requires_grad for p in _sources(site.kernel, name))
            new = value.to(device=old.device, dtype=old.dtype).contiguous()
            setattr(layer, name, nn.Parameter(new, requires_grad=learned))
    if isinstance(layer, FUSED):
        hold_phases(layer)
    made = Site("", layer)
    back = _formed(made, {name: getattr(layer, name) for name in parts})
    errors = misfit(form, back)
    ends = max(form.ends[0], back.ends[0]), max(form.ends[1], back.ends[1])
    remarks = [
        *_ends(ends),
        *_biases(errors[1]),
        *_gone(site.kernel),
        *_frozen(site),
        *_hooks(site.kernel),
        *_lost(site),
    ]
    return Twin(site, layer, errors, ends, "; ".join(remarks))


def settle(t: Twin) -> None:
    """Give the new layer the mode of training, and a user's hooks: the very tables, so that handles remove them."""
    old: Any = t.site.kernel
    t.layer.train(old.training)
    if t.site.other is not None:
        return
    for each in HOOKS:
        table = getattr(old, each)
        for key in [key for key, hook in table.items() if _maker(hook)]:
            del table[key]
        setattr(t.layer, each, table)
    for each in WAYS:
        setattr(t.layer, each, getattr(old, each))


def check_there(model: nn.Module) -> None:
    """Refuse what is no model, one that is scripted, traced or compiled, or has parameters without values."""
    check_module(model)
    if isinstance(model, torch.jit.ScriptModule):
        hint = "replace its layers, then script or trace it"
        raise TypeError(
            complaint("model", f"scripted or traced, a {type(model).__name__}", "what it was made of", hint)
        )
    if compiled := [name for name, part in model.named_modules() if uncompiled(part) is not part]:
        got = compiled[0] or type(model).__name__
        raise ValueError(complaint("compiled module", got, "what was compiled", "compile it afterwards"))
    for name, p in model.named_parameters():
        if is_lazy(p):
            raise ValueError(complaint(f"parameter {name}", "not initialised", "weights", "call the model once before"))
        check_values(name, p)


def check_ties(model: nn.Module, site: Site) -> None:
    """Refuse a weight that another module has too."""
    own = {id(part) for part in site.kernel.modules()}
    homes = {memory(p) for p in site.kernel.parameters()}
    for name, part in model.named_modules():
        if id(part) not in own and any(memory(p) in homes for p in part.parameters(recurse=False)):
            hint = "untie them first: layer.weight = nn.Parameter(layer.weight.detach().clone())"
            raise ValueError(complaint("weight", f"one that {name} shares", "a weight of its own", hint))


def _check(site: Site) -> None:
    """Refuse layers that need not do what their type says, and weights that are no real numbers."""
    for m in (site.kernel, *([] if site.other is None else [site.other])):
        kind = next(kind for kind in type(m).__mro__ if kind in KNOWN)
        if any(getattr(type(m), each, None) is not getattr(kind, each, None) or each in vars(m) for each in METHODS):
            got, allowed = f"{type(m).__name__} with a forward of its own", f"the forward of {kind.__name__}"
            raise TypeError(complaint("layer", got, allowed, "it may crop: replace the layer yourself"))
        hooks = [h for each in HOOKS for h in getattr(m, each).values() if _maker(h) is None]
        if hooks and site.other is not None:
            got = f"a hook on {type(m).__name__}"
            raise ValueError(complaint("layer of two modules", got, "no hooks: what is between them goes", "remove it"))
    for p in site.kernel.parameters():
        if p.dtype not in FLOATS:
            raise ValueError(complaint("weights", f"dtype {p.dtype}", "real floating-point numbers"))
        if not p.isfinite().all():
            raise ValueError(complaint("weights", "some that are infinite or not a number", "finite numbers"))
    if not list(_sources(site.kernel, "weight")):
        raise ValueError(
            complaint("weight", "computed by a hook of its own", "a Parameter, or a parametrization of one")
        )


def _joined(site: Site) -> nn.Module:
    """Return the one layer that two modules are, with the Parameters of the convolution and what makes them."""
    conv: Any = site.kernel
    if site.family == "subpixel":
        return SubpixelConv1d.from_two_layers(conv, site.other)
    kind = {"nearest": NearestConv1d, "linear": LinearConv1d}[site.family]
    padding = conv.padding if isinstance(conv.padding, str) else conv.padding[0]
    sizes = (conv.in_channels, conv.out_channels, conv.kernel_size[0], int(factor_of(site.other)), padding)
    rest = (conv.dilation[0], conv.groups, conv.bias is not None, conv.padding_mode)
    layer = hand_over(conv, kind(*sizes, *rest, device="meta"))
    with evaluated(layer):  # in training mode spectral norm iterates whenever its weight is looked at
        hold_phases(layer)
    return layer


def _tensor(m: nn.Module, name: str) -> Tensor | None:
    """Return a weight as the next forward in evaluation mode would use it."""
    with torch.no_grad(), evaluated(m):
        hook = next((h for h in m._forward_pre_hooks.values() if _maker(h) and _made_by(h) == name), None)
        t = getattr(m, name) if hook is None else MAKERS[_maker(hook) or type(hook)][1](hook, m)
    return None if t is None else t.detach()


def _maker(hook: Any) -> type | None:
    return next((kind for kind in MAKERS if isinstance(hook, kind)), None)


def _made_by(hook: Any) -> str:
    return str(getattr(hook, "name", None) or getattr(hook, "_tensor_name", ""))


def _sources(m: Any, name: str) -> Iterator[nn.Parameter]:
    """Yield the Parameters that a weight is made of."""
    if is_parametrized(m, name):
        yield from m.parametrizations[name].parameters()
    made = any(_maker(h) and _made_by(h) == name for h in m._forward_pre_hooks.values())
    for each, p in m.named_parameters(recurse=False):
        if each == name or (made and each.startswith(f"{name}_")):
            yield p


def _ends(ends: tuple[int, ...]) -> Iterator[str]:
    if any(ends):
        yield f"the first {ends[0]} and the last {ends[1]} outputs differ: an interpolation has ends of its own"


def _biases(error: float) -> Iterator[str]:
    if error:
        yield f"one bias for all phases, their mean: off by {error:.2g}"


def _gone(m: Any) -> Iterator[str]:
    """Yield what made the weight, and does no longer."""
    found = [MAKERS[kind][0] for h in m._forward_pre_hooks.values() if (kind := _maker(h))]
    for name in ("weight", "bias"):
        if is_parametrized(m, name):
            found += [type(each).__name__.strip("_") for each in m.parametrizations[name]]
    words = {"WeightNorm": "weight norm", "SpectralNorm": "spectral norm"}
    for each in dict.fromkeys(words.get(one, one) for one in found):
        yield f"{each} is gone: its product is the weight"


def _frozen(site: Site) -> Iterator[str]:
    names = [n for n in ("weight", "bias") if (p := list(_sources(site.kernel, n))) and not p[0].requires_grad]
    if names:
        yield f"{' and '.join(names)} frozen, as before"


def _lost(site: Site) -> Iterator[str]:
    made = {name for h in site.kernel._forward_pre_hooks.values() if _maker(h) for name in names_of_norm(_made_by(h))}
    if found := sorted(added(site.kernel) - made | (set() if site.other is None else added(site.other))):
        yield f"gone with the layer that was there: {', '.join(found)}"


def _hooks(old: Any) -> Iterator[str]:
    if any(_maker(h) is None for each in HOOKS for h in getattr(old, each).values()):
        yield "its hooks go on"
    saving = [h for each in SAVING for h in getattr(old, each).values()]
    if any(not str(getattr(h, "__module__", type(h).__module__)).startswith("torch.") for h in saving):
        yield "its hooks of state_dict are gone"
