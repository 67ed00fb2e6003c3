"""Kernels that a forward uses by functional calls, and convolutions whose channels it interleaves: found by running it.

A parameter is known by being the very tensor that the call is given. What moves samples is done to their numbers too:
if numbers of a convolution's output come out in turn, phase by phase, it was a sub-pixel convolution.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList
from torch.overrides import TorchFunctionMode

from dspref.multirate import ORDERS
from torchparity.followed import called
from torchparity.nn.basic import PixelShuffle1d
from torchparity.resamplers import MOVES, VIEWS

POINTWISE = frozenset(("relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "dropout"))
"""Maps of single samples, all alike: they may stand between a convolution and the shuffle of its channels."""

COMPUTED = "(computed)"
"""Stands for the name of a bias that is no parameter."""

SEVERAL = ("conv_transpose2d", "conv_transpose3d")


@dataclass(frozen=True)
class Use:
    """A kernel at work as an upsampler.

    Attributes
    ----------
    at : str
        Where the rate rises: path of the module, with the function if that does more.
    weight, bias : str
        Full names of the parameters. A weight that is none has an empty name; a bias too where there is none, and
        `COMPUTED` where it is no parameter.
    taps, factor, dilation, groups : int
    channels : str
        Order of the channels of a sub-pixel convolution, else empty.
    """

    at: str
    weight: str
    bias: str
    taps: int
    factor: int
    dilation: int = 1
    groups: int = 1
    channels: str = ""


@dataclass(frozen=True)
class Moved:
    """A tensor that is the output of a convolution, moved.

    Attributes
    ----------
    tensor, numbers, first : Tensor
        Itself; the numbers of its samples, and as they were at first.
    use : Use
        The convolution.
    at : str
        Where a view made other axes of them last, up to their being interleaved: there the rate rises, if it does.
    told : tuple of Use
        As what it was noted.
    """

    tensor: Tensor
    numbers: Tensor
    first: Tensor
    use: Use
    at: str = ""
    told: tuple[Use, ...] = ()


def uses(module: nn.Module, args: tuple[Any, ...]) -> tuple[Use, ...]:
    """Return the upsampling kernels of one forward, call by call, and of which parameters they are.

    Parameters
    ----------
    module : nn.Module
    args : tuple
        Arguments of its forward.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv1d(1, 6, 3), nn.ReLU(), PixelShuffle1d(2))
    >>> uses(net, (torch.ones(1, 1, 9),))
    (Use(at='2', weight='0.weight', bias='0.bias', taps=3, factor=2, dilation=1, groups=1, channels='crd'),)
    """
    watcher = _Watcher(module)
    with watcher.watching(), torch.no_grad(), watcher:
        module(*args)
    return tuple(watcher.found)


class _Watcher(TorchFunctionMode):
    """Keeps convolutions and the numbers of their outputs while a module runs."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.names = {id(part): name for name, part in module.named_modules()}
        self.parameters = {id(p): name for name, p in module.named_parameters()}
        self.within: list[nn.Module] = [module]
        self.found: list[Use] = []
        self.made: list[Tensor] = []  # kept, so that no other gets their id
        self.moved: dict[int, Moved] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Know which module is at work."""
        hooks = torch.nn.modules.module
        handles = [
            hooks.register_module_forward_pre_hook(lambda part, args: self.within.append(part)),
            hooks.register_module_forward_hook(self._left, always_call=True),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _left(self, part: nn.Module, args: Any, y: Any) -> None:
        if isinstance(part, ParametrizationList) and isinstance(y, Tensor):  # a weight under a norm has its name too
            self.parameters[id(y)] = self.names[id(part)].replace("parametrizations.", "")
            self.made.append(y)
        if len(self.within) > 1:
            self.within.pop()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do one call, and look at it."""
        kwargs = kwargs or {}
        out, name = func(*args, **kwargs), called(func)
        if name in ("conv1d", "conv_transpose1d"):
            self._convolved(name, out, args, kwargs)
        elif name in SEVERAL and max(_ints(_given(args, kwargs, 3, "stride", 1))) > 1:
            shape, s = _given(args, kwargs, 1, "weight").shape, max(_ints(_given(args, kwargs, 3, "stride", 1)))
            self.found.append(Use(self._at(name), "", "", shape[-1], s))
        elif name in MOVES | POINTWISE and args and id(args[0]) in self.moved and isinstance(out, Tensor):
            was = self.moved[id(args[0])]
            numbers = func(was.numbers, *args[1:], **kwargs) if name in MOVES else was.numbers
            viewed = name in VIEWS and numbers.shape != was.numbers.shape and not was.told
            here = replace(was, tensor=out, numbers=numbers, at=self._at(name) if viewed else was.at)
            self.moved[id(out)] = self._noted(here)
        return out

    def _convolved(self, name: str, out: Tensor, args: Any, kwargs: Any) -> None:
        weight, bias = _given(args, kwargs, 1, "weight"), _given(args, kwargs, 2, "bias")
        (s,) = _ints(_given(args, kwargs, 3, "stride", 1))
        (d,) = _ints(_given(args, kwargs, *((7, "dilation", 1) if "transpose" in name else (5, "dilation", 1))))
        names = self._name(weight, "weight"), "" if bias is None else self._name(bias, "bias") or COMPUTED
        groups = _given(args, kwargs, 6, "groups", 1)
        use = Use(self._at(name), *names, weight.shape[-1], s, d, groups)
        if "transpose" in name and s > 1:
            self.found.append(use)
        elif s == 1 and "transpose" not in name:
            numbers = torch.arange(out.numel(), device="cpu").reshape(out.shape)
            self.moved[id(out)] = Moved(out, numbers, numbers, use, use.at)

    def _noted(self, here: Moved) -> Moved:
        """Note a shuffle, if the numbers are where one puts them, and once."""
        numbers, first = here.numbers, here.first
        L = numbers.shape[-1] // first.shape[-1] if numbers.ndim == first.ndim else 1
        if L < 2 or first.shape[-2] % L or numbers.shape[-2] * L != first.shape[-2]:
            return here
        for channels in ORDERS:
            if torch.equal(PixelShuffle1d(L, order=channels)(first), numbers):
                use = replace(here.use, at=here.at, factor=L, channels=channels)
                self.found += [use] if use not in here.told else []
                return replace(here, told=(*here.told, use))
        return here

    def _at(self, name: str) -> str:
        """Return where something happens, as `torchparity.rates` names it."""
        part = next(each for each in reversed(self.within) if id(each) in self.names)  # a layer may make others
        where = self.names[id(part)]
        alone = where and not any(child != "parametrizations" for child, _ in part.named_children())
        return where if alone else f"{where}.{name}".lstrip(".")

    def _name(self, tensor: Tensor, own: str) -> str:
        """Return the full name of a parameter; of one that a hook computes of others, its name in the layer."""
        part = self.within[-1]
        if id(tensor) not in self.parameters and vars(part).get(own) is tensor:
            return ".".join(filter(None, (self.names.get(id(part), ""), own)))
        return self.parameters.get(id(tensor), "")


def _given(args: Any, kwargs: Any, place: int, name: str, default: Any = None) -> Any:
    return args[place] if len(args) > place else kwargs.get(name, default)


def _ints(value: Any) -> tuple[int, ...]:
    return (int(value),) if isinstance(value, int) else tuple(value)
