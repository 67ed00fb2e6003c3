"""The sizes of the article's Table 1, and ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from dspref.arrays import complaint
from torchparity.known import network_named
from torchparity.models.article import openunmix_parameters

MILLION = 10**6


@dataclass(frozen=True)
class Row:
    """A row of Table 1.

    Attributes
    ----------
    name : str
        As printed in the article.
    printed : str
        Its parameters as printed, in millions: "703", "8.9".
    epoch : int or None
        Seconds of an epoch, as printed; None where the article has none.
    network : str
        The name of ours, see `torchparity.known.NETWORKS`; "" if there is none.
    why : str
        What the difference comes from.
    count : function, optional
        What counts ours where no network is made.

    Examples
    --------
    >>> next(row for row in TABLE_1 if row.network == "demucs").printed
    '648'
    """

    name: str
    printed: str
    epoch: int | None
    network: str
    why: str
    count: Callable[[], int] | None = None

    @property
    def ours(self) -> int | None:
        """Our parameters, counted on the meta device; None where there is no network of ours."""
        if self.count is not None:
            return self.count()
        return _counted(self.network) if self.network else None

    @property
    def difference(self) -> float | None:
        """Ours over the article's, less 1; the article's to the digits that it prints."""
        ours = self.ours
        return None if ours is None else ours / (float(self.printed) * MILLION) - 1

    @property
    def agrees(self) -> bool:
        """Whether ours reads as the article's to its digits, rounded or cut off.

        Examples
        --------
        >>> [row.agrees for row in TABLE_1 if row.name.startswith(("Demucs:", "Sams"))]
        [True, False]
        """
        if self.ours is None:
            return False
        tenths = len(self.printed.partition(".")[2])
        unit = MILLION // 10**tenths
        due = round(float(self.printed) * 10**tenths)
        return due in (self.ours // unit, round(self.ours / unit))


_SUBPIXEL = (
    "a convolution of length 3 before the shuffle, as in Fig. 7; the article gives no length, and none has 729M (2: "
    "703.2M, 3: 730.4M)"
)
_INTERPOLATED = (
    "a convolution of length 10 behind the interpolation: the article gives no length, and only 10 has 716 million, "
    "cut off (9: 710.0M, 11: 723.6M)"
)
_BIASES = "biases are gone"
_TRANSPOSED = "none: length 8, stride 4, and 3 taps in the encoder's second convolutions, where Demucs has 1"

TABLE_1 = (
    Row("Demucs-like (Fig. 1, b): transposed CNN (full-overlap)", "703", 319, "demucs-like-transposed", _TRANSPOSED),
    Row("Demucs-like (Fig. 1, c): nearest neighbor interpolation", "716", 423, "demucs-like-nearest", _INTERPOLATED),
    Row(
        "Demucs-like: linear interpolation",
        "716",
        430,
        "demucs-like-linear",
        "as nearest: interpolation has no weights",
    ),
    Row("Demucs-like (Fig. 1, d): subpixel CNN", "729", 311, "demucs-like-subpixel", _SUBPIXEL),
    Row(
        "Modified (Fig. 9, a): transposed CNN (full-overlap)",
        "703",
        326,
        "modified-transposed",
        f"{_BIASES}, 140 thousand parameters",
    ),
    Row(
        "Modified (Fig. 9, b): subpixel CNN",
        "729",
        315,
        "modified-subpixel",
        f"as above; {_BIASES}, 150 thousand parameters",
    ),
    Row(
        "WaveUnet: linear interpolation",
        "10",
        None,
        "wave-u-net",
        "its authors' M6: 12 levels, 24 more channels in each, lengths 15 and 5, four stereo sources",
    ),
    Row("Demucs: transposed convolution (full-overlap)", "648", None, "demucs", "none: the article cuts 648.5 off"),
    Row(
        "OpenUnmix: spectrogram-based",
        "8.9",
        None,
        "",
        "none: one of its four networks, with the defaults of the package openunmix",
        openunmix_parameters,
    ),
    Row(
        "Sams-net: spectrogram-based",
        "3.7",
        None,
        "",
        "not built: T. Li et al., arXiv 1909.05746, works on spectrograms by attention among slices; how many "
        "slices, heads, blocks and channels it has was in no source that could be read",
    ),
)
"""The article's Table 1, row by row (J. Pons et al., arXiv 2010.14356)."""


def parameters(factory: Callable[[], nn.Module]) -> int:
    """Return how many parameters a network has; it is made on the meta device, without their values.

    Parameters
    ----------
    factory : function
        Makes the network.

    Returns
    -------
    int

    Raises
    ------
    TypeError
        If it makes something else than a module.

    Examples
    --------
    >>> parameters(lambda: nn.Conv1d(2, 3, 5))
    33
    """
    with torch.device("meta"):
        made = factory()
    if not isinstance(made, nn.Module):
        raise TypeError(complaint("factory's network", type(made).__name__, "an nn.Module"))
    return sum(p.numel() for p in made.parameters())


@cache
def _counted(name: str) -> int:
    return parameters(network_named(name).factory)


_HEAD = """\
# Table 1: sizes of networks

The article's parameter counts beside those of `torchparity.models`, made by `python -m torchparity.models`: every
network is built at the article's size on Torch's meta device. "Reads as" asks whether ours is the article's number when
rounded, or cut off, to its digits. Why lengths are what they are: `torchparity.models.LENGTHS`.

| the article's network | its size | ours | difference | reads as | its epoch |
|---|---|---|---|---|---|
"""


def table_1() -> str:
    """Return the table as Markdown: the article's sizes, ours, and what differs.

    Returns
    -------
    str
    """
    rows = "".join(
        f"| {row.name} | {row.printed}M | {_count(row)} | {_percent(row)} | {'yes' if row.agrees else 'no'} | "
        f"{f'{row.epoch} s' if row.epoch else '–'} |\n"
        for row in TABLE_1
    )
    notes = "".join(f"- {row.name}: {row.why}.\n" for row in TABLE_1)
    return f"{_HEAD}{rows}\nWhat differs, and why:\n\n{notes}"


def _count(row: Row) -> str:
    return "none" if row.ours is None else f"{row.ours:,}".replace(",", " ")


def _percent(row: Row) -> str:
    return "–" if row.difference is None else f"{100 * row.difference:+.2f} %".replace("-", "−")
