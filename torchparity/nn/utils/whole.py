"""Makes every layer of a model tone-free that can be, and says what could not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dspref.arrays import as_integer, complaint
from torchparity.compiled import uncompiled, uncompiled_name
from torchparity.nn.utils.construction import by_construction
from torchparity.nn.utils.kernels import Kernel, bias_of, check, check_module, learned, order_of, tensors, write
from torchparity.nn.utils.moments import longest_order
from torchparity.nn.utils.parametrize import keep_tone_free
from torchparity.nn.utils.reached import Interpolations, Kernels, Left, by_calls, by_type, out_of_sight
from torchparity.nn.utils.report import ITSELF, ToneFree, ToneFreeReport, unreached


def tone_free_(model: nn.Module, order: int = 1, *, inputs: Any = None) -> ToneFreeReport:
    """Keep all upsampling layers of a model tone-free, as `tone_free` does of one.

    Reached are `nn.ConvTranspose1d` and `torchparity.nn.SubpixelConv1d`; and, by running a copy, functional calls of
    transposed convolutions, and convolutions whose channels are interleaved by `PixelShuffle1d` or by views and swaps
    of axes of the whole tensor, with usual activations between at most, if their weight is a parameter. Not reached,
    but reported, are channels that are taken apart first and then put together, by `stack`, `cat`, `einsum` or writing
    into another tensor. With all reached a chain of convolutions, pointwise maps and sums makes of constants constants.

    The model is checked as a whole before anything in it is changed. Weights that are frozen are projected too: they
    stay frozen, and the report says so. A weight that layers of the same factor share stays shared. What is tone-free
    of that order already, or by construction as interpolation, is reported and left.

    Parameters
    ----------
    model : nn.Module
        Changed in place.
    order : int
        p, for all layers.
    inputs : tensor, tuple or function, optional
        An example of the arguments of its forward, in their order and on its device, or what makes them for a length,
        as `torchparity.rates.rates` takes it: a copy is run on them. What else raises the rate is looked for at several
        lengths: of one example by repeating it along the axis that the model takes so. By default (1, channels, 32) is
        tried, of the channels that the first layer takes.

    Returns
    -------
    ToneFreeReport
        What is tone-free now, and what was not reached and why: layers that cannot be tone-free, those that are of
        another order, weights that are computed, channels that are put together, heads, scripted parts.

    Raises
    ------
    TypeError
        If the model is no module, inputs are a dict, or given in place of the order.
    ValueError
        If nothing in it can be made tone-free, an order is too high for one of its layers, a layer is not initialised,
        or layers of different factors share a weight.
    NotAnalysable
        If the forward does not run on the inputs that are given.

    Examples
    --------
    >>> decoder = nn.Sequential(
    ...     nn.Conv1d(4, 8, 3), nn.ReLU(), nn.ConvTranspose1d(8, 4, 8, 4), nn.ReLU(), nn.ConvTranspose1d(4, 1, 4, 2)
    ... )
    >>> print(tone_free_(decoder))
    tone-free: 2 ×4, order 1
    tone-free: 4 ×2, order 1
    >>> y = decoder(torch.ones(1, 4, 32)).detach()[..., 40:-40]
    >>> torch.allclose(y, y[..., :1])
    True
    """
    _check_there(model, order)
    found, left = by_type(model)
    found, rest, fixed = by_calls(model, found, left, inputs)
    kept = {name: kernel for name, kernel in found.items() if order_of(kernel) == order}
    plan, held, left = _planned(model, found, order, [*left, *rest], kept, fixed)
    done = _noted(model, plan, order, "which is not projected there, and changes when this layer is baked")
    for kernel in plan.values():
        keep_tone_free(kernel, order)
    return ToneFreeReport((*held, *done), tuple(left))


def project_(model: nn.Module, order: int = 1, *, inputs: Any = None) -> ToneFreeReport:
    """Project the weights of all upsampling layers of a model, once: for use after a step of an optimizer.

    The same projections as of `tone_free_`, on the weights themselves: nothing is registered and nothing costs time in
    a forward, but every step of training leaves the property, until the next call. To project twice is to project
    once, to rounding. Under weight norm g·v/‖v‖ is projected, and written back as its norm and itself.

    Layers are found by their types; functional calls, and convolutions whose channels something else interleaves, only
    if inputs are given.

    Parameters
    ----------
    model : nn.Module
        Changed in place.
    order : int
        p.
    inputs : tensor, tuple or function, optional
        As for `tone_free_`; by default nothing is run, and the report says so.

    Returns
    -------
    ToneFreeReport

    Raises
    ------
    TypeError, ValueError, NotAnalysable
        As `tone_free_`.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> net = nn.Sequential(nn.ConvTranspose1d(1, 4, 8, 4), nn.Tanh(), nn.ConvTranspose1d(4, 1, 4, 2))
    >>> optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    >>> for _ in range(5):
    ...     optimizer.zero_grad()
    ...     (net(torch.randn(2, 1, 16)) - 1).square().mean().backward()
    ...     optimizer.step()
    ...     report = project_(net, inputs=torch.ones(1, 1, 16))
    >>> print(report)
    tone-free: 0 ×4, order 1
    tone-free: 2 ×2, order 1
    >>> y = net(torch.ones(1, 1, 16)).detach()[..., 20:-20]
    >>> torch.allclose(y, y[..., :1])
    True
    """
    _check_there(model, order)
    found, left = by_type(model)
    fixed: Interpolations = []
    if inputs is not None:
        found, rest, fixed = by_calls(model, found, left, inputs)
        left = [*left, *rest]
    else:
        left = [*left, *out_of_sight(model)]
    kept = {name: kernel for name, kernel in found.items() if order_of(kernel) >= order}
    plan, held, left = _planned(model, found, order, left, kept, fixed)
    done = _noted(model, plan, order, "which changes there, too")
    with torch.no_grad():
        for kernel in {id(tensors(kernel)[-1]): kernel for kernel in plan.values()}.values():
            write(kernel, kernel.projection(order)(learned(kernel)))
            if kernel.bias:
                bias = bias_of(kernel)
                bias.copy_(kernel.one_bias()(bias))
    return ToneFreeReport((*held, *done), tuple(left))


def _check_there(model: nn.Module, order: Any) -> None:
    check_module(model)
    if isinstance(order, (Tensor, tuple, list, dict)):
        raise TypeError(complaint("order", type(order).__name__, "an integer >= 1", "inputs go by name: inputs="))
    as_integer("order", order, 1)
    lazy = [name for name, p in model.named_parameters() if is_lazy(p)]
    if lazy:
        got = f"{lazy[0]} not initialised yet"
        raise ValueError(complaint("model", got, "weights", "call it on a signal first"))


def _planned(
    model: nn.Module, found: Kernels, order: int, left: Left, kept: Mapping[str, Kernel], fixed: Interpolations
) -> tuple[Kernels, list[ToneFree], Left]:
    """Return the kernels to be projected, what is tone-free without that, and the rest; refuse that alone."""
    _check_order(found, order)
    _check_shared(found)
    plan, refused = Kernels(), Left()
    for name, kernel in found.items():
        if name in kept:
            continue
        try:
            check(kernel, order)
        except (ValueError, TypeError) as error:
            refused.append((name, str(error)))
        else:
            plan[name] = kernel
    left = [*refused, *left]
    held = [ToneFree(name, k.factor, order_of(k), "by its parametrization") for name, k in kept.items()]
    fixed = [*((name, *sizes) for name, sizes in by_construction(model).items() if sizes[1]), *fixed]
    held += [ToneFree(*each, "by construction") for each in fixed]
    if not plan and not held:
        raise ValueError(_nothing(model, left, refused=bool(found)))
    return plan, held, left


def _nothing(model: nn.Module, left: Left, *, refused: bool) -> str:
    got = "no upsampling layer that can be made so" if refused else "nothing to make tone-free"
    allowed = "an upsampling layer with taps of its own"
    hint = "" if left else "nothing in it is known to raise the rate"
    return "\n".join([complaint(f"model {type(model).__name__}", got, allowed, hint), *unreached(left)])


def _check_order(found: Kernels, order: int) -> None:
    room = {name: longest_order(k.total, k.factor) for name, k in found.items() if k.total >= k.factor}
    if room and order > (longest := min(room.values())):
        name = min(room, key=lambda each: room[each])
        hint = f"{name or ITSELF} has {found[name].total} taps for factor {found[name].factor}"
        raise ValueError(complaint("order", order, f"at most {longest}", hint))


def _check_shared(found: Kernels) -> None:
    """Refuse weights that layers of different kinds use: no taps suit both."""
    users = dict[int, tuple[str, Kernel]]()
    for name, kernel in found.items():
        first, other = users.setdefault(id(tensors(kernel)[-1]), (name, kernel))
        kinds = [(k.factor, k.channels, k.dilation if k.channels else 1) for k in (kernel, other)]
        if kinds[0] != kinds[1]:
            got = f"factor {other.factor} of {first}, {kernel.factor} of {name}"
            raise ValueError(complaint("shared weight", got, "one factor and order of channels", "untie them first"))


def _noted(model: nn.Module, plan: Kernels, order: int, elsewhere: str) -> tuple[ToneFree, ...]:
    """Return the plan in words, with what a user may not expect: what becomes of a weight that others use, too."""
    last_of = {name: tensors(kernel)[-1] for name, kernel in plan.items()}
    users: dict[int, dict[str, nn.Module]] = {id(last): {} for last in last_of.values()}
    for name, p in model.named_parameters(remove_duplicate=False):
        if id(p) in users:
            users[id(p)][uncompiled_name(name)] = _owner(model, name)
    done, owners = [], {id(kernel.owner) for kernel in plan.values()}
    for name, kernel in plan.items():
        last = last_of[name]
        notes = [] if last.requires_grad else ["frozen: projected as it is"]
        others = {each: owner for each, owner in users[id(last)].items() if owner is not kernel.owner}
        if others:
            alike = all(id(owner) in owners for owner in others.values())
            notes.append(f"its weight is {', '.join(others)} too" + ("" if alike else f", {elsewhere}"))
        done.append(ToneFree(name, kernel.factor, order, "; ".join(notes)))
    return tuple(done)


def _owner(model: nn.Module, name: str) -> nn.Module:
    """Return the module that a parameter is of, whatever it is computed by there."""
    return uncompiled(model.get_submodule(name.rpartition(".")[0].partition("parametrizations")[0].rstrip(".")))
