"""A figure before it is drawn: its panels, its caption, and how they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from dspref.figures.panels import Panel

RECORD = Path(__file__).resolve().parents[2] / "docs" / "validation" / "expected.json"
"""Levels of networks that were drawn, beside the package in its repository: what `montecarlo` draws."""

SEED = 0
"""Seed of random weights and noise where no other is asked for: the stored numbers are of it."""


@dataclass(frozen=True)
class Picture:
    """What is in a figure.

    Attributes
    ----------
    name : str
        As on the command line.
    title : str
    caption : str
        What is seen, and what is predicted.
    claims : tuple of str
        Ids of the claims that it shows.
    panels : tuple of Panel
        Row by row.
    columns : int
    size : (width, height)
        Of one panel, in inches.
    """

    name: str
    title: str
    caption: str
    claims: tuple[str, ...]
    panels: tuple[Panel, ...]
    columns: int = 1
    size: tuple[float, float] = (5.2, 2.9)

    @property
    def text(self) -> str:
        """Title, caption and ids of claims, as they stand below the figure."""
        known = f" Claims: {', '.join(self.claims)}." if self.claims else ""
        return f"{self.title} {self.caption}{known}"

    @property
    def numbers(self) -> dict[str, Any]:
        """The numbers behind each panel, by its title."""
        return {panel.title: panel.numbers for panel in self.panels}


@dataclass(frozen=True)
class Wanted:
    """What a figure is asked for with.

    Attributes
    ----------
    seed : int
        Of random weights and noise.
    wav : path, optional
        A recording in place of the music.
    """

    seed: int = SEED
    wav: Path | None = None


Maker: TypeAlias = Callable[[Wanted], Picture]
"""What makes a figure, and is registered by its name."""
