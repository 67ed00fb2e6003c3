"""Layers whose weights are not known: what an architecture alone says."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_choice, as_integer, complaint
from dspref.kernels import check_output_padding

KERNELS = ("conv", "convt", "shuffle")

HEADS = ("unsqueeze", "lazy", "haar", "lifting", "istft", "pqmf")
"""Layers of `heads`, `istft`, `lifting`, `pqmf` and `wavelets`, whose channels an architecture alone does not say."""


@dataclass(frozen=True)
class Outline:
    """A convolution ("conv"), transposed ("convt") or sub-pixel ("shuffle") convolution without weights, or a head.

    It says where lines can be, who owns them and how kernels overlap, but no level.

    Parameters
    ----------
    op : {'conv', 'convt', 'shuffle'}, or one of `HEADS`
    length : int
        Number of taps.
    stride : int
        Of "convt" the upsampling factor, of "conv" the decimation; "shuffle" and heads take their factor here too.
    padding, output_padding, dilation, groups : int
        Heads have none of them, but for "istft": `padding` is what is cut at either end.

    Raises
    ------
    ValueError
        If the word is unknown, a count is not in range, or an option is not one of that layer.

    Examples
    --------
    >>> Outline("convt", 3, stride=2).overlap
    'partial'
    """

    op: str
    length: int
    _: KW_ONLY
    stride: int = 1
    padding: int = 0
    output_padding: int = 0
    dilation: int = 1
    groups: int = 1
    bias_phases: ClassVar[None] = None
    in_channels: ClassVar[None] = None
    out_channels: ClassVar[None] = None

    def __post_init__(self) -> None:
        as_choice("op", self.op, (*KERNELS, *HEADS))
        as_integer("kernel length", self.length, 1)
        for name in ("stride", "dilation", "groups"):
            as_integer(name, getattr(self, name), 1)
        as_integer("padding", self.padding, 0)
        as_integer("output_padding", self.output_padding, 0)
        if self.op == "convt":
            check_output_padding(self.output_padding, self.stride, self.dilation)
        elif self.output_padding:
            raise ValueError(complaint("output_padding", self.output_padding, f"0 for {self.op}"))
        if self.op in HEADS:
            self._check_head()

    def _check_head(self) -> None:
        """Refuse what no head has."""
        due = {"dilation": 1, "groups": 1} | ({} if self.op == "istft" else {"padding": 0})
        due |= {"lazy": {"stride": 2, "length": 2}, "haar": {"stride": 2, "length": 2}, "lifting": {"stride": 2}}.get(
            self.op, {"length": self.stride} if self.op == "unsqueeze" else {}
        )
        for name, only in due.items():
            if getattr(self, name) != only:
                raise ValueError(complaint(name, getattr(self, name), f"{only} for {self.op}"))

    @property
    def factor(self) -> int | Fraction:
        """Output rate over input rate."""
        return Fraction(1, self.stride) if self.op == "conv" and self.stride > 1 else self.stride

    @property
    def overlap(self) -> str:
        """How stamps overlap, see `overlap`."""
        return overlap(self.length, self.stride if self.op in ("convt", *HEADS) else 1, self.dilation)

    def __call__(self, x: ArrayLike) -> Array:
        """Refuse: there are no weights to run with."""
        raise NotAnalysable(complaint("layer", f"{self.op} without weights", "a layer with weights", WEIGHTS_HINT))

    @property
    def normal(self) -> object:
        """Refuse: there are no taps."""
        raise NotAnalysable(
            complaint("normal form", f"{self.op} without weights", "a layer with weights", WEIGHTS_HINT)
        )


WEIGHTS_HINT = (
    "build it as a layer with weights, as TransposedConv or ISTFT, or describe the Torch module with torchparity"
)


def overlap(length: int, stride: int, dilation: int = 1) -> str:
    """Return how the stamps of a kernel overlap: 'none', 'partial', 'full', or 'gap' where samples stay empty.

    Counted as taps per output phase, #{k : kd ≡ r mod s}: equal counts are no (1) or full (> 1) overlap.
    Without dilation that is the article's "length is a multiple of stride".

    Examples
    --------
    >>> overlap(3, 3), overlap(3, 2), overlap(4, 2), overlap(2, 3)
    ('none', 'partial', 'full', 'gap')
    """
    counts = np.bincount(np.arange(length) * dilation % stride, minlength=stride)
    if counts.min() == 0:
        return "gap"
    if counts.min() != counts.max():
        return "partial"
    return "none" if counts.max() == 1 else "full"
