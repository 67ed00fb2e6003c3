"""All that there is to say of one of the eight networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dspref.arrays import Array
from dspref.expected import Expected
from torchparity.known import network_named
from torchparity.models.eight.drawn import seen
from torchparity.models.eight.pictures import ARTICLE, INTERPOLATED, SPAN, USUAL, Panel, panel
from torchparity.models.eight.read import read_spectrum
from torchparity.models.eight.spectra import Seen
from torchparity.models.eight.theory import foreseen

DRAWS = 24
"""Draws of each network: the standard error of a tone is then about 0.5 dB."""

DEPTH = 4
"""Levels of interpolating networks that theory looks at: with 16 channels the two innermost add less than 0.01 dB."""

ARTICLE_SIZE = {"channels": 100}


@dataclass(frozen=True)
class Subject:
    """One network: theory, draws, a picture, and levels read off the article's.

    Attributes
    ----------
    name : str
    found : Expected
        Of the narrow network.
    drawn : Seen
    panel : Panel
    large : mapping
        What to expect at the article's size, for weights "rescaled" and "as drawn"; MelGAN, which has its size and is
        not rescaled, has the second alone, and networks that interpolate have none: that would take minutes.
    read : array (rows,) or None
        Levels in the article's picture, where that was given.
    """

    name: str
    found: Expected
    drawn: Seen
    panel: Panel
    large: Mapping[str, Expected] = field(default_factory=dict)
    read: Array | None = None

    @property
    def own(self) -> tuple[int, ...]:
        """Which of `LINES` to tell of: 11 025 Hz; of MelGAN, where that is half the rate, both."""
        return (0, 1) if network_named(self.name).sr == 22050 else (0,)


def subject(
    name: str, *, draws: int = DRAWS, folder: Path | None = None, progress: Callable[[str], None] = lambda words: None
) -> Subject:
    """Return all that there is to say of a network.

    Parameters
    ----------
    name : one of `torchparity.known.EIGHT`
    draws : int
    folder : path, optional
        With the article's pictures, to read levels off.
    progress : function
    """
    interpolates = name in INTERPOLATED
    found = foreseen(name, depth=DEPTH) if interpolates else foreseen(name)
    drawn = seen(name, draws=draws, double=interpolates, progress=progress)
    picture = panel(name, found, double=interpolates)
    file = folder and folder / f"{ARTICLE[name]}.png"
    read = read_spectrum(file, span_db=SPAN.get(name, USUAL)) if file else None
    return Subject(name, found, drawn, picture, {} if interpolates else _large(name), read)


def _large(name: str) -> dict[str, Expected]:
    if network_named(name).rescale is None:
        return {"as drawn": foreseen(name)}
    laws = {"rescaled": True, "as drawn": False}
    return {law: foreseen(name, rescaled=told, **ARTICLE_SIZE) for law, told in laws.items()}
