"""What upsamples in a module: the layers seen at work, in order, and those that could not be described."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from dspref.arrays import NotAnalysable, complaint
from dspref.chain import Chain, Stage
from dspref.spec import outlined
from torchparity.calls import alike, own_dtype
from torchparity.describe import describe


@dataclass(frozen=True)
class Seen:
    """One module at work: its name, its description or why it has none."""

    name: str
    kind: str
    layer: Stage | None
    reason: str

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
        The whole module if `describe` knows it, else the outlines of its upsampling layers, in the order
        in which they ran. Layers that keep the rate neither move lines nor own them.
    whole : bool
        Whether `chain` is the whole module.
    seen : tuple of Seen
    rate : Fraction
        Output samples per input sample, measured on two lengths.
    """

    chain: Chain
    whole: bool
    seen: tuple[Seen, ...]
    rate: Fraction

    @property
    def undescribed(self) -> tuple[Seen, ...]:
        """The modules that ran and could not be described."""
        return tuple(s for s in self.seen if s.layer is None)

    @property
    def described_rate(self) -> Fraction:
        """Product of the factors of all described layers that ran once on the way."""
        rate = Fraction(1)
        for s in self.seen:
            rate *= s.factor
        return rate


def spine(module: nn.Module, channels: int, *, length: int = 32) -> Spine:
    """Run `module` on noise of (1, channels, length) and read its upsampling chain.

    The layers seen must account for the measured rate, and layers that lower it must run before any that raises
    it: behind an upsampling layer they alias its lines, which then are not where this theory says.

    Raises
    ------
    NotAnalysable
        If the module refuses the input, returns no single real tensor, answers at random, does not grow with its
        input, or if the layers seen do not account for its rate.
    """
    _check_device(module)
    seen: list[Seen] = []
    x = _probe_input(module, channels, length)
    with _watched(module, seen):
        y = run(module, x)
    if not alike(y.numpy(), run(module, x).numpy(), own_dtype(module)):
        hint = "switch dropout and other randomness off, and keep no state between calls"
        raise NotAnalysable(complaint("module", "another output for the same input", "a deterministic module", hint))
    short, long = y.shape[-1], run(module, _probe_input(module, channels, 2 * length)).shape[-1]
    rate = Fraction(long - short, length)
    if rate <= 0:
        allowed = "an output that grows with the input"
        raise NotAnalysable(complaint("rate of the module", f"{short} → {long} samples", allowed))
    chain = _chain(module)
    whole = chain is not None
    if chain is None:
        chain = Chain([outlined(s.layer) or s.layer for s in seen if s.layer is not None and s.factor > 1])
    found = Spine(chain, whole, tuple(seen), rate)
    _check_rate(found)
    return found


def _chain(module: nn.Module) -> Chain | None:
    """Return the chain that the whole module is, if it is described and only keeps or raises the rate."""
    try:
        described = describe(module)
        chain = described if isinstance(described, Chain) else Chain([described])
        return chain if chain.factor else None
    except NotAnalysable:
        return None


def _check_rate(found: Spine) -> None:
    """Refuse where the layers seen, one after another, are not what makes the rate."""
    factors = [s.factor for s in found.seen]
    lowering = [s.name for s in found.seen if s.factor < 1]
    first_up = next((i for i, factor in enumerate(factors) if factor > 1), len(factors))
    if any(factor < 1 for factor in factors[first_up:]):
        hint = "hand over the part behind the last of them"
        what = f"layers that lower the rate behind one that raises it ({', '.join(lowering[:4])})"
        raise NotAnalysable(complaint("chain", what, "layers that keep or raise it", hint))
    if found.described_rate != found.rate or (found.whole and found.chain.factor != found.rate):
        got = f"×{found.rate}, while the layers seen one after another make ×{found.described_rate}"
        unknown = "".join(f", {name}" for name in sorted({s.kind for s in found.undescribed}))
        hint = (
            "they do not stand in one line, or something changes the rate outside of described modules: a functional "
            f"call (use nn.Upsample, nn.ConvTranspose1d), or an unknown module{unknown} (torchparity.register)"
        )
        raise NotAnalysable(complaint("rate of the module", got, "layers that make the rate", hint))


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


def _probe_input(module: nn.Module, channels: int, length: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, channels, length, generator=generator).to(getattr(torch, own_dtype(module)))


@contextmanager
def _watched(module: nn.Module, seen: list[Seen]) -> Iterator[None]:
    """Record every module that is described, and every other one without children, as it runs."""
    hooks = [m.register_forward_hook(_recorder(seen, *watched)) for m, *watched in _parts(module, "", set())]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _parts(m: nn.Module, name: str, met: set[int]) -> Iterator[tuple[Any, ...]]:
    """Yield (module, name, stages, reason), outermost described modules first, each once."""
    if id(m) in met:
        return
    met.add(id(m))
    stages, reason = _described(m)
    children = [(key, child) for key, child in m.named_children() if key != "parametrizations"]
    if stages or not children:
        yield m, name or type(m).__name__, stages, reason
    else:
        for key, child in children:
            yield from _parts(child, f"{name}.{key}" if name else key, met)


def _described(m: nn.Module) -> tuple[tuple[Stage, ...], str]:
    """Return the stages that a module is, or none and the reason."""
    try:
        layer = describe(m)
    except NotAnalysable as error:
        return (), str(error)
    return (layer.stages if isinstance(layer, Chain) else (layer,)), ""


def _recorder(seen: list[Seen], name: str, stages: tuple[Stage, ...], reason: str) -> Callable[..., None]:
    def record(m: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        for stage in stages or (None,):
            seen.append(Seen(name, type(m).__name__, stage, reason))

    return record
