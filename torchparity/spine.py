"""What upsamples in a module: its chain, whole or in outline, and what could not be described."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

import torch
from torch import Tensor, nn

from dspref.arrays import NotAnalysable, complaint
from dspref.chain import Chain, Stage
from torchparity.calls import alike, own_dtype
from torchparity.describe import describe
from torchparity.rates import plain, rates
from torchparity.ways import draws


@dataclass(frozen=True)
class Seen:
    """What resamples: its name, its description or why it has none, and whether its lines reach the output."""

    name: str
    kind: str
    layer: Stage | None
    reason: str
    net: bool = True

    @property
    def factor(self) -> Fraction:
        """Output rate over input rate, 1 where not described."""
        return Fraction(1) if self.layer is None else Fraction(self.layer.factor)


@dataclass(frozen=True)
class Spine:
    """The upsampling chain of a module.

    Attributes
    ----------
    chain : Chain
        The whole module if `describe` knows it, else the outlines of its net upsamplers, in the order in which they
        ran. Layers that keep the rate neither move lines nor own them.
    whole : bool
        Whether `chain` is the whole module.
    seen : tuple of Seen
        All that resamples.
    rate : Fraction
        Output samples per input sample.
    hidden : tuple of str
        What was not understood, with the reason.
    grown : int
        `Rates.length`: with another draw of the same module, shorter ones need not be tried again.
    """

    chain: Chain
    whole: bool
    seen: tuple[Seen, ...]
    rate: Fraction
    hidden: tuple[str, ...] = ()
    grown: int = 0

    @property
    def undescribed(self) -> tuple[Seen, ...]:
        """What resamples and could not be described."""
        return tuple(s for s in self.seen if s.layer is None)


def spine(module: nn.Module, channels: int, *, length: int = 32, first: int = 0) -> Spine:
    """Run `module` on noise of (1, channels, length) and more, and read its upsampling chain off the rates on the way.

    `first` is the least length that rates are looked for with.

    Raises
    ------
    NotAnalysable
        If the module refuses the input, returns no single real tensor, answers at random, does not grow with its
        input, or if its ways have lines that do not fit each other.
    """
    _check_device(module)
    inputs_of = plain(module, channels)
    x = inputs_of(length)[0]
    y = run(module, x)
    if not alike(y.numpy(), run(module, x).numpy(), own_dtype(module)):
        _refuse_chance(module, x)
    found = rates(module, inputs_of, first=first)
    chain = _chain(module)
    whole = chain is not None and chain.factor == found.chain.factor == found.rate
    seen = tuple(Seen(r.name, r.kind, r.layer, r.why, r.net) for r in found.resamplers)
    return Spine(
        chain if whole and chain is not None else found.chain,
        whole,
        seen,
        found.rate,
        found.not_understood,
        found.length,
    )


def _chain(module: nn.Module) -> Chain | None:
    """Return the chain that the whole module is, if it is described and only keeps or raises the rate."""
    try:
        described = describe(module)
        chain = described if isinstance(described, Chain) else Chain([described])
        return chain if chain.factor else None
    except NotAnalysable:
        return None


def _refuse_chance(module: nn.Module, x: Tensor) -> NoReturn:
    """Refuse a module that answers at random, and name the calls that draw."""
    drawn = draws(module, x)
    got, hint = "another output for the same input", "keep no state between calls, and draw from no other generator"
    if drawn:
        got += f", as it draws random numbers: {', '.join(drawn[:4])}{' and more' if len(drawn) > 4 else ''}"
        hint = "switch dropout off; let noise be an argument, which --inputs gives, or wrap the module and set it to 0"
    raise NotAnalysable(complaint("module", got, "a deterministic module", hint))


def _check_device(module: nn.Module) -> None:
    for name, p in module.named_parameters():
        if p.device.type != "cpu":
            raise NotAnalysable(complaint(f"device of {name}", p.device, "cpu", "hand over module.cpu(), with weights"))


def run(module: nn.Module, x: Tensor) -> Tensor:
    """Return the module's output as (batch, channel, time), or refuse with the reason."""
    try:
        with torch.no_grad():
            y = module(x)
    except (Exception, SystemExit) as error:  # whatever a stranger's forward raises, it does not take this input
        got = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        hint = (
            "say another shape with --input CHANNELS or BATCH,CHANNELS,TIME; where the module wants more than one "
            "tensor, wrap it in one that wants one"
        )
        what = f"input of shape {tuple(x.shape)}"
        raise NotAnalysable(complaint(what, got, "an input that the module takes", hint)) from error
    if not isinstance(y, Tensor) or y.ndim not in (2, 3):
        got = f"shape {tuple(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        hint = "wrap the module so that it returns the waveform alone"
        raise NotAnalysable(complaint("module output", got, "one tensor (batch, channel, time)", hint))
    if not y.is_floating_point() or y.numel() == 0:
        got = f"{str(y.dtype).removeprefix('torch.')} of shape {tuple(y.shape)}"
        raise NotAnalysable(complaint("module output", got, "real samples, at least one"))
    if not torch.isfinite(y).all():
        allowed = "finite samples"
        raise NotAnalysable(complaint("module output", "NaN or infinite samples", allowed, "check its weights"))
    return y[:, None] if y.ndim == 2 else y
