"""The command ``torchparity expect``: combs and floor to expect of a module before training, and draws beside them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dspref.arrays import NotAnalysable, as_integer, complaint, did_you_mean
from dspref.commands.expect import expect_options, reported, tell
from dspref.console import hertz_parameter, with_exit_codes, writable, write
from torchparity.interruption import Interrupted, ending, interruptible, progress
from torchparity.known import NETWORKS, network_named

if TYPE_CHECKING:
    from torch import nn

    from dspref.expected.inputs import Input
    from dspref.expected.spectrum import Expected
    from torchparity.expect_check import Check


@dataclass(frozen=True)
class Target:
    """What is looked at: a name, what makes it, and how."""

    name: str
    factory: Callable[[], nn.Module]
    sr: Fraction | None
    rescale: float | None
    meta: bool

    def module(self, seed: int) -> nn.Module:
        """Return one network, without weights if it is made on the meta device."""
        import torch

        with ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng(devices=[]))
            torch.manual_seed(seed)
            if self.meta:
                stack.enter_context(torch.device("meta"))
            return self.factory()


@click.command()
@click.argument("target")
@click.option("--sr", metavar="HZ", callback=hertz_parameter(), help="Output rate; networks with a name have one.")
@click.option("--channels", type=click.IntRange(min=1), help="Of the input; by default as its first layer takes.")
@click.option("--rescale", type=float, metavar="R", help="Reference of the rescaling that it does (Demucs: 0.1).")
@click.option("--meta", is_flag=True, help="Make it without weights, on Torch's meta device.")
@click.option("--check", "draws", type=int, metavar="N", help="Draw N networks, and measure them.")
@click.option("--resume", metavar="FILE", help="Remember finished draws there, and go on with what it holds.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="J", help="Processes that draw [1].")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of what is drawn.")
@click.option("--plot", "picture", metavar="FILE.png", help="Draw the expected lines and floor over one network's.")
@expect_options
@with_exit_codes
def expect(
    target: str,
    sr: Fraction | None,
    channels: int | None,
    rescale: float | None,
    meta: bool,
    draws: int | None,
    resume: str | None,
    jobs: int | None,
    seed: int,
    picture: str | None,
    words: str,
    width_terms: bool,
    explain: bool,
    form: str,
    output: str | None,
) -> None:
    """Say which lines and which floor to expect of a module before training, averaged over initialisations.

    \b
    TARGET is melgan, unet, decoder, demucs, pkg.mod:factory, or path/file.py:factory.
    torchparity expect melgan --input ones
    torchparity expect my/net.py:Decoder --sr 44100 --input white --check 200 --resume draws.jsonl

    Exits with 3 if the output is not predicted; the report says what is. Ctrl-C ends
    --check when the next piece is done, with 130; the same command goes on.
    """  # noqa: D301
    file, image = writable(output), _picture(picture)
    from dspref.expected.inputs import read_input

    source = read_input(words)
    _check_options(draws, resume, jobs)
    with redirect_stdout(sys.stderr):  # what a target prints is not the answer
        looked = _resolved(target, sr, rescale, meta)
        from torchparity.walked import walked

        module = looked.module(seed)
        try:
            found = walked(module, channels=channels, rescale=looked.rescale)
        except NotAnalysable:
            if channels is not None:
                _check_channels(module, channels)
            raise

        def check(expected: Expected) -> Check:
            return _checked(looked, expected, source, found.channels, as_integer("draws", draws, 2), resume, jobs, seed)

        made = reported(
            found.network,
            source,
            target=looked.name,
            sr=looked.sr,
            channels=found.channels,
            width_terms=width_terms,
            explain=explain,
            remarks=found.remarks,
            check=None if draws is None else check,
        )
        if not made.forecast.expected and not made.forecast.partial:
            _check_channels(module, found.channels)
        if image is not None and made.forecast.expected is not None:
            _draw(looked, made.forecast.expected, source, found.channels, seed, image)
    tell(made, form, file)


def _check_options(draws: int | None, resume: str | None, jobs: int | None) -> None:
    """Refuse draws that have no error, and options of draws without any."""
    if draws is not None:
        as_integer("draws", draws, 2, "the standard error needs two")
        return
    for name, given in {"--resume": resume, "--jobs": jobs}.items():
        if given is not None:
            raise ValueError(complaint(name, given, "together with --check N"))


def _check_channels(module: nn.Module, channels: int) -> None:
    """Refuse channels that the first layer does not take, where nothing could be said of what it makes of them."""
    from torchparity.calls import own_channels

    if (due := own_channels(module, channels)) != channels:
        raise ValueError(complaint("channels", channels, f"{due}, as the first layer takes"))


def _picture(path: str | None) -> Path | None:
    """Return where the picture goes, if it can be drawn."""
    if path is not None and Path(path).suffix != ".png":
        raise ValueError(complaint("picture", path, "FILE.png"))
    if path is not None and find_spec("matplotlib") is None:
        raise ValueError(complaint("picture", "no matplotlib", "matplotlib", "pip install 'dspref[plot]'"))
    return writable(path)


def _resolved(target: str, sr: Fraction | None, rescale: float | None, meta: bool) -> Target:
    """Return what a target names."""
    from torchparity.audit_command import require_torch

    require_torch()
    if target in NETWORKS:
        known = network_named(target)
        own = known.rescale if rescale is None else rescale
        return Target(target, known.factory, sr or Fraction(known.sr), own, meta or known.meta)
    if ":" not in target:
        allowed = f"{', '.join(NETWORKS)}, pkg.mod:factory or path/file.py:factory"
        hint = f"name its factory: {target}:NAME" if target.endswith(".py") else did_you_mean(target, NETWORKS)
        raise ValueError(complaint("target", repr(target), allowed, hint))
    from torchparity.target import load

    return Target(re.sub(r"\s+", " ", target), load(target), sr, rescale, meta)


def _checked(
    looked: Target,
    expected: Expected,
    source: Input,
    channels: int,
    draws: int,
    resume: str | None,
    jobs: int | None,
    seed: int,
) -> Check:
    """Draw networks and measure them; an interruption ends the command with its exit code."""
    from torchparity.expect_check import checked, factors_of
    from torchparity.sampled import sampled

    with interruptible() as asked, progress("draws") as show:

        def told(done: int, due: int) -> None:
            show(done, due, "")
            if asked() and done < due:
                raise Interrupted(f"after {done} of {due} draws")

        with ending(asked, resumes=resume is not None):
            found = sampled(
                looked.factory,
                factors_of(expected),
                draws=draws,
                jobs=jobs,
                resume=resume,
                progress=told,
                **_drawing(source, channels, seed),
            )
    return checked(expected, found)


def _drawing(source: Input, channels: int, seed: int) -> Any:
    """Return how networks are drawn and fed."""
    return {"inputs": source.words, "channels": channels, "seed": seed, "covariance": source.covariance}


def _draw(looked: Target, expected: Expected, source: Input, channels: int, seed: int, path: Path) -> None:
    """Draw the prediction over the spectrum of one network."""
    import numpy as np

    from dspref.expected.pictures import expected_png, spectrum_size
    from torchparity.expect_check import factors_of
    from torchparity.experiment import prepared

    size = spectrum_size(expected)
    periods = FRAMES * size // expected.period
    made = prepared(
        looked.factory, factors_of(expected), periods=periods, records=2, **_drawing(source, channels, seed)
    )
    y = np.resize(made.steady(0)[0, 0], periods * expected.period)  # one period is all there is without noise
    title = f"{looked.name}, input {source.words}, seed {seed}"
    write(path, expected_png(expected, looked.sr, measured=y, title=title))


FRAMES = 16
"""Length of the signal whose spectrum is drawn, in frames."""
