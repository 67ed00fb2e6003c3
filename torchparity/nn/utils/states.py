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
    projection.register_buffer(MARK, torch.tensor(projection.order, device=device))
    projection.register_load_state_dict_pre_hook(_same_order)


def marked_anew(projection: Any) -> None:
    """Write the order again: a meta device held nothing."""
    setattr(projection, MARK, torch.tensor(projection.order, device=getattr(projection, MARK).device))


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
    if not found.is_meta and int(found) != projection.order:
        hint = "tone_free_ the model with the order of the checkpoint, then load"
        errors.append(complaint(key, int(found), f"{projection.order}, the order of the model", hint))
    state[key] = torch.tensor(projection.order, device="cpu" if found.is_meta else found.device)


def take_plain(owner: nn.Module, name: str) -> None:
    """Let a layer load its tensor from the state dict of a layer without parametrizations, too."""
    owner.register_load_state_dict_pre_hook(partial(_named, name))  # type: ignore[no-untyped-call]


def take_plain_no_more(owner: nn.Module, name: str) -> None:
    """End it."""
    for key, each in list(owner._load_state_dict_pre_hooks.items()):
        hook: Any = getattr(each, "hook", None)
        if isinstance(hook, partial) and hook.func is _named and hook.args == (name,):
            del owner._load_state_dict_pre_hooks[key]


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
