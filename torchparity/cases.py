"""Inputs to check a layer with, each made again from one line of Python."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from dspref.arrays import Array, as_choice
from torchparity.arithmetic import Arithmetic, arithmetic, rounded

GRIDS = {
    "small": (1, 2, 3, 5, 8, 16, 17, 40, 64, 129),
    "full": (*range(1, 20), 31, 32, 33, 64, 100, 129, 257, 1000, 2049),
}
"""Input lengths by the name of the grid."""

LONG = 1088
"""A length beyond the small grid, for layers whose sums are cheap."""

LONGEST = 40_000
"""A length beyond what 16 bits count, for layers that cost next to nothing."""

REAL = ("normal", "spread", "constant")
KINDS = (*REAL, "integer", "one-hot", "silence", "impulse")


DENSEST = 8
"""The largest whole number drawn, where sums of such are exact."""


@dataclass(frozen=True)
class Case:
    """One input: what it is made of, in which model of arithmetic it is used, and from which seed.

    `size` is the largest number of an input of integers, `share` the share of them that are not zero.
    """

    kind: str
    shape: tuple[int, int, int]
    dtype: str
    seed: int
    size: int = DENSEST
    share: float = 1.0

    @property
    def model(self) -> Arithmetic:
        """The arithmetic that the case is about."""
        return arithmetic(self.dtype)

    @property
    def x(self) -> Array:
        """The input."""
        return draw(self.kind, self.shape, self.dtype, seed=self.seed, size=self.size, share=self.share)

    @property
    def code(self) -> str:
        """Python that makes it, as a tensor."""
        more = "" if self.size == DENSEST else f", size={self.size}"
        more += "" if self.share == 1 else f", share={self.share}"
        drawn = f"cases.draw({self.kind!r}, {self.shape}, {self.dtype!r}, seed={self.seed}{more})"
        half = f".to(torch.{self.model.dtype})" if self.model.dtype == "bfloat16" else ""
        return f"torch.from_numpy({drawn}){half}"


def draw(
    kind: str, shape: tuple[int, int, int], dtype: str, *, seed: int = 0, size: int = DENSEST, share: float = 1.0
) -> Array:
    """Return an input (batch, channel, time) of one of seven kinds, in numbers that the dtype holds exactly.

    Parameters
    ----------
    kind : {'normal', 'spread', 'constant', 'integer', 'one-hot', 'silence', 'impulse'}
        Normal noise; the same times 2^e with e uniform in ±20 (±5 for float16, whose range ends soon), so that
        cancellation and rounding show; one normal number per channel, held (a layer's offset); integers in ±size,
        of which a `share` is not zero; a single 1 per item of the batch, every item elsewhere, first and last
        sample included; zeros in the first item of the batch, and in the others normal noise, silent in its middle
        third; or one 1 alone, in channel ``seed // time`` at sample ``seed % time``.
    shape : (batch, channel, time)
    dtype : str
        A dtype, or the name of a model of arithmetic for tensors of that dtype.
    seed, size : int
    share : float

    Examples
    --------
    >>> draw("one-hot", (2, 1, 3), "float64")
    array([[[1., 0., 0.]],
    <BLANKLINE>
           [[0., 0., 1.]]])
    """
    rng = np.random.default_rng([seed, crc32(as_choice("kind", kind, KINDS).encode()), *shape])
    batch, channels, time = shape
    own = arithmetic(dtype).dtype
    if kind == "impulse":
        one = np.zeros(shape)
        one[:, seed // time % channels, seed % time] = 1
        return rounded(one, own)
    if kind == "one-hot":
        places = np.r_[0, channels * time - 1, 1 + rng.permutation(max(channels * time - 2, 0))][:batch]
        ones = np.zeros((len(places), channels * time))
        ones[np.arange(len(places)), places] = 1
        return rounded(ones.reshape(-1, channels, time), own)
    if kind == "integer":
        whole = rng.integers(-size, size + 1, shape)
        return rounded(whole if share == 1 else np.where(rng.random(shape) < share, whole, 0), own)
    x = rng.standard_normal((batch, channels, 1) if kind == "constant" else shape)
    if kind == "silence":
        x[0], x[..., time // 3 : 2 * time // 3] = 0, 0
    if kind == "spread":
        reach = 5 if arithmetic(dtype).result == "float16" else 20
        x *= 2.0 ** rng.uniform(-reach, reach, shape)
    return rounded(np.broadcast_to(x, shape), own)
