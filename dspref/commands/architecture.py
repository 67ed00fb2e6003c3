"""The architecture that a command is about: words, a preset, or a configuration."""

from __future__ import annotations

from fractions import Fraction

import click

from dspref.chain import Chain
from dspref.config import read_generator
from dspref.presets import preset
from dspref.spec import parse


def read_architecture(sr: Fraction | None, example: str, /, **sources: str | None) -> tuple[Chain, Fraction]:
    """Return the chain that exactly one of the sources says, and the output rate.

    Parameters
    ----------
    sr : Fraction or None
        The rate asked for; presets and configurations have one of their own.
    example : str
        How it is done, for those who gave no source, or several.
    **sources : str or None
        By the name of the argument or option: "--preset" and "--config" are read as such, all others as words.
    """
    name, chain, rate = read_chain(example, **sources)
    if (rate := sr or rate) is None:
        raise click.UsageError(f"no output rate: {name} says none, so --sr HZ is needed, as --sr 22050.")
    return chain, rate


def read_chain(example: str, /, **sources: str | None) -> tuple[str, Chain, Fraction | None]:
    """Return the name of the one source that is given, its chain, and the output rate if it has one."""
    given = {name: words for name, words in sources.items() if words is not None}
    if len(given) != 1:
        got = " and ".join(given) or "no architecture"
        raise click.UsageError(f"got {got}; give exactly one of {', '.join(sources)}, {example}.")
    ((name, words),) = given.items()
    return name, *_read(name, words)


def _read(name: str, words: str) -> tuple[Chain, Fraction | None]:
    if name == "--config":
        found = read_generator(words)
        click.echo("".join(f"note: {remark}\n" for remark in found.remarks), nl=False, err=True)
        return found.chain, found.sr
    if name == "--preset":
        return preset(words).chain, Fraction(preset(words).sr)
    return parse(words), None
