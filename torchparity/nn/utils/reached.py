"""The upsampling kernels of a model: by the types of its layers, and by what its forward calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from dspref.arrays import NotAnalysable, complaint
from dspref.interpolate import Interpolate
from dspref.interpolators import Linear, Nearest
from dspref.outline import HEADS
from torchparity.compiled import named, within
from torchparity.copies import Copies, dice_kept
from torchparity.nn.basic import PixelShuffle1d
from torchparity.nn.utils.construction import ORDERS, by_construction
from torchparity.nn.utils.examples import Maker, as_tuple, longer, maker
from torchparity.nn.utils.functional import COMPUTED, Use, uses
from torchparity.nn.utils.kernels import Kernel, gap, kernel_of
from torchparity.outputs import leaves
from torchparity.rates import Rates, Resampler, rates
from torchparity.resamplers import HIDDEN

Kernels: TypeAlias = dict[str, Kernel]
"""Kernels by the names of their layers, or of their parameters."""

Left: TypeAlias = list[tuple[str, str]]
"""Names of what could not be reached, and why."""

Interpolations: TypeAlias = list[tuple[str, int, int]]
"""Their names, factors and orders."""

LENGTH = 32
"""Samples or frames on which a forward is tried, if no input is given."""


SCRIPTED = "runs out of sight: scripted"


def by_type(model: nn.Module) -> tuple[Kernels, Left]:
    """Return the kernels of layers whose types say what they do."""
    found, left = Kernels(), Left()
    for name, part in named(model):
        kernel = kernel_of(part)
        if isinstance(part, torch.jit.ScriptModule):
            if not any(why == SCRIPTED and _within(name, outer) for outer, why in left):
                left.append((name, SCRIPTED))
        elif kernel is not None and kernel.factor > 1:
            found[name] = kernel
        elif isinstance(part, (nn.ConvTranspose2d, nn.ConvTranspose3d)) and max(part.stride) > 1:
            left.append((name, "moves along several axes"))
    fixed = [name for name, (_, order) in by_construction(model).items() if not order]
    return found, [*left, *((name, "its taps are fixed, and their phases have different gains") for name in fixed)]


def _within(name: str, outer: str) -> bool:
    """Return whether a module is another, or inside of it."""
    return not outer or f"{name}.".startswith(f"{outer}.")


def out_of_sight(model: nn.Module, why: str = "not looked for.") -> Iterator[tuple[str, str]]:
    """Yield what types of layers do not say, where nothing is run: whose channels a shuffle takes, functional calls."""
    for name, part in named(model):
        if isinstance(part, PixelShuffle1d):
            yield name, "interleaves the channels of a convolution that was not looked for. Hand over inputs=."
    yield "functional calls", f"{why} Hand over inputs=."


def by_calls(model: nn.Module, found: Kernels, told: Left, inputs: Any) -> tuple[Kernels, Left, Interpolations]:
    """Return the kernels found and those that the forward uses besides, what else raises the rate, and interpolations.

    Kernels of layers whose forward uses something else, computed of them, are left out, and told with the rest.

    Raises
    ------
    NotAnalysable
        If the forward does not run on the inputs that are given.
    ValueError
        If it uses the weight of a layer that was found with another factor.
    """
    try:
        make = maker(model, inputs)
        seen: tuple[Use, ...] = _run(model, lambda copy, to: uses(copy, to(make(LENGTH))), real=inputs is not None)
    except NotAnalysable as error:
        if inputs is not None:
            raise
        return found, list(out_of_sight(model, f"not looked for: {error}")), []
    seen_before = {name for name, _ in told} | by_construction(model).keys()
    more, left = _resolved(model, found, tuple(use for use in seen if use.at not in seen_before))
    any_length = inputs is None or callable(inputs)
    makers = [make] if any_length else list(longer(as_tuple(inputs)))
    hint = "" if any_length else " One example has one length: hand over a function of it."
    scripted = [name for name, why in told if why == SCRIPTED]
    rated = _rated(model, makers)
    rest = _rest(rated, seen_before | found.keys(), Counter(use.at for use in seen), hint)
    left += [(name, why) for name, why in rest if not any(_within(name, outer) for outer in scripted)]
    lost = {name for name, _ in left}
    kernels = {name: kernel for name, kernel in {**found, **more}.items() if name not in lost}
    return kernels, left, list(_interpolated(rated, seen_before))


def _run(model: nn.Module, does: Callable[[nn.Module, Callable[[Any], Any]], Any], *, real: bool = False) -> Any:
    """Return what is done to a copy: on shapes alone, else for real.

    Where it is to be real it is so at once, but for weights that are not there: by shapes alone Torch takes what it
    refuses else, as other channels than those of a transposed convolution.
    """
    copies, failure = Copies(model, own=True), ""
    cards = sorted({p.device.index for p in model.parameters() if p.device.type == "cuda"})
    for device in (None,) if real and not any(p.is_meta for p in model.parameters()) else ("meta", None):

        def to(args: Any, device: str | None = device) -> Any:
            return tree_map_only(Tensor, lambda t: t.to(device) if device else t.detach().clone(), args)

        def run(copy: nn.Module, _: Any, device: str | None = device, to: Callable[[Any], Any] = to) -> Any:
            return does(copy.to(device) if device else copy, to)

        try:
            with torch.inference_mode(False), dice_kept(), torch.random.fork_rng(cards):
                return copies.run(run)
        except Exception as error:  # whatever a stranger's forward raises
            failure = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    raise NotAnalysable(complaint("forward", failure, "inputs that the model takes"))


def _resolved(model: nn.Module, found: Kernels, seen: tuple[Use, ...]) -> tuple[Kernels, Left]:
    paths = {id(part): name for name, part in named(model)}
    known = {".".join(filter(None, (paths[id(k.owner)], k.weight))): (name, k) for name, k in found.items()}
    more, left = Kernels(), Left()
    for use in sorted(dict.fromkeys(seen), key=_gapped):  # a weight is known by a use that its taps can suit
        path, _, weight = use.weight.rpartition(".")
        if use.weight in known:
            name, kernel = known[use.weight]
            _check_alike(use, name, kernel)
            if _gapped(use) != _gapped(kernel):
                left.append((use.at, gap(use.dilation, use.factor) or f"its weight is that of {name}, which has none"))
        elif (use.at not in found or found[use.at].factor == use.factor) and (why := _unreached(model, use)):
            left.append((use.at, why))
        elif use.at not in found:
            bias = use.bias.rpartition(".")[2] if use.channels else ""
            rest: dict[str, Any] = {
                "bias": bias,
                "channels": use.channels,
                "dilation": use.dilation,
                "groups": use.groups,
            }
            kernel = Kernel(within(model, path), weight, use.taps, use.factor, **rest)
            known[use.weight] = use.weight, kernel
            more[use.weight] = kernel
    return more, left


def _gapped(use: Use | Kernel) -> bool:
    """Return whether no tone-free taps suit a transposed convolution, by its dilation."""
    return not use.channels and bool(gap(use.dilation, use.factor))


def _check_alike(use: Use, name: str, kernel: Kernel) -> None:
    """Refuse a use of a weight whose conditions are others than those of the one that is known."""
    for what in ("factor", "channels", *(["dilation"] if use.channels else [])):
        here, there = getattr(use, what), getattr(kernel, what)
        if here != there:
            got = f"used with {what} {here} at {use.at}, and with {there} by {name}"
            raise ValueError(complaint(f"weight {use.weight}", got, f"one {what}", "no taps suit both alike"))


def _unreached(model: nn.Module, use: Use) -> str:
    """Return why a kernel that a call uses cannot be projected; nothing if it can."""
    path = use.weight.rpartition(".")[0]
    if not use.weight:
        return "its weight is no parameter: it is computed in the forward, or has several axes"
    if isinstance(within(model, path), (nn.ParameterList, nn.ParameterDict)):
        return f"its weight {use.weight} is in a {type(within(model, path)).__name__}"
    if use.channels and use.bias == COMPUTED:
        return "its bias is no parameter: it is computed in the forward"
    if use.channels and use.bias and use.bias.rpartition(".")[0] != path:
        return f"its bias {use.bias} is another module's than its weight {use.weight}"
    return ""


def _interpolated(told: Rates | str, known: AbstractSet[str]) -> Iterator[tuple[str, int, int]]:
    """Yield the interpolations that a forward calls: their names, factors, and orders of their zeros at k/s."""
    for each in () if isinstance(told, str) else told.net:
        if isinstance(each.layer, (Nearest, Linear)) and each.factor > 1 and each.name not in known:
            yield each.name, int(each.factor), ORDERS[each.layer.op]


def _rest(told: Rates | str, known: AbstractSet[str], seen: Counter[str], hint: str) -> Iterator[tuple[str, str]]:
    """Yield what else raises the rate and makes lines, as rates of all tensors tell it.

    One name may be that of several calls: as many as were seen are told already.
    """
    if isinstance(told, str):
        yield "other ways to upsample", f"not looked for: {told}{hint}"
        return
    for each in told.net:
        if each.factor <= 1 or each.name in known or isinstance(each.layer, (Nearest, Linear, Interpolate)):
            continue
        seen[each.name] -= 1
        if seen[each.name] < 0:
            yield each.name, _words(each)
    for words in told.not_understood:
        if words.endswith(HIDDEN):
            yield "" if words.startswith("the module ") else words.split(" ")[0], words


def _rated(model: nn.Module, makers: Sequence[Maker]) -> Rates | str:
    """Return rates by the first of makers of inputs that the model takes, or why there are none."""
    why = "the example has no time"
    for make in makers:
        try:
            return _rates(model, make)
        except NotAnalysable as error:
            why = str(error)
    return why


def _rates(model: nn.Module, make: Maker) -> Rates:
    def longest(y: Any) -> Tensor:
        return max((t for _, t in leaves(y)), key=lambda t: t.shape[-1] if t.ndim else 0)

    found: Rates = _run(model, lambda copy, to: rates(copy, lambda n: to(make(n)), output_of=longest))
    return found


def _words(each: Resampler) -> str:
    """Return why the lines of something that raises the rate stay."""
    if each.layer is None:
        return f"{each.kind} ×{each.factor}: {each.why}"
    kind = f"{each.kind} ×{each.factor}"
    if each.layer.op == "unsqueeze":
        return f"{kind}: interleaves what is not seen to be the channels of one convolution"
    if each.layer.op in HEADS:
        return f"{kind}: a head, whose taps are not learned"
    return f"{kind} ({each.layer.op}): no parameter of a convolution is seen to be its kernel"
