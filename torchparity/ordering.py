"""What the command ``torchparity audit`` was asked for, checked before any work; and the audit it then is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dspref.arrays import Array, complaint
from dspref.chain import Chain
from dspref.config import Generator, read_generator
from dspref.presets import PRESETS
from torchparity.against import SAVED, compare, read_saved
from torchparity.resolving import require_torch, resolve

if TYPE_CHECKING:
    from torch import nn

    from torchparity.audit import Audit, Call

WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
"""Endings of files of weights, as `torchparity.weightfiles` has them."""


@dataclass(frozen=True)
class Order:
    """An audit to be made.

    Attributes
    ----------
    name : str
    factory : function or None
        What makes the module; None for an architecture alone.
    chain : Chain or None
        What a config.json says.
    sr : Fraction or None
        Output rate in Hz.
    options : mapping
        Of `torchparity.audit.audit`.
    saved : mapping or None
        The audit to hold it against, if it is a saved one.
    other : Order or None
        That audit, if it is to be made.
    said : tuple of str
        What the config.json says and the chain does not.
    """

    name: str
    factory: Callable[[], nn.Module] | None
    chain: Chain | None
    sr: Fraction | None
    options: Mapping[str, Any]
    saved: Mapping[str, Any] | None = None
    other: Order | None = None
    said: tuple[str, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether there will be a signal to draw."""
        return self.factory is not None

    def run(self, progress: Callable[[str], None]) -> Audit:
        """Return the audit, held against the other one."""
        from torchparity import report

        made = self._made(progress)
        if self.saved is None and self.other is None:
            return made
        before = self.saved if self.other is None else report.to_dict(self.other.run(progress))
        return replace(made, against=compare(before or {}, report.to_dict(made)))

    def _made(self, progress: Callable[[str], None]) -> Audit:
        from torchparity.audit import Finding, audit, audit_architecture

        if self.factory is None:
            assert self.chain is not None, "an order is of a module or of an architecture"
            alone = audit_architecture(self.chain, name=self.name, sr=self.sr or 1)
            return replace(alone, remarks=(*alone.remarks, *self.said))
        made = audit(self.factory, name=self.name, sr=self.sr or 1, progress=progress, **self.options)
        factor = made.spine.chain.factor
        if self.chain is None or self.chain.factor == factor:
            return made
        text = f"the config says ×{self.chain.factor} by its layers, the module has ×{factor}"
        return replace(made, notes=(*made.notes, Finding("note", text)))


def ordered(
    target: str | None,
    *,
    config: str | None,
    sr: Fraction | None,
    wav: str | None,
    wav_sr: int | None,
    against: str | None,
    **options: Any,
) -> Order:
    """Return what was asked for, as an order.

    Raises
    ------
    ValueError
        If options exclude each other, or need others; if files or names are not there.
    """
    require_torch()
    if wav is not None and sr is not None:
        raise ValueError(complaint("--sr with --wav", sr, "one of them", "--wav-sr resamples the recording"))
    if wav is None and wav_sr is not None:
        raise ValueError(complaint("--wav-sr", wav_sr, "together with --wav FILE"))
    read = None if config is None else read_generator(config)
    written = None if read is None else read.sr
    if target is None:
        return _architecture(config, read, sr or written, wav, against, options)
    name, factory, known = resolve(target)
    rate = sr or written or (None if known is None else Fraction(known))
    recording, recorded = _recording(wav, wav_sr)
    fed = {"recording": recording, "recorded": recorded, "signals": options["signals"], "call": _call(options)}
    seeds = _seeds(options["seed"], options["seeds"], alone=target not in PRESETS or recording is not None)
    asked = fed | {"seeds": seeds, "checkpoint": _weights(options["checkpoint"])}
    made = Order(name, factory, None if read is None else read.chain, rate, asked)
    return made if against is None else _held(made, against)


def _architecture(
    config: str | None,
    read: Generator | None,
    sr: Fraction | None,
    wav: str | None,
    against: str | None,
    options: Mapping[str, Any],
) -> Order:
    """Return the order of an architecture alone, which cannot be run."""
    if config is None or read is None:
        allowed = "a preset (see 'dspref presets'), pkg.mod:factory, path/file.py:factory, or --config FILE"
        raise ValueError(complaint("target", "none", allowed))
    given = {"--wav": wav, "--against": against} | {
        f"--{key}": options[key] for key in ("checkpoint", "inputs", "layout", "pick") if options[key]
    }
    needless = [key for key, found in given.items() if found is not None] + ["--input-signal"] * bool(
        options["signals"]
    )
    if needless:
        hint = "an architecture has no weights that could be run"
        raise ValueError(complaint(" and ".join(needless), "no TARGET", "a TARGET beside --config", hint))
    return Order(Path(config).stem, None, read.chain, sr, {}, said=read.remarks)


def _held(made: Order, against: str) -> Order:
    """Return the order with what it is to be held against: a saved audit, other weights, or another target."""
    if Path(against).suffix in SAVED:
        return replace(made, saved=read_saved(against))
    if _file(against).suffix in WEIGHTS:
        other = replace(made, options={**made.options, "checkpoint": _weights(against)})
        return replace(made, other=other)
    name, factory, known = resolve(against)
    rate = made.sr if known is None else Fraction(known)
    return replace(made, other=Order(name, factory, None, rate, {**made.options, "checkpoint": None}))


def _weights(file: str | None) -> str | None:
    if file is None:
        return None
    path = _file(file)
    if path.suffix not in WEIGHTS:
        raise ValueError(complaint("checkpoint", file, " or ".join(f"FILE{s}" for s in WEIGHTS)))
    if not path.is_file():
        raise ValueError(complaint("checkpoint", f"{file}, which is no file", "a file of weights"))
    return file


def _file(words: str) -> Path:
    """Return the file of FILE or FILE:PREFIX."""
    from torchparity.weightfiles import file_and_place

    return file_and_place(words)[0]


def _seeds(seed: int, seeds: int | None, *, alone: bool) -> range:
    return range(seed, seed + (seeds or (1 if alone else 5)))


def _call(options: Mapping[str, Any]) -> Call:
    """Return how the module is called."""
    from torchparity.audit import Call
    from torchparity.target import load_function

    place = options["inputs"]
    inputs = None if place is None else load_function(place, what="inputs")
    return Call(options["shape"], inputs, options["layout"], options["pick"])


def _recording(wav: str | None, wav_sr: int | None) -> tuple[Array | None, int | None]:
    if wav is None:
        return None, None
    from dspref.recording import read_recording

    return read_recording(wav, sr=wav_sr)
