"""Any nn.Module as the network of draws that it is before training: `walked`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from dspref.arrays import NotAnalysable, as_integer, complaint
from dspref.expected.graph import Network
from torchparity.calls import own_channels
from torchparity.compiled import uncompiled
from torchparity.copies import Copies, Guarded, dice_kept
from torchparity.drafts import Draft, reached
from torchparity.finished import finished
from torchparity.initial_laws import Asked, Law
from torchparity.lengths import BUDGET, compared, others
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
    from (`torchparity.initial_laws`). A tone-free layer is a sum of branches, as its weights show
    (`torchparity.projected`).

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
    module = uncompiled(module)
    C = own_channels(module, 1) if channels is None else as_integer("channels", channels, 1)
    copies = Copies(module)
    with dice_kept():
        output, peeked, at = _read(copies, C, None if length is None else as_integer("length", length, 1))
    network, laws, remarks = finished(output, asked)
    if at:
        remarks = (f"read with {at} samples alone: it takes no other length that was tried", *remarks)
    if copies.silent:
        words = ", ".join(copies.silent)
        remarks = (f"hooks were not called, and are taken to change nothing: those of {words}", *remarks)
    if peeked:
        remarks = ("the module asks for values of its signal: what it does to one draw of noise was followed", *remarks)
    if any(p.is_meta for p in module.parameters()) and laws:
        remarks = ("no values on the meta device: layers are taken to draw from the laws of their classes", *remarks)
    return Walked(network, C, remarks, laws)


def _read(copies: Copies, channels: int, length: int | None) -> tuple[Draft, bool, int]:
    """Return the output as a place, from the first run in which no layer was too short to read, and if it peeked.

    The third is the number of samples, if there is no other length with which it could be compared.
    """
    found, shown, errors = None, 0, list[Exception]()
    for T, device in _tries(copies.module, length):
        if device == "cpu" and shown == T:
            continue
        try:
            output, trace = _run(copies, channels, T, device)
        except NotAnalysable:
            raise
        except Exception as error:  # whatever a stranger's forward raises
            errors.append(error)
            continue
        found, shown = (output, trace, T, device), T
        if not trace.reader.lost and _long(output):
            break
    if found is None:
        raise _refusal(channels, errors)
    output, trace, T, device = found
    size = sum(x.size for x in trace.reader.drafts.places) if device == "meta" and not output.dark else BUDGET
    second = _second(copies, channels, T, device, size)
    return (output if second is None else compared(output, second)), trace.peeked, 0 if second is not None else T


def _second(copies: Copies, channels: int, time: int, device: str, size: int) -> Draft | None:
    """Return the output at another length, None if there is none that the module takes."""
    for T in others(time, size):
        try:
            return _run(copies, channels, _valid(copies.module, T), device)[0]
        except Exception:  # whatever a stranger's forward raises at a length that it does not take
            continue
    return None


def _valid(module: nn.Module, time: int) -> int:
    """Return the length that a module says it takes."""
    valid = getattr(module, "valid_length", None)
    return int(valid(time)) if callable(valid) else time


def _tries(module: nn.Module, length: int | None) -> Iterator[tuple[int, str]]:
    """Yield lengths and devices: shapes alone first."""
    there = not any(p.is_meta for p in module.parameters())
    lengths = [length] if length is not None else [_valid(module, T) for T in LENGTHS]
    for T in sorted(set(lengths)):
        yield T, "meta"
        if there and (T <= REAL or length is not None):
            yield T, "cpu"


def _dtype(module: nn.Module) -> torch.dtype:
    return next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.get_default_dtype())


def _run(copies: Copies, channels: int, time: int, device: str) -> tuple[Draft, Trace]:
    """Return the one output as a place, and what was seen on the way."""
    x = torch.randn(1, channels, time, generator=torch.Generator().manual_seed(0), device="cpu")
    x = x.to(device, _dtype(copies.module))
    y, trace = copies.run(lambda module, guarded: _followed(module, guarded, x))
    found = [trace.signal(t) for t in tree_leaves(y) if isinstance(t, Tensor)]
    signals = [each for each in found if each is not None]
    if len(signals) != 1:
        got = f"{len(signals)} tensors that depend on the input"
        hint = "wrap the module so that it returns the waveform alone"
        raise NotAnalysable(complaint("module output", got, "one", hint))
    return trace.reader.settled(signals[0]).whole, trace


def _followed(module: nn.Module, guarded: Guarded, x: Tensor) -> tuple[Any, Trace]:
    trace = Trace(module, RULES, OPAQUE, CLOSED, STILL, guarded)
    trace.start(x)
    with trace.watching():
        return module(x), trace


def _long(output: Draft) -> bool:
    """Return whether every place that counts has enough samples to read patterns from."""
    return all(x.time >= 2 * SHORTEST for x in reached(output) if not x.dark)


def _refusal(channels: int, errors: list[Exception]) -> NotAnalysable:
    error = errors[-1]  # where it ran for real, if it did
    got = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    hint = "say channels and length; where the module wants more than one tensor, wrap it in one that wants one"
    return NotAnalysable(complaint(f"input (1, {channels}, time)", got, "an input that the module takes", hint))
