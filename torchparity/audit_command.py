"""The command ``torchparity audit``: from words to an audit, its table, picture and JSON."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from dspref.arrays import complaint
from dspref.console import FINDINGS, emit, form_option, hertz_parameter, with_exit_codes, writable, write
from torchparity.ordering import ordered
from torchparity.resolving import require_torch, resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchparity.audit import Audit

__all__ = ["audit", "require_torch", "resolve"]

SUFFIXES = (".json", ".png", ".txt")

INPUTS = ("silence", "constant", "noise", "sweep")
"""Signals by name, as `torchparity.signals` has them."""


class Shape(click.ParamType[tuple[int, ...]]):
    """CHANNELS, CHANNELS,TIME or BATCH,CHANNELS,TIME."""

    name = "shape"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the sizes."""
        if isinstance(value, tuple):
            return value
        if not re.fullmatch(r"[1-9]\d{0,8}(,[1-9]\d{0,8}){0,2}", str(value), re.ASCII):
            allowed = "CHANNELS, CHANNELS,TIME or BATCH,CHANNELS,TIME"
            self.fail(complaint("input shape", repr(value), allowed, "as 80 or 1,80,512"), param, ctx)
        return tuple(int(size) for size in str(value).split(","))


@click.command()
@click.argument("target", required=False)
@click.option("--config", metavar="FILE", help="A config.json of the HiFi-GAN family: alone, or for the rate.")
@click.option("--sr", metavar="HZ", callback=hertz_parameter(), help="Output rate; presets and recordings have one.")
@click.option("--checkpoint", metavar="FILE", help="Weights to load: .safetensors, .pt, .pth, .bin, .ckpt.")
@click.option("--input", "shape", type=Shape(), default=(), metavar="SHAPE", help="As 80 or 1,80,512; else guessed.")
@click.option(
    "--inputs", metavar="PLACE:FUNCTION", help="f(length) returns what the module takes: one, a tuple, a dict."
)
@click.option("--layout", type=click.Choice(["BCT", "BTC", "BT"]), help="Of the input; else all are tried.")
@click.option("--pick", metavar="NAME", help="The output to look at, where there are several: as waveform or 0.")
@click.option("--input-signal", "signals", type=click.Choice(INPUTS), multiple=True, help="May be repeated.")
@click.option("--wav", metavar="FILE", help="Feed a recording (WAV, FLAC, OGG) to a one-channel module.")
@click.option("--wav-sr", type=click.IntRange(min=1), metavar="HZ", help="Resample the recording first.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of the first network.")
@click.option("--seeds", type=click.IntRange(min=1), help="How many networks: 5 for presets, else 1.")
@click.option("--against", metavar="B", help="Another TARGET, a checkpoint, or a saved audit (.json, .html).")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="Exit with 1 if something contradicts the prediction, or if a predicted line stands, or never.",
)
@form_option("text", "json")
@click.option("-o", "--output", multiple=True, metavar="FILE", help="FILE.json, .png or .txt; may be repeated.")
@with_exit_codes
def audit(target: str | None, fail_on: str, form: str, output: tuple[str, ...], **options: Any) -> None:
    """Say which lines a decoder can make, should make, and makes: side by side.

    \b
    TARGET is melgan, another preset (then a one-channel random network of that architecture),
    pkg.mod:factory, or path/file.py:factory; or there is --config alone, an architecture.
    torchparity audit my/decoder.py:make --sr 24000 --checkpoint last.safetensors
    torchparity audit my/decoder.py:make --inputs my/decoder.py:example --against first.pt
    Without -o it leaves audit-NAME.json and audit-NAME.png in the working directory.
    """  # noqa: D301
    order = ordered(target, **options)
    files = [path for path in (writable(o) for o in _outputs(output, order.name, order.drawn)) if path is not None]
    with _progress() as progress, redirect_stdout(sys.stderr):  # what a target prints is not the answer
        made = order.run(progress)
        progress("writing")
        _write(made, files)
    from torchparity import report

    emit(report.to_json(made) if form == "json" else report.to_text(made))
    if form == "text":
        if made.against is not None:
            emit("\n" + made.against.to_text())
        if order.unsaid:
            emit("note: no --sr given: frequencies are in cycles per output sample\n")
        emit("".join(f"written: {path}\n" for path in files))
    worst = {f.level for f in made.findings}
    if ("error" in worst and fail_on != "never") or ("warning" in worst and fail_on == "warning"):
        raise click.exceptions.Exit(FINDINGS)


def _outputs(output: tuple[str, ...], name: str, signal: bool) -> tuple[str, ...]:
    """Return the files to write: as asked for, else JSON and, where there is a signal to draw, a picture."""
    for path in output:
        if Path(path).suffix not in SUFFIXES:
            raise ValueError(complaint("output", path, " or ".join(f"FILE{s}" for s in SUFFIXES)))
    pictures = any(path.endswith(".png") for path in output)
    if pictures and not signal:
        raise ValueError(complaint("picture", "an architecture, which was not run", "a TARGET beside --config"))
    drawn = find_spec("matplotlib") is not None
    if not drawn and pictures:
        raise ValueError(complaint("picture", "no matplotlib", "matplotlib", "pip install 'dspref[plot]'"))
    return output or (f"audit-{name}.json", *([f"audit-{name}.png"] if drawn and signal else []))


def _write(made: Audit, files: list[Path]) -> None:
    from torchparity import report

    for path in files:
        write(path, report.to_png(made) if path.suffix == ".png" else _text(made, path.suffix))


def _text(made: Audit, suffix: str) -> str:
    from torchparity import report

    return report.to_json(made) if suffix == ".json" else report.to_text(made)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Show what is going on, on the error stream, where a person looks on."""
    console = Console(stderr=True)
    with console.status("starting") as status:
        yield lambda text: status.update(text)
