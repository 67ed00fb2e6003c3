"""The command ``torchparity audit``: from words to an audit, its table, picture and JSON."""

from __future__ import annotations

import re
import shlex
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

SUFFIXES = (".html", ".json", ".md", ".png", ".sarif", ".txt", ".xml")
"""Of files, as `torchparity.report.FORMATS` has them."""

DRAWN = {".png": ("picture", "plot"), ".html": ("page", "report")}
"""What takes matplotlib, and the extra that installs it."""

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
@click.option(
    "--sr",
    metavar="HZ",
    callback=hertz_parameter(),
    help="Output rate, else frequencies are fractions of it; presets and recordings have one.",
)
@click.option("--checkpoint", metavar="FILE", help="Weights: .safetensors, .pt, .pth, .bin, .ckpt; or FILE:PREFIX.")
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
@click.option("--from", "saved", metavar="FILE", help="A saved audit (.html, .json), to say it again; no TARGET.")
@form_option("text", "json", "md", "sarif", "junit")
@click.option(
    "-o", "--output", multiple=True, metavar="FILE", help="FILE.html, .json, .md, .png, .sarif, .txt, .xml; repeatable."
)
@with_exit_codes
def audit(
    target: str | None, fail_on: str, saved: str | None, form: str, output: tuple[str, ...], **options: Any
) -> None:
    """Say which lines a decoder can make, should make, and makes: side by side.

    \b
    TARGET is melgan, another preset (then a one-channel random network of that architecture),
    pkg.mod:factory, or path/file.py:factory; or there is --config alone, an architecture.
    torchparity audit my/decoder.py:make --sr 24000 --checkpoint last.safetensors
    torchparity audit my/decoder.py:make --inputs my/decoder.py:example --against first.pt
    torchparity audit --from report.html --format md
    Without -o it leaves audit-NAME.json and audit-NAME.png in the working directory.
    """  # noqa: D301
    if saved is not None:
        _again(saved, target, fail_on, form, output)
        return
    order = ordered(target, **options)
    files = [path for path in (writable(o) for o in _outputs(output, order.name, order.drawn)) if path is not None]
    with _progress() as progress, redirect_stdout(sys.stderr):  # what a target prints is not the answer
        made = order.run(progress)
        progress("writing")
        _write(made, files, target or "", fail_on)
    from torchparity import report

    document = report.to_dict(made, command=_typed(), target=target or "")
    emit(report.write_document(document, form, fail_on=fail_on))
    if form == "text":
        emit("".join(f"written: {path}\n" for path in files))
    _end({f.level for f in made.findings}, fail_on)


def _end(levels: set[str], fail_on: str) -> None:
    """End with the exit code of findings, if some of these levels fail."""
    if ("error" in levels and fail_on != "never") or ("warning" in levels and fail_on == "warning"):
        raise click.exceptions.Exit(FINDINGS)


def _typed() -> str:
    """Return the command as it was typed."""
    return shlex.join(["torchparity", *sys.argv[1:]])


def _again(saved: str, target: str | None, fail_on: str, form: str, output: tuple[str, ...]) -> None:
    """Say a saved audit again, in any form that its numbers are enough for."""
    if target is not None:
        raise ValueError(complaint("--from with a TARGET", target, "one of them"))
    for path in output:
        if Path(path).suffix in DRAWN or Path(path).suffix not in SUFFIXES:
            allowed = " or ".join(f"FILE{suffix}" for suffix in SUFFIXES if suffix not in DRAWN)
            raise ValueError(complaint("output", path, allowed, "pictures and sounds are in the page alone"))
    files = [file for file in map(writable, output) if file is not None]
    require_torch()
    from torchparity import report

    document = report.read(saved)
    for file in files:
        write(file, report.write_document(document, report.FORMATS[file.suffix], fail_on=fail_on))
    emit(report.write_document(document, form, fail_on=fail_on))
    _end({f["level"] for f in document["findings"]}, fail_on)


def _outputs(output: tuple[str, ...], name: str, signal: bool) -> tuple[str, ...]:
    """Return the files to write: as asked for, else JSON and, where there is a signal to draw, a picture."""
    for path in output:
        if Path(path).suffix not in SUFFIXES:
            raise ValueError(complaint("output", path, " or ".join(f"FILE{s}" for s in SUFFIXES)))
    drawn = find_spec("matplotlib") is not None
    for suffix, (what, extra) in DRAWN.items():
        if any(path.endswith(suffix) for path in output) and not drawn:
            raise ValueError(complaint(what, "no matplotlib", "matplotlib", f"pip install 'dspref[{extra}]'"))
    if any(path.endswith(".html") for path in output) and find_spec("jinja2") is None:
        raise ValueError(complaint("page", "no jinja2", "jinja2", "pip install 'dspref[report]'"))
    if any(path.endswith(".png") for path in output) and not signal:
        raise ValueError(complaint("picture", "an architecture, which was not run", "a TARGET beside --config"))
    return output or (f"audit-{name}.json", *([f"audit-{name}.png"] if drawn and signal else []))


def _write(made: Audit, files: list[Path], target: str, fail_on: str) -> None:
    from torchparity import report

    for path in files:
        write(path, report.render(made, path.suffix, command=_typed(), target=target, fail_on=fail_on))


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Show what is going on, on the error stream, where a person looks on."""
    console = Console(stderr=True)
    with console.status("starting") as status:
        yield lambda text: status.update(text)
