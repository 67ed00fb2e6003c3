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
from torchparity.calls import own_dtype
from torchparity.describe import describe


@dataclass(frozen=True)
class Seen:
    """One module at work: its name, its description or why it has none, and its lengths."""

    name: str
    kind: str
    layer: Stage | None
    reason: str
    in_length: int | None
    out_length: int | None

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

    Raises
    ------
    NotAnalysable
        If the module refuses the input, returns no single tensor, answers at random, or does not grow with its input.
    """
    seen: list[Seen] = []
    x = _probe_input(module, channels, length)
    with _watched(module, seen):
        y = run(module, x)
    if not torch.equal(y, run(module, x)):
        hint = "switch dropout and other randomness off"
        raise NotAnalysable(complaint("module", "another output for the same input", "a deterministic module", hint))
    short, long = y.shape[-1], run(module, _probe_input(module, channels, 2 * length)).shape[-1]
    rate = Fraction(long - short, length)
    if rate <= 0:
        allowed = "an output that grows with the input"
        raise NotAnalysable(complaint("rate of the module", f"{short} → {long} samples", allowed))
    try:
        described = describe(module)
        return Spine(described if isinstance(described, Chain) else Chain([described]), True, tuple(seen), rate)
    except NotAnalysable:
        ups = [outlined(s.layer) or s.layer for s in seen if s.layer is not None and s.factor > 1]
        return Spine(Chain(ups), False, tuple(seen), rate)


def run(module: nn.Module, x: Tensor) -> Tensor:
    """Return the module's output as (batch, channel, time), or refuse with the reason."""
    try:
        with torch.no_grad():
            y = module(x)
    except Exception as error:  # whatever a stranger's forward raises, the answer is the same: not with this input
        hint = "give the input with --input CHANNELS or --input BATCH,CHANNELS,TIME"
        got = f"{type(error).__name__}: {str(error).strip()[:200]}"
        raise NotAnalysable(
            complaint(f"input of shape {tuple(x.shape)}", got, "an input the module takes", hint)
        ) from error
    if not isinstance(y, Tensor) or y.ndim not in (2, 3):
        got = f"shape {tuple(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        hint = "wrap the module so that it returns the waveform alone"
        raise NotAnalysable(complaint("module output", got, "one tensor (batch, channel, time)", hint))
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
    hooks, covered = [], ["parametrizations"]
    for name, m in module.named_modules():
        if any(f".{name}.".startswith(f".{outer}.") or f".{outer}." in f".{name}." for outer in covered):
            continue
        stages, reason = _described(m)
        if not stages and not _leaf(m):
            continue
        if stages:
            covered.append(name)
        hooks.append(m.register_forward_hook(_recorder(seen, name or type(m).__name__, stages, reason)))
        if stages and not name:
            break
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _leaf(m: nn.Module) -> bool:
    return all("parametrizations" in name for name, _ in m.named_children())


def _described(m: nn.Module) -> tuple[tuple[Stage, ...], str]:
    """Return the stages that a module is, or none and the reason."""
    try:
        layer = describe(m)
    except NotAnalysable as error:
        return (), str(error)
    return (layer.stages if isinstance(layer, Chain) else (layer,)), ""


def _recorder(seen: list[Seen], name: str, stages: tuple[Stage, ...], reason: str) -> Callable[..., None]:
    def record(m: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        lengths = _length(args[0] if args else None), _length(output)
        for stage in stages or (None,):
            seen.append(Seen(name, type(m).__name__, stage, reason, *lengths))

    return record


def _length(x: Any) -> int | None:
    return int(x.shape[-1]) if isinstance(x, Tensor) else None
