"""Makes every layer of a model tone-free that can be, and says what could not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from dspref.arrays import as_integer, complaint
from torchparity.nn.utils.kernels import Kernel, bias_of, check, learned, order_of, tensors, write
from torchparity.nn.utils.moments import longest_order
from torchparity.nn.utils.parametrize import keep_tone_free
from torchparity.nn.utils.reached import Kernels, Left, by_calls, by_type


@dataclass(frozen=True)
class ToneFree:
    """A layer that is tone-free now.

    Attributes
    ----------
    name : str
        Of the layer; of the parameter, where a forward uses it by a functional call.
    factor, order : int
        s, and the order of the zeros at k/s.
    note : str
        What a user may not expect: that it is frozen, or shares its weight.
    """

    name: str
    factor: int
    order: int
    note: str = ""

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.name} ×{self.factor}, order {self.order}" + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True)
class ToneFreeReport:
    """What `tone_free_` and `project_` did.

    Attributes
    ----------
    done : tuple of ToneFree
    not_reached : tuple of (str, str)
        What may still make tones, and why it was not reached.
    """

    done: tuple[ToneFree, ...]
    not_reached: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """Return both lists in words."""
        left = [f"not reached: {name}: {why}" for name, why in self.not_reached]
        return "\n".join([*(f"tone-free: {each}" for each in self.done), *left])


def tone_free_(model: nn.Module, order: int = 1, inputs: Any = None) -> ToneFreeReport:
    """Keep all upsampling layers of a model tone-free, as `tone_free` does of one.

    Reached are `nn.ConvTranspose1d` and `torchparity.nn.SubpixelConv1d`; and, by running a copy, functional calls of
    transposed convolutions and convolutions whose channels are interleaved, whatever does that, if their weight is a
    parameter. With all of them tone-free a chain of convolutions, pointwise maps and sums makes of constants constants.

    The model is checked as a whole before anything in it is changed. Weights that are frozen are projected too: they
    stay frozen, and the report says so. A weight that layers of the same factor share stays shared.

    Parameters
    ----------
    model : nn.Module
        Changed in place.
    order : int
        p, for all layers.
    inputs : tensor, tuple or function, optional
        An example of the arguments of its forward, or what makes them for a length, as `torchparity.rates.rates` takes
        it. By default (1, channels, 32) is tried, of the channels that the first layer takes.

    Returns
    -------
    ToneFreeReport
        What was done, and what was not reached and why: layers that cannot be tone-free, those that are
        already, weights that are computed, heads, scripted parts.

    Raises
    ------
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
    found, rest = by_calls(model, found, left, inputs)
    plan, left = _planned(model, found, order, [*left, *rest])
    done = _noted(model, plan, order)
    for kernel in plan.values():
        keep_tone_free(kernel, order)
    return ToneFreeReport(done, tuple(left))


def project_(model: nn.Module, order: int = 1, inputs: Any = None) -> ToneFreeReport:
    """Project the weights of all upsampling layers of a model, once: for use after a step of an optimizer.

    The same projections as of `tone_free_`, on the weights themselves: nothing is registered and nothing costs time in
    a forward, but every step of training leaves the property, until the next call. To project twice is to project
    once, to rounding. Under weight norm g·v/‖v‖ is projected, and written back as its norm and itself.

    Layers are found by their types; by what the forward calls too, if inputs are given.

    Parameters
    ----------
    model : nn.Module
        Changed in place.
    order : int
        p.
    inputs : tensor, tuple or function, optional
        As for `tone_free_`; by default nothing is run.

    Returns
    -------
    ToneFreeReport

    Raises
    ------
    ValueError, NotAnalysable
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
    ...     report = project_(net)
    >>> print(report)
    tone-free: 0 ×4, order 1
    tone-free: 2 ×2, order 1
    >>> y = net(torch.ones(1, 1, 16)).detach()[..., 20:-20]
    >>> torch.allclose(y, y[..., :1])
    True
    """
    _check_there(model, order)
    found, left = by_type(model)
    if inputs is not None:
        found, rest = by_calls(model, found, left, inputs)
        left = [*left, *rest]
    kept = {name: kernel for name, kernel in found.items() if order_of(kernel) >= order}
    plan, left = _planned(model, found, order, left, kept)
    done = _noted(model, plan, order)
    with torch.no_grad():
        for kernel in {id(tensors(kernel)[-1]): kernel for kernel in plan.values()}.values():
            write(kernel, kernel.projection(order)(learned(kernel)))
            if kernel.bias:
                bias = bias_of(kernel)
                bias.copy_(kernel.one_bias()(bias))
    held = tuple(ToneFree(name, k.factor, order_of(k), "by its parametrization") for name, k in kept.items())
    return ToneFreeReport((*held, *done), tuple(left))


def _check_there(model: nn.Module, order: int) -> None:
    as_integer("order", order, 1)
    lazy = [name for name, p in model.named_parameters() if is_lazy(p)]
    if lazy:
        got = f"{lazy[0]} not initialised yet"
        raise ValueError(complaint("model", got, "weights", "call it on a signal first"))


def _planned(
    model: nn.Module, found: Kernels, order: int, left: Left, kept: Mapping[str, Kernel] = {}
) -> tuple[Kernels, Left]:
    """Return the kernels that can be projected, of those that are not kept so already; refuse the whole if none can."""
    _check_order(found, order)
    _check_shared(found)
    plan = Kernels()
    for name, kernel in found.items():
        if name in kept:
            continue
        try:
            check(kernel, order)
        except (ValueError, TypeError) as error:
            left = [*left, (name, str(error))]
        else:
            plan[name] = kernel
    if not plan and not kept:
        got = "; ".join(f"{name}: {why}" for name, why in left) or "nothing that raises the rate"
        raise ValueError(complaint(f"model {type(model).__name__}", got, "an upsampling layer with taps of its own"))
    return plan, left


def _check_order(found: Kernels, order: int) -> None:
    room = {name: longest_order(k.total, k.factor) for name, k in found.items() if k.total >= k.factor}
    if room and order > (longest := min(room.values())):
        name = min(room, key=lambda each: room[each])
        hint = f"{name} has {found[name].total} taps for factor {found[name].factor}"
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


def _noted(model: nn.Module, plan: Kernels, order: int) -> tuple[ToneFree, ...]:
    """Return the plan in words, with what a user may not expect."""
    names: dict[int, list[str]] = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(p), []).append(name)
    done = []
    for name, kernel in plan.items():
        last = tensors(kernel)[-1]
        notes = [] if last.requires_grad else ["frozen: projected as it is"]
        others = [each for each in names[id(last)] if id(last) and not _is_of(each, kernel, model)]
        notes += [f"its weight is {', '.join(others)} too"] if others else []
        done.append(ToneFree(name, kernel.factor, order, "; ".join(notes)))
    return tuple(done)


def _is_of(name: str, kernel: Kernel, model: nn.Module) -> bool:
    """Return whether a parameter's name is one within the owner of a kernel."""
    path = name.rpartition(".")[0]
    owner = path.partition("parametrizations")[0].rstrip(".") if "parametrizations" in path else path
    return model.get_submodule(owner) is kernel.owner
