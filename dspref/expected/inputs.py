"""What comes in, in words: "ones+white", "mono", "coloured:FILE", "density:FILE"; of power 1 in every channel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dspref.arrays import complaint, did_you_mean
from dspref.expected.source import Source

KINDS = ("ones", "white", "mono", "coloured")
"""A constant; white noise, independent in the channels; the same white noise in all of them; coloured noise,
independent in the channels."""

FILES = ("coloured", "density")
"""Words for coloured noise, by what their file holds: its autocovariance, or its power spectral density."""

ALLOWED = "ones, white, mono, and coloured:FILE or density:FILE, each once, with + between"


@dataclass(frozen=True)
class Input:
    """Kinds of input, each of power 1 in every channel, and their sum.

    Parameters
    ----------
    kinds : tuple of str
        Some of `KINDS`.
    covariance : tuple of float
        Autocovariance r₀ = 1, r₁, … of the coloured noise.

    Examples
    --------
    >>> Input(("ones", "coloured"), (1.0, 0.5)).source(80)
    Source(channels=80, constant=1.0, covariance=(1.0, 0.5), mono=False)
    """

    kinds: tuple[str, ...]
    covariance: tuple[float, ...] = ()

    @property
    def words(self) -> str:
        """The kinds, with + between."""
        return "+".join(self.kinds)

    def source(self, channels: int) -> Source:
        """Return the input of so many channels: the sum of its kinds, independent of each other."""
        noises = {"white": (1.0,), "mono": (1.0,), "coloured": self.covariance}
        made = Source(channels, constant=float("ones" in self.kinds))
        for kind in self.kinds:
            made += Source(channels, covariance=noises.get(kind, ()), mono=kind == "mono")
        return made


def read_input(words: str) -> Input:
    """Read an input from words.

    Parameters
    ----------
    words : str
        Some of `KINDS`, with + between. Coloured noise is coloured:FILE, a text file of its autocovariance at lags
        0, 1, …, zero beyond, or density:FILE, of its power spectral density at equally spaced frequencies from 0 to ½
        cycles per sample: numbers with white space or commas between. They are scaled to power 1.

    Raises
    ------
    ValueError
        For other words, the same one twice, and files of something else.

    Examples
    --------
    >>> read_input("white+ones")
    Input(kinds=('ones', 'white'), covariance=())
    """
    parts = [part.partition(":") for part in re.split(r"\+(?=[a-z]*(?:[:+]|$))", words)]
    for kind, colon, path in parts:
        if kind not in (*KINDS, *FILES) or bool(colon and path) != (kind in FILES):
            hint = f"name its file: {kind}:FILE" if kind in FILES else did_you_mean(kind, (*KINDS, *FILES))
            raise ValueError(complaint("input", repr(kind + colon + path), ALLOWED, hint))
    kinds = tuple(sorted(("coloured" if kind in FILES else kind for kind, _, _ in parts), key=KINDS.index))
    if len(set(kinds)) < len(kinds):
        raise ValueError(complaint("input", repr(words), ALLOWED))
    return Input(kinds, next((_covariance(kind, path) for kind, _, path in parts if kind in FILES), ()))


def _covariance(kind: str, path: str) -> tuple[float, ...]:
    """Return the autocovariance, of power 1, that a file holds or implies."""
    found = _numbers(kind, path)
    if kind == "density":
        return Source.of_density(1, found, power=1.0).covariance
    if not found[0] > 0:
        raise ValueError(
            complaint(f"{kind} input", f"{path}, which begins with {found[0]:g}", "a variance > 0 at lag 0")
        )
    return Source(1, covariance=tuple(value / found[0] for value in found)).covariance


def _numbers(kind: str, path: str) -> list[float]:
    allowed = "a text file of numbers, with white space or commas between"
    try:
        found = [float(word) for word in Path(path).read_text("utf-8").replace(",", " ").split()]
    except OSError as error:
        raise ValueError(complaint(f"{kind} input", f"{path}: {error.strerror}", allowed)) from None
    except ValueError as error:  # letters, or bytes that are no text
        raise ValueError(complaint(f"{kind} input", f"{path}, {error}", allowed)) from None
    if not found:
        raise ValueError(complaint(f"{kind} input", f"{path}, which is empty", allowed))
    return found
