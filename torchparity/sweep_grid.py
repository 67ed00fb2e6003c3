"""The grid of a sweep: which architectures, in which order, and how each of them is made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, replace
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b
from itertools import product
from pathlib import Path

from dspref.arrays import complaint, did_you_mean
from dspref.chain import Chain
from dspref.expected.outlined import FIRST, default_channels
from dspref.presets import PRESETS, preset
from dspref.spec import SpecError, parse, spec
from torchparity.sweep_words import FAMILIES, chain_words, expanded, law, layer_words, listed, ways, whole

LIMIT = 1000
"""Rows beyond which a grid is refused, unless more are allowed."""

WIDTH = 32
"""Channels of the input, where none are said."""

_TARGET = re.compile(r"[^|\s]+:[A-Za-z_][\w.]*")


@dataclass(frozen=True)
class Architecture:
    """Architectures in words, alternatives in braces, and what is said of them alone.

    Parameters
    ----------
    words : str
        SPEC, the name of a preset, or TARGET: ``pkg.mod:factory``, ``path/file.py:factory``.
    name : str
        What they are called.
    channels, init : str, optional
    bias : bool, optional
    sr : Fraction, optional
        In place of what the grid says.
    """

    words: str
    name: str = ""
    channels: str | None = None
    init: str | None = None
    bias: bool | None = None
    sr: Fraction | None = None


@dataclass(frozen=True)
class Grid:
    """Architectures times channels times initialisations times biases.

    Parameters
    ----------
    architectures : tuple of Architecture
    channels : tuple of str
        "32": of the input, halved by every layer that raises the rate, one at the end. "64,32,1": of the input, and
        behind each layer with a kernel.
    inits : tuple of str
        See `torchparity.sweep_words.law`.
    biases : tuple of bool
        With Torch's biases, or without any.
    sr : Fraction, optional
        Output rate in Hz; presets have one.

    Examples
    --------
    >>> grid = Grid((Architecture("convt k{8,16} s8 p4"),), biases=(True, False))
    >>> grid.size, [(row.words, row.bias) for row in rows(grid)][1:3]
    (4, [('convt k8 s8 p4', False), ('convt k16 s8 p4', True)])
    """

    architectures: tuple[Architecture, ...]
    channels: tuple[str, ...] = (str(WIDTH),)
    inits: tuple[str, ...] = ("default",)
    biases: tuple[bool, ...] = (True,)
    sr: Fraction | None = None

    @property
    def size(self) -> int:
        """The number of rows, those that turn out the same counted each."""
        return sum(ways(source.words) * len(list(self.axes(source))) for source in self.architectures)

    def axes(self, source: Architecture) -> Iterator[tuple[str, str, bool]]:
        """Yield channels, initialisation and biases of a source, in every way."""
        channels = self.channels if source.channels is None else (source.channels,)
        inits = self.inits if source.init is None else (source.init,)
        yield from product(channels, inits, self.biases if source.bias is None else (source.bias,))

    def digest(self) -> str:
        """Return a checksum of all rows, and of the files of targets."""
        told = [repr(asdict(row) | {"file": _file(row)}) for row in rows(self)]
        return blake2b("\n".join(told).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Row:
    """One architecture.

    Attributes
    ----------
    words : str
        SPEC, or TARGET.
    target : bool
        Whether it is a TARGET: then it has no channels, law and biases of ours.
    name : str
    channels : tuple of int
        Of the input, and behind each layer with a kernel.
    init : str
        Law of the weights; "" for a target.
    scale : float
    bias : bool
    sr : Fraction
        Output rate in Hz; 1 if none was said.
    """

    words: str
    target: bool
    name: str = ""
    channels: tuple[int, ...] = ()
    init: str = ""
    scale: float = 1.0
    bias: bool = True
    sr: Fraction = Fraction(1)

    @property
    def law(self) -> str:
        """The initialisation in words, as "normal:0.02"."""
        return self.init if self.scale == 1 else f"{self.init}:{self.scale:g}"


@lru_cache(maxsize=4)
def rows(grid: Grid) -> tuple[Row, ...]:
    """Return the rows of a grid in its order: sources first, then channels, initialisations, biases.

    What is the same network as a row before it is left out: "icnr" concerns sub-pixel convolutions alone.

    Raises
    ------
    ValueError
        If something can't be read.
    """
    found: dict[tuple[object, ...], Row] = {}
    for source in grid.architectures:
        for words in expanded(source.words):
            for row in _of(grid, source, words.strip()):
                found.setdefault((*astuple(replace(row, name="")),), row)
    return tuple(found.values())


def _of(grid: Grid, source: Architecture, words: str) -> Iterator[Row]:
    """Yield the rows of one architecture."""
    if _TARGET.fullmatch(words):
        yield Row(words, True, source.name, sr=source.sr or grid.sr or Fraction(1))
        return
    known = preset(words) if words in PRESETS else None
    sr = source.sr or grid.sr or Fraction(known.sr if known else 1)
    chain, name = known.chain if known else _read(words, source), source.name or (known.name if known else "")
    shuffles = any(stage.op == "shuffle" for stage in chain.stages)
    for channels, init, bias in grid.axes(source):
        kind, scale = law(init)
        kind = "default" if kind == "icnr" and not shuffles else kind
        yield Row(spec(chain), False, name, widths(chain, channels), kind, scale, bias, sr)


def _read(words: str, source: Architecture) -> Chain:
    try:
        return parse(words)
    except SpecError as error:
        near = did_you_mean(words, PRESETS, cutoff=0.7)
        more = f" A preset? {near[0].upper()}{near[1:]}" if near and "|" not in words else ""
        raise ValueError(f"{source.name + ': ' if source.name else ''}{words!r}, {error}{more}") from None


def widths(chain: Chain, words: str) -> tuple[int, ...]:
    """Return channels of the input and behind each layer with a kernel, all of them said or the first alone.

    Examples
    --------
    >>> widths(parse("convt k16 s8 p4 | leaky 0.2 | conv k9 p4 | convt k4 s2 p1"), "32")
    (32, 16, 16, 1)
    """
    said = whole("channels", words)
    return said if len(said) > 1 else (*(max(1, said[0] * C // FIRST) for C in default_channels(chain)[:-1]), 1)


def families(
    names: str,
    rates: str,
    lengths: str = "2s",
    *,
    conv: str = "9",
    subpixel: str = "3",
    first: str = "",
    between: str = "leaky 0.2",
    last: str = "",
) -> tuple[Architecture, ...]:
    """Return the grid of kinds of upsampling layers times factors times kernel lengths.

    Parameters
    ----------
    names : str
        Some of `FAMILIES`, with commas between.
    rates : str
        Factors of the layers, first to last; chains have semicolons between, as "8,8,2,2;10,10,2,2".
    lengths : str
        Of transposed convolutions, as "2s,2s+1".
    conv, subpixel : str
        Taps behind interpolations, and of sub-pixel convolutions.
    first, between, last : str
        Words in front of the layers, between them, and behind.

    Examples
    --------
    >>> [source.name for source in families("transposed,nearest", "8,2", "2s,2s+1")]
    ['transposed 8,2 k2s', 'transposed 8,2 k2s+1', 'nearest 8,2 k9']
    """
    taps = {family: conv for family in FAMILIES} | {"transposed": lengths, "subpixel": subpixel}
    found = []
    for family in listed("families", names, str):
        for factors in listed("rates", rates, lambda part: whole("rates", part), by=";"):
            for K in listed("lengths", taps.get(family, conv), str):
                odd = (
                    {"conv": whole("conv", K)[0], "subpixel": whole("subpixel", K)[0]} if family != "transposed" else {}
                )
                layers = [layer_words(family, s, K, **odd) for s in factors]
                name = f"{family} {','.join(map(str, factors))} k{K}"
                found.append(Architecture(chain_words(layers, first=first, between=between, last=last), name))
    return tuple(found)


def checked(grid: Grid, *, limit: int = LIMIT) -> Grid:
    """Return the grid, if it has rows, not too many, and all can be read.

    Raises
    ------
    ValueError
        Says how many there are.
    """
    if not grid.size:
        raise ValueError(complaint("grid", "no row", "at least one architecture", "as 'convt k{8,16} s8 p4'"))
    if grid.size > limit:
        raise ValueError(complaint("grid", f"{grid.size} rows", f"at most {limit}", f"--limit {grid.size} allows it"))
    rows(grid)
    return grid


def _file(row: Row) -> str:
    """Return the contents of the file that a target names: another file is another grid."""
    path = Path(row.words.rpartition(":")[0])
    return path.read_text("utf-8", "replace") if row.target and path.suffix == ".py" and path.is_file() else ""
