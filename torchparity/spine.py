"""What upsamples in a module: its chain, whole or in outline, and what could not be described."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NoReturn

import torch
from torch import Tensor, nn

from dspref.arrays import NotAnalysable, complaint
from dspref.chain import Chain, Stage
from dspref.lines import Line
from dspref.spec import token
from torchparity.calls import alike, own_dtype
from torchparity.describe import describe
from torchparity.rates import Resampler, plain, rates
from torchparity.walking import draws


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
class Layer:
    """A net upsampler, in the chain or on another way to the output.

    Attributes
    ----------
    owner : int
        From 1: those of the chain in their order, then those of branches in theirs.
    name, kind : str
        As for `Seen`; empty where an architecture was not run.
    stage : Stage or None
        What it is; None if that is not known.
    factor, rate_in, rate_out : Fraction
        Output rate over input rate, and both as shares of the rate of the module's output.
    spacing : Fraction
        Its lines are multiples of it, in cycles per output sample.
    branch : bool
        Whether it is not in the chain.
    """

    owner: int
    name: str
    kind: str
    stage: Stage | None
    factor: Fraction
    rate_in: Fraction
    rate_out: Fraction
    spacing: Fraction
    branch: bool = False

    @property
    def makes_lines(self) -> bool:
        """False for interpolation of equal phase gains, which makes none of an offset."""
        return self.stage is None or self.stage.op not in ("nearest", "linear")

    @property
    def words(self) -> str:
        """What it is, as `dspref predict` reads it, or its kind if that is not known."""
        return f"{self.kind} ×{self.factor}, not described" if self.stage is None else token(self.stage)


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
    way, branches : tuple of Resampler
        What the upsamplers of the chain are, and the net upsamplers that are not in it; empty if nothing was run.
    ways : tuple of tuple of Resampler
        Net upsamplers on each way from input to output.
    """

    chain: Chain
    whole: bool
    seen: tuple[Seen, ...]
    rate: Fraction
    hidden: tuple[str, ...] = ()
    grown: int = 0
    way: tuple[Resampler, ...] = ()
    branches: tuple[Resampler, ...] = ()
    ways: tuple[tuple[Resampler, ...], ...] = ()

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All net upsamplers, those of the chain first."""
        rates, steps = self.chain.rates(1), self.chain.upsamplers
        same = len(self.way) == len(steps)
        found = []
        for owner, (place, stage) in enumerate(steps, 1):
            r = self.way[owner - 1] if same else None
            known = stage if self.whole or r is None else r.layer
            name, kind = ("", "") if r is None else (r.name, r.kind)
            factor = Fraction(stage.factor) if self.whole or r is None else r.factor
            found.append(Layer(owner, name, kind, known, factor, rates[place], rates[place + 1], rates[place]))
        for owner, r in enumerate(self.branches, len(found) + 1):
            shares = (r.rate_in / self.rate, r.rate_out / self.rate, r.spacing / self.rate)
            found.append(Layer(owner, r.name, r.kind, r.layer, r.factor, *shares, branch=True))
        return tuple(found)

    @property
    def routes(self) -> tuple[tuple[int, ...], ...]:
        """Each way by the owners on it."""
        owners = {id(r): owner for owner, r in enumerate((*self.way, *self.branches), 1)}
        return tuple(tuple(owners[id(r)] for r in way) for way in self.ways)

    def owned(self, line: Line) -> Line:
        """Return a line of the chain with its owner among all layers: the last, of all ways, that can make it.

        Interpolation on another way makes none.
        """
        layers = [layer for layer in self.layers if layer.makes_lines or not layer.branch]
        able = [layer for layer in layers if line.freq % layer.spacing == 0]
        if not any(layer.branch for layer in able):
            return line
        last = max(able, key=lambda layer: (layer.spacing, not layer.branch, layer.owner))
        stage = None if last.branch else self.chain.upsamplers[last.owner - 1][0]
        return replace(line, owner=last.owner, stage=stage, origins=tuple(layer.owner for layer in able))

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
        found.way,
        found.branches,
        found.ways,
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
