"""The command ``dspref figure``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dspref.arrays import complaint
from dspref.console import FINDINGS, emit, with_exit_codes

if TYPE_CHECKING:
    from dspref.figures import Picture

MUSIC = "fig6"
"""The figure whose input a recording can replace."""

SHOWN = 5
"""Differences of a figure that are listed."""


@click.command("figure")
@click.argument("words", metavar="[NAME]...", nargs=-1)
@click.option("-o", "--output", metavar="DIR", help="Folder to write into; it is made if there is none.")
@click.option("--format", "form", type=click.Choice(("png", "svg")), default="png", show_default=True)
@click.option("--wav", metavar="FILE", help="A recording in place of the music of Fig. 6, 3.6 s or longer.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Of random weights and noise.  [default: 0]")
@click.option("--check", is_flag=True, help="Compare the numbers behind figures with the stored ones.")
@with_exit_codes
def figure_command(
    words: tuple[str, ...], output: str | None, form: str, wav: str | None, seed: int | None, check: bool
) -> None:
    """Draw the article's figures, with what is predicted on top.

    \b
    dspref figure fig6 fig8 -o figures
    dspref figure all -o figures --format svg
    dspref figure all extras --check

    "all" are those of the article, "extras" all others; without NAME they are
    listed. With --check and no -o nothing is drawn; it ends with 1 if a number
    differs.
    """  # noqa: D301
    from dspref.figures import Wanted, maker, names, wanted_names

    if not words:
        emit("".join(f"{name}\n" for name in names()))
        return
    asked = wanted_names(words)
    _refuse_together(asked, output, check, wav, seed)
    wanted = Wanted(seed or 0, None if wav is None else _recording(wav))
    makers = {name: maker(name) for name in asked}
    place = None
    if output is not None:
        from dspref.figures.files import folder, require_matplotlib

        require_matplotlib()
        place = folder(output)
    alike = True
    for make in makers.values():
        picture = make(wanted)
        alike = (_checked(picture) if check else True) and alike
        if place is not None:
            from dspref.figures.files import save

            click.echo(f"written: {save(picture, place, form=form, wanted=wanted)}", err=True)
    if not alike:
        raise click.exceptions.Exit(FINDINGS)


def _checked(picture: Picture) -> bool:
    """Say whether a figure's numbers are the stored ones, and where not."""
    from dspref.figures import RECORDED
    from dspref.figures.numbers import counted, differences

    if picture.name in RECORDED:
        emit(f"{picture.name}: no numbers are stored; it is drawn from a record\n")
        return True
    found = differences(picture)
    if not found:
        emit(f"{picture.name}: {counted(picture.numbers)} numbers agree\n")
        return True
    more = [f"  and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    told = [f"{picture.name}: {len(found)} of {counted(picture.numbers)} numbers differ"]
    emit("\n".join([*told, *(f"  {line}" for line in found[:SHOWN]), *more]) + "\n")
    return False


def _refuse_together(asked: Sequence[str], output: str | None, check: bool, wav: str | None, seed: int | None) -> None:
    """Refuse options that contradict each other, or ask for nothing."""
    if wav is not None and MUSIC not in asked:
        raise ValueError(complaint("--wav", f"it for {', '.join(asked)}", f"{MUSIC}, the one fed with music"))
    if output is None and not check:
        raise ValueError(complaint("output folder", "none", "-o DIR, or --check alone", "as -o figures"))
    if check and (wav is not None or seed):
        got = "--wav" if wav is not None else f"--seed {seed}"
        allowed = "the music and the seed that the stored numbers were made with"
        raise ValueError(complaint("--check", f"{got} too", allowed, "leave one of them out"))


def _recording(wav: str) -> Path:
    """Return the path of a recording, read once to see that it will do."""
    from dspref.figures.signals import recording

    recording(wav)
    return Path(wav)
