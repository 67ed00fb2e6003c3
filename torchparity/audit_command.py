"""The command ``torchparity audit``: from words to an audit, its table, picture and JSON."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from dspref.arrays import Array, complaint, did_you_mean
from dspref.console import FINDINGS, emit, form_option, hertz_parameter, with_exit_codes, writable, write
from dspref.presets import PRESETS, preset

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from torchparity.audit import Audit

SUFFIXES = (".json", ".png", ".txt")


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
@click.argument("target")
@click.option("--sr", metavar="HZ", callback=hertz_parameter(), help="Output rate; presets and recordings have one.")
@click.option("--input", "shape", type=Shape(), default=(), metavar="SHAPE", help="As 80 or 1,80,512; else guessed.")
@click.option("--wav", metavar="FILE", help="Feed a recording (WAV, FLAC, OGG) to a one-channel module.")
@click.option("--wav-sr", type=click.IntRange(min=1), metavar="HZ", help="Resample the recording first.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of the first network.")
@click.option("--seeds", type=click.IntRange(min=1), help="How many networks: 5 for presets, else 1.")
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
def audit(
    target: str,
    sr: Fraction | None,
    shape: tuple[int, ...],
    wav: str | None,
    wav_sr: int | None,
    seed: int,
    seeds: int | None,
    fail_on: str,
    form: str,
    output: tuple[str, ...],
) -> None:
    """Predict the lines of a decoder and measure them: constant and white noise in, side by side.

    \b
    TARGET is melgan, another preset (then a one-channel random network of that architecture),
    pkg.mod:factory, or path/file.py:factory. Upsampling must be done by modules, one after another.
    Without -o it leaves audit-NAME.json and audit-NAME.png in the working directory.
    """  # noqa: D301
    if wav is not None and sr is not None:
        raise ValueError(complaint("--sr with --wav", sr, "one of them", "--wav-sr resamples the recording"))
    name, factory, rate = resolve(target)
    files = [path for path in (writable(o) for o in _outputs(output, name)) if path is not None]
    recording, recorded = _recording(wav, wav_sr)
    from torchparity.audit import audit as run

    unsaid = sr is None and rate is None and wav is None
    first, count = seed, seeds or (5 if target in PRESETS and recording is None else 1)
    with _progress() as progress, redirect_stdout(sys.stderr):  # what a target prints is not the answer
        made = run(
            factory,
            name=name,
            sr=sr or rate or 1,
            seeds=range(first, first + count),
            shape=shape,
            recording=recording,
            recorded=recorded,
            progress=progress,
        )
        progress("writing")
        _write(made, files)
    from torchparity import report

    emit(report.to_json(made) if form == "json" else report.to_text(made))
    if form == "text":
        if unsaid:
            emit("note: no --sr given: frequencies are in cycles per output sample\n")
        emit("".join(f"written: {path}\n" for path in files))
    worst = {f.level for f in made.findings}
    if ("error" in worst and fail_on != "never") or ("warning" in worst and fail_on == "warning"):
        raise click.exceptions.Exit(FINDINGS)


def require_torch() -> None:
    """Refuse, in words, to go on without Torch."""
    if find_spec("torch") is None:
        raise ValueError(complaint("torch", "not installed", "torch >= 2.6", "pip install 'dspref[torch]'"))


def resolve(target: str) -> tuple[str, Callable[[], nn.Module], int | Fraction | None]:
    """Return a name, what makes the module, and its rate where known.

    Raises
    ------
    ValueError
        If the target is neither a preset nor ``place:name``, or gives no module.
    """
    require_torch()
    from torchparity.models import melgan, random_network
    from torchparity.target import load

    if ":" not in target:
        if target not in PRESETS:
            allowed = "a preset (see 'dspref presets'), pkg.mod:factory or path/file.py:factory"
            hint = f"name its factory: {target}:NAME" if target.endswith(".py") else did_you_mean(target, PRESETS)
            raise ValueError(complaint("target", repr(target), allowed, hint))
        known = preset(target)
        return target, melgan if target == "melgan" else lambda: random_network(known.chain), known.sr
    return re.sub(r"\W+", "-", target.rpartition("/")[2]).strip("-"), load(target), None


def _outputs(output: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return the files to write: as asked for, else JSON and, where matplotlib is there, a picture."""
    for path in output:
        if Path(path).suffix not in SUFFIXES:
            raise ValueError(complaint("output", path, " or ".join(f"FILE{s}" for s in SUFFIXES)))
    drawn = find_spec("matplotlib") is not None
    if not drawn and any(path.endswith(".png") for path in output):
        raise ValueError(complaint("picture", "no matplotlib", "matplotlib", "pip install 'dspref[plot]'"))
    return output or (f"audit-{name}.json", *([f"audit-{name}.png"] if drawn else []))


def _recording(wav: str | None, wav_sr: int | None) -> tuple[Array | None, int | None]:
    if wav is None:
        if wav_sr is not None:
            raise ValueError(complaint("--wav-sr", wav_sr, "together with --wav FILE"))
        return None, None
    from torchparity.recording import read_recording

    return read_recording(wav, sr=wav_sr)


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
