"""Inputs to check a layer with, each made again from one line of Python."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from dspref.arrays import Array, as_choice

GRIDS = {
    "small": (1, 2, 3, 5, 8, 17, 40, 129),
    "full": (*range(1, 20), 31, 32, 33, 64, 100, 129, 257, 1000, 2049),
}
"""Input lengths by the name of the grid."""

LONG = 1000
"""A length beyond the small grid, for layers whose sums are cheap."""

REAL = ("normal", "spread", "constant")
KINDS = (*REAL, "integer", "one-hot")


@dataclass(frozen=True)
class Case:
    """One input: what it is made of, and from which seed."""

    kind: str
    shape: tuple[int, int, int]
    dtype: str
    seed: int

    @property
    def x(self) -> Array:
        """The input."""
        return draw(self.kind, self.shape, self.dtype, seed=self.seed)

    @property
    def code(self) -> str:
        """Python that makes it, as a tensor."""
        return f"torch.from_numpy(cases.draw({self.kind!r}, {self.shape}, {self.dtype!r}, seed={self.seed}))"


def draw(kind: str, shape: tuple[int, int, int], dtype: str, *, seed: int = 0) -> Array:
    """Return an input (batch, channel, time) of one of five kinds.

    Parameters
    ----------
    kind : {'normal', 'spread', 'constant', 'integer', 'one-hot'}
        Normal noise; the same times 2^e with e uniform in ±20, so that cancellation and rounding show;
        one normal number per channel, held (a layer's offset); integers in ±8; or a single 1 per item of
        the batch, every item elsewhere, first and last sample included.
    shape : (batch, channel, time)
    dtype : {'float32', 'float64'}
    seed : int

    Examples
    --------
    >>> draw("one-hot", (2, 1, 3), "float64")
    array([[[1., 0., 0.]],
    <BLANKLINE>
           [[0., 0., 1.]]])
    """
    rng = np.random.default_rng([seed, crc32(as_choice("kind", kind, KINDS).encode()), *shape])
    batch, channels, time = shape
    if kind == "one-hot":
        places = np.r_[0, channels * time - 1, 1 + rng.permutation(max(channels * time - 2, 0))][:batch]
        ones = np.zeros((len(places), channels * time), dtype)
        ones[np.arange(len(places)), places] = 1
        return ones.reshape(-1, channels, time)
    if kind == "integer":
        return rng.integers(-8, 9, shape).astype(dtype)
    x = rng.standard_normal((batch, channels, 1) if kind == "constant" else shape)
    if kind == "spread":
        x *= 2.0 ** rng.uniform(-20, 20, shape)
    return np.array(np.broadcast_to(x, shape)).astype(dtype)
