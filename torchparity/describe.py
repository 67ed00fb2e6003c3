"""From Torch modules to the layers of `dspref`: what a module does, said in full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from dspref.arrays import NotAnalysable, complaint
from dspref.chain import Chain, Stage
from dspref.layers import Conv
from torchparity.dispatch import Description, guard, law_of, register
from torchparity.laws import shuffled
from torchparity.nn import PixelShuffle1d

__all__ = ["Description", "Part", "describe", "evaluated", "parts", "register"]

_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.AlphaDropout, nn.FeatureAlphaDropout)


@dataclass(frozen=True)
class Part:
    """A piece of a module that is described as one: the names of its submodules, how to run it, its stages."""

    names: tuple[str, ...]
    module: nn.Module
    stages: tuple[Stage, ...]


def describe(module: nn.Module) -> Description:
    """Return what a module does, as a layer with its weights, or as a `Chain` for a Sequential.

    Weights keep their dtype. Weight norm, by either of Torch's interfaces, is computed into the weight;
    the module is left as it is. In a Sequential, nested ones are flattened, Identity (and Dropout in
    evaluation mode) dropped, and a Conv1d followed by a PixelShuffle1d is one `SubpixelConv`.

    Parameters
    ----------
    module : nn.Module

    Returns
    -------
    Layer, Pointwise or Chain

    Raises
    ------
    NotAnalysable
        If the type is unknown, forward is overridden or hooked, weights are not there (meta device, lazy
        modules), or the parameters say what `dspref` has no law for.

    Examples
    --------
    >>> describe(nn.ConvTranspose1d(1, 1, 16, stride=8, padding=4)).normal.offset
    4
    """
    _check_module(module)
    try:
        with torch.no_grad(), evaluated(module):
            return law_of(module)
    except NotAnalysable:
        raise
    except (ValueError, TypeError) as error:  # parameters that dspref refuses
        raise NotAnalysable(f"{type(module).__name__}: {error}") from error
    except (Exception, SystemExit) as error:  # weights that can't be computed, or a law that fails
        raise NotAnalysable(f"{type(module).__name__}: its law raised {type(error).__name__}: {error}") from error


def parts(module: nn.Module) -> tuple[Part, ...]:
    """Return the pieces of a module that are described one by one: those of a Sequential, or itself.

    Examples
    --------
    >>> [part.names for part in parts(nn.Sequential(nn.Identity(), nn.Conv1d(1, 2, 3), PixelShuffle1d(2)))]
    [('1', '2')]
    """
    if law_of.dispatch(type(module)) is not law_of.dispatch(nn.Sequential):
        return (Part((), module, _stages(describe(module))),)
    found: list[Part] = []
    for name, leaf in _leaves(module, ""):
        if isinstance(leaf, nn.Identity) or (isinstance(leaf, _DROPOUTS) and not leaf.training):
            continue
        last = found[-1] if found else None
        if isinstance(leaf, PixelShuffle1d) and last and len(last.stages) == 1 and isinstance(last.stages[0], Conv):
            guard(leaf, PixelShuffle1d)
            found[-1] = Part((*last.names, name), nn.Sequential(last.module, leaf), (shuffled(last.stages[0], leaf),))
            continue
        try:
            found.append(Part((name,), leaf, _stages(describe(leaf))))
        except NotAnalysable as error:
            raise NotAnalysable(f"submodule '{name}': {error}") from error
    return tuple(found)


@contextmanager
def evaluated(module: nn.Module) -> Iterator[None]:
    """Hold the module in evaluation mode, so that reading a weight updates no running estimate."""
    flags = [(m, m.training) for m in module.modules() if not isinstance(m, _DROPOUTS)]
    try:
        for m, _ in flags:
            m.training = False
        yield
    finally:
        for m, flag in flags:
            m.training = flag


def _check_module(module: object) -> None:
    if not isinstance(module, nn.Module):
        hint = "torchparity.probe takes functions"
        raise TypeError(complaint("module", type(module).__name__, "a torch.nn.Module", hint))


def _stages(description: Description) -> tuple[Stage, ...]:
    return description.stages if isinstance(description, Chain) else (description,)


def _leaves(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    """Yield names and modules in the order of running; one that stands twice, runs twice."""
    if law_of.dispatch(type(module)) is not law_of.dispatch(nn.Sequential):
        yield path, module
        return
    guard(module, nn.Sequential)
    for name, child in module._modules.items():
        if child is not None:
            yield from _leaves(child, f"{path}.{name}" if path else name)


@register(nn.Sequential)
def _sequential(module: nn.Sequential) -> Chain:
    return Chain(stage for part in parts(module) for stage in part.stages)
