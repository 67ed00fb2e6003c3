"""What comes in, in words: "ones+white", "mono", "coloured:FILE"; each of power 1 in every channel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from dspref.arrays import complaint, did_you_mean
from dspref.expected.network import Source

KINDS = ("ones", "white", "mono", "coloured")
"""A constant; white noise, independent in the channels; the same white noise in all of them; coloured noise,
independent in the channels."""

ALLOWED = "ones, white, mono, coloured:FILE, each once, with + between"


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
    Source(channels=80, constant=1.0, covariance=(1.0, 0.5))
    """

    kinds: tuple[str, ...]
    covariance: tuple[float, ...] = ()

    @property
    def words(self) -> str:
        """The kinds, with + between."""
        return "+".join(self.kinds)

    def source(self, channels: int) -> Source:
        """Return the input of so many channels: autocovariances of independent noises add."""
        noises = [self.covariance if kind == "coloured" else (1.0,) for kind in self.kinds if kind != "ones"]
        r = tuple(map(sum, zip_longest(*noises, fillvalue=0.0)))
        return Source(channels, constant=float("ones" in self.kinds), covariance=r)


def read_input(words: str) -> Input:
    """Read an input from words.

    Parameters
    ----------
    words : str
        Some of `KINDS`, with + between; coloured noise as coloured:FILE, a text file of its autocovariance at lags
        0, 1, …, zero beyond: numbers with white space or commas between. They are divided by the first.

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
        if kind not in KINDS or bool(colon and path) != (kind == "coloured"):
            hint = "name its file: coloured:FILE" if kind == "coloured" else did_you_mean(kind, KINDS)
            raise ValueError(complaint("input", repr(kind + colon + path), ALLOWED, hint))
    kinds = tuple(sorted((kind for kind, _, _ in parts), key=KINDS.index))
    if len(set(kinds)) < len(kinds):
        raise ValueError(complaint("input", repr(words), ALLOWED))
    return Input(kinds, next((_covariance(path) for kind, _, path in parts if kind == "coloured"), ()))


def _covariance(path: str) -> tuple[float, ...]:
    """Return the autocovariance that a file holds, of power 1."""
    allowed = "a text file of numbers: the autocovariance at lags 0, 1, …"
    try:
        r = [float(word) for word in Path(path).read_text("utf-8").replace(",", " ").split()]
    except OSError as error:
        raise ValueError(complaint("coloured input", f"{path}: {error.strerror}", allowed)) from None
    except ValueError as error:  # letters, or bytes that are no text
        raise ValueError(complaint("coloured input", f"{path}, {error}", allowed)) from None
    if not r or not r[0] > 0:
        got = f"{path}, which begins with {r[0]:g}" if r else f"{path}, which is empty"
        raise ValueError(complaint("coloured input", got, "a variance > 0 at lag 0"))
    return tuple(Source(1, covariance=tuple(value / r[0] for value in r)).covariance)
