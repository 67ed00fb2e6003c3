"""Any nn.Module as the network of draws that it is before training: `walked`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_leaves

from dspref.arrays import NotAnalysable, as_integer, complaint
from dspref.expected.graph import Network
from torchparity.calls import own_channels
from torchparity.drafts import Draft, reached
from torchparity.finished import finished
from torchparity.initial_laws import Asked, Law
from torchparity.movements import SHORTEST
from torchparity.rules import RULES, STILL
from torchparity.trace import Trace
from torchparity.uncovered import CLOSED, OPAQUE

LENGTHS = (64, 512, 4096, 32768, 131072)
"""Input samples that are tried: the innermost layer needs some, too."""

REAL = 4096
"""Most samples for which values are computed where shapes alone will not do."""


@dataclass(frozen=True)
class Walked:
    """A module as a network.

    Attributes
    ----------
    network : Network
        Its places are named after its modules.
    channels : int
        Of the input.
    remarks : tuple of str
        What was assumed, or measured.
    laws : tuple of Law
        What each layer draws from.
    """

    network: Network
    channels: int
    remarks: tuple[str, ...]
    laws: tuple[Law, ...]


def walked(
    module: nn.Module,
    *,
    channels: int | None = None,
    length: int | None = None,
    rescale: float | None = None,
    init: tuple[str, float] | str | None = None,
) -> Walked:
    """Return a module as the network of independent draws that it is before training.

    Its own forward is run on shapes alone, on the meta device, in evaluation mode, and every call is followed: layers
    and functions, by whatever names; weight norm, by either interface; skips, added or side by side. Where values
    decide, it is run for real. The module is left as it is. Weights are looked at to see which law they are drawn
    from (`torchparity.initial_laws`).

    What is not covered becomes `Unknown`: recurrent and normalising layers, attention, products of two signals but for
    gates, kernels that are used twice, kernels made of the signal, and whatever else is not known by its name.

    Parameters
    ----------
    module : nn.Module
        From (batch, channel, time) to one tensor; on the meta device, if its weights need not be there.
    channels : int, optional
        Of the input; those of the first layer, if not given.
    length : int, optional
        Input samples to run it with; found, if not given.
    rescale : float, optional
        Reference of Demucs's rescaling, for all convolutions.
    init : str or (str, number), optional
        A law for all layers in place of what their weights show, as ``("normal", 0.02)``, see
        `dspref.expected.initialised`.

    Returns
    -------
    Walked

    Raises
    ------
    NotAnalysable
        If the module does not take such an input, or its weights are no independent draws of mean zero.
    ValueError
        If weights are not finite or all the same.

    Examples
    --------
    >>> found = walked(nn.Sequential(nn.Conv1d(80, 64, 7), nn.LeakyReLU(0.2), nn.ConvTranspose1d(64, 1, 16, 8, 4)))
    >>> for node in found.network:
    ...     print(node.name, type(node.op).__name__, node.inputs)
    0 Drawn ('input',)
    1 Pointwise ('0',)
    2 Drawn ('1',)
    """
    asked = Asked(init, rescale)
    if not isinstance(module, nn.Module):
        raise TypeError(complaint("module", type(module).__name__, "a torch.nn.Module", "call the factory first"))
    C = own_channels(module, 1) if channels is None else as_integer("channels", channels, 1)
    output, peeked = _read(_copied(module), C, None if length is None else as_integer("length", length, 1))
    network, laws, remarks = finished(output, asked)
    if peeked:
        remarks = ("the module asks for values of its signal: what it does to one draw of noise was followed", *remarks)
    if any(p.is_meta for p in module.parameters()) and laws:
        remarks = ("no values on the meta device: layers are taken to draw from the laws of their classes", *remarks)
    return Walked(network, C, remarks, laws)


def _copied(module: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode that shares the parameters."""
    memo: dict[int, Any] = {id(p): p for p in module.parameters()}
    for name, p in module.named_parameters():
        if is_lazy(p):
            raise NotAnalysable(complaint(f"parameter {name}", "not initialised", "weights", "call the module first"))
    for part in module.modules():
        for v in vars(part).values():
            if isinstance(v, Tensor) and not v.is_leaf:
                memo[id(v)] = v.detach().clone()
    try:
        return copy.deepcopy(module, memo).eval()
    except Exception as error:  # whatever a stranger's module holds
        raise NotAnalysable(complaint("module", f"no copy of it ({error})", "one that deepcopy copies")) from error


def _read(module: nn.Module, channels: int, length: int | None) -> tuple[Draft, bool]:
    """Return the output as a place, from the first run in which no layer was too short to read, and if it peeked."""
    found, shown, errors = None, 0, list[Exception]()
    for T, device in _tries(module, length):
        if device == "cpu" and shown == T:
            continue
        x = torch.randn(1, channels, T, generator=torch.Generator().manual_seed(0), device="cpu")
        try:
            output, trace = _run(module, x.to(device, _dtype(module)))
        except NotAnalysable:
            raise
        except Exception as error:  # whatever a stranger's forward raises
            errors.append(error)
            continue
        found, shown = (output, trace.peeked), T
        if not trace.reader.lost and _long(output):
            break
    if found is None:
        raise _refusal(channels, errors)
    return found


def _tries(module: nn.Module, length: int | None) -> Iterator[tuple[int, str]]:
    """Yield lengths and devices: shapes alone first."""
    valid, there = getattr(module, "valid_length", None), not any(p.is_meta for p in module.parameters())
    lengths = [length] if length is not None else [int(valid(T)) if callable(valid) else T for T in LENGTHS]
    for T in sorted(set(lengths)):
        yield T, "meta"
        if there and (T <= REAL or length is not None):
            yield T, "cpu"


def _dtype(module: nn.Module) -> torch.dtype:
    return next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.get_default_dtype())


def _run(module: nn.Module, x: Tensor) -> tuple[Draft, Trace]:
    """Return the one output as a place, and what was seen on the way."""
    trace = Trace(module, RULES, OPAQUE, CLOSED, STILL)
    trace.start(x)
    with trace.watching():
        y = module(x)
    signals = [trace.values[id(t)] for t in tree_leaves(y) if isinstance(t, Tensor) and id(t) in trace.values]
    if len(signals) != 1:
        got = f"{len(signals)} tensors that depend on the input"
        hint = "wrap the module so that it returns the waveform alone"
        raise NotAnalysable(complaint("module output", got, "one", hint))
    return trace.reader.settled(signals[0]).whole, trace


def _long(output: Draft) -> bool:
    """Return whether every place that counts has enough samples to read patterns from."""
    return all(x.time >= 2 * SHORTEST for x in reached(output) if not x.dark)


def _refusal(channels: int, errors: list[Exception]) -> NotAnalysable:
    error = errors[-1]  # where it ran for real, if it did
    got = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    hint = "say channels and length; where the module wants more than one tensor, wrap it in one that wants one"
    return NotAnalysable(complaint(f"input (1, {channels}, time)", got, "an input that the module takes", hint))
