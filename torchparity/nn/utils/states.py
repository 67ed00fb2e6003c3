"""What state dicts say of the projection of a weight; and weights of layers without it, which those with it take."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dspref.arrays import complaint

MARK = "tone_free_order"
"""Buffer of a projection: a key that models without it do not know, so that none loads such weights unawares."""


def mark(projection: Any, device: Any = None) -> None:
    """Write the order of a projection into state dicts, and hold those that are loaded against it."""
    projection.register_buffer(MARK, _order(projection, device))
    projection.register_load_state_dict_pre_hook(_same_order)


def marked_anew(projection: Any) -> None:
    """Write the order again: a meta device held nothing."""
    setattr(projection, MARK, _order(projection, getattr(projection, MARK).device))


def _order(projection: Any, device: Any) -> Tensor:
    with torch.inference_mode(False):  # else no state dict could be loaded into it
        return torch.tensor(projection.order, device=device)


def _same_order(
    projection: Any,
    state: dict[str, Tensor],
    prefix: str,
    metadata: Any,
    strict: bool,
    missing: Any,
    more: Any,
    errors: list[str],
) -> None:
    """Refuse weights of another order; those of no order are projected as any that training finds."""
    key = prefix + MARK
    found = state.get(key, getattr(projection, MARK))
    if not found.is_meta and not is_order(found, projection.order):
        hint = "tone_free_ the model with the order of the checkpoint, then load"
        errors.append(complaint(key, found.item(), f"{projection.order}, the order of the model", hint))
    state[key] = _order(projection, "cpu" if found.is_meta else found.device)


def is_order(found: Tensor, order: int) -> bool:
    """Return whether a mark is of an order; a mean of state dicts has it to rounding."""
    return abs(found.item() - order) < 1e-3


def take_plain(owner: nn.Module, name: str) -> None:
    """Let a layer load its tensor from the state dict of a layer without parametrizations, too."""
    owner.register_load_state_dict_pre_hook(partial(_named, name))  # type: ignore[no-untyped-call]


def take_plain_no_more(owner: nn.Module, name: str) -> None:
    """End it."""
    for key, each in list(owner._load_state_dict_pre_hooks.items()):
        if _taken(each) == name:
            del owner._load_state_dict_pre_hooks[key]


def _taken(each: Any) -> str | None:
    """Return the name of the tensor that a hook of `take_plain` gives its names; None of other hooks."""
    hook = getattr(each, "hook", None)
    return hook.args[0] if isinstance(hook, partial) and hook.func is _named else None


def plain_names(module: nn.Module) -> dict[str, tuple[nn.Module, str, str]]:
    """Return the names that tensors have where nothing is kept tone-free: of whom, its prefix, and their own name."""
    return {
        prefix + name: (part, prefix, name)
        for path, part in module.named_modules()
        for prefix in [f"{path}." if path else ""]
        for each in part._load_state_dict_pre_hooks.values()
        if (name := _taken(each)) is not None
    }


def as_kept(module: nn.Module, state: dict[str, Tensor]) -> bool:
    """Give tensors of a state dict, of a module without projections, the names that this has; return whether any were.

    Examples
    --------
    >>> from torchparity.nn.utils import tone_free
    >>> up = nn.ConvTranspose1d(1, 1, 4, 2, bias=False)
    >>> state = dict(up.state_dict())
    >>> as_kept(tone_free(up), state), list(state)
    (True, ['parametrizations.weight.original', 'parametrizations.weight.0.tone_free_order'])
    """
    names = [each for key, each in plain_names(module).items() if key in state and _fits(*each[::2], state[key])]
    for part, prefix, name in names:
        _named(name, part, state, prefix)
    marks = {
        key: own
        for key, own in module.state_dict().items()
        if key.endswith(MARK) and key not in state and any(each.startswith(_original(key)) for each in state)
    }
    state.update(marks)
    return bool(names or marks)


def _original(mark: str) -> str:
    """Return how names of what a projected tensor is made of begin, by the name of the mark of its projection."""
    return mark.removesuffix(f".{MARK}").rpartition(".")[0] + ".original"


def _fits(owner: Any, name: str, value: Tensor) -> bool:
    """Return whether what parametrizations make a tensor of can be computed of a value: norms want its shape."""
    made = owner.parametrizations[name]
    plain = value.layout == torch.strided and not value.is_nested and not value.is_quantized
    return made.is_tensor or (plain and value.is_floating_point() and value.shape == made.original1.shape)


def _named(name: str, owner: Any, state: dict[str, Tensor], prefix: str, *rest: Any) -> None:
    """Give a tensor the names of what parametrizations make it of, as they themselves say it: g and v of a norm."""
    made = getattr(owner, "parametrizations", {})
    if name not in made or prefix + name not in state:
        return
    value: Any = state.pop(prefix + name)
    with torch.no_grad():
        for each in reversed(made[name]):
            value = each.right_inverse(value)
    parts = {"": value} if isinstance(value, Tensor) else dict(enumerate(value))
    state.update({f"{prefix}parametrizations.{name}.original{i}": part for i, part in parts.items()})
