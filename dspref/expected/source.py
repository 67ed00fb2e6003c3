"""What comes into a network: a constant, and noise, white or of any spectrum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_integer, as_real, complaint
from dspref.expected.density import LOUDEST, autocovariance, spectrum_of


@dataclass(frozen=True)
class Source:
    """What comes in: the same constant in each channel, plus zero-mean noise.

    Whether channels carry one noise or each its own does not count for means over draws of linear networks: drawn
    kernels have mean zero, and fixed filters do not mix channels. Behind maps it does: one noise counts as one channel,
    however many kernels see it, so that phases differ in loudness, and lines are there, in wide layers too: see
    `dspref.expected.spread`.

    Independent sources add: ``Source(2, constant=1.0) + Source(2, covariance=(1.0,))``.

    Parameters
    ----------
    channels : int
    constant : float
        Its value.
    covariance : tuple of float
        Autocovariance r₀, r₁, … of the noise at lags 0, 1, …; ``(1.0,)`` is white, of unit power.
    mono : bool
        Whether all channels carry the same noise, or part of it.
    private : tuple of float
        If so, the part of the autocovariance that belongs to noise of each channel's own: none, but in sums of sources.

    Raises
    ------
    ValueError, TypeError
        If a number is not finite or too loud to be squared twice, or a covariance is that of no noise: some density
        would be below 0.

    Examples
    --------
    >>> Source(80, constant=1.0).power, Source(1, covariance=(1.0,)).power
    (1.0, 1.0)
    >>> Source(2, constant=1.0) + Source(2, covariance=(0.5,)) + Source(2, covariance=(0.5, 0.1))
    Source(channels=2, constant=1.0, covariance=(1.0, 0.1), mono=False)
    """

    channels: int
    constant: float = 0.0
    covariance: tuple[float, ...] = ()
    mono: bool = False
    private: tuple[float, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        as_integer("channels", self.channels, 1)
        if as_real("constant", self.constant).ndim or abs(self.constant) > LOUDEST**0.5:
            allowed = f"one number, of size {LOUDEST**0.5:g} or less"
            raise ValueError(complaint("constant", self.constant, allowed, "it is the same in all channels"))
        if not isinstance(self.mono, bool):
            raise TypeError(complaint("mono", repr(self.mono), "True or False"))
        if not isinstance(self.covariance, tuple):
            raise TypeError(complaint("covariance", repr(self.covariance), "a tuple of numbers", "() for no noise"))
        r = as_real("covariance", self.covariance) if self.covariance else np.zeros(1)
        if r.ndim != 1:
            raise ValueError(complaint("covariance", f"shape {r.shape}", "one axis, of lags"))
        if np.abs(r).max() > LOUDEST:
            raise ValueError(complaint("covariance", f"{np.abs(r).max():g}", f"numbers up to {LOUDEST:g} in size"))
        if spectrum_of(r, 16 * len(r)).min() < -1e-9 * abs(r[0]) or r[0] < 0:
            allowed = "an autocovariance, whose spectrum is >= 0"
            raise ValueError(complaint("covariance", self.covariance, allowed))

        if self.covariance and self.private:
            own = as_real("private", self.private)
            rest = r - np.pad(own, (0, max(len(r) - len(own), 0)))[: len(r)]
            if not self.mono or len(own) > len(r) or spectrum_of(rest, 16 * len(r)).min() < -1e-9 * abs(r[0]):
                raise ValueError(complaint("private", self.private, "a part of the covariance of mono noise"))

    @classmethod
    def of_density(
        cls,
        channels: int,
        density: ArrayLike | Callable[[Array], ArrayLike],
        *,
        points: int | None = None,
        tapered: bool = False,
        power: float | None = None,
        constant: float = 0.0,
        mono: bool = False,
    ) -> Source:
        """Return noise of a given power spectral density, plus a constant.

        Parameters
        ----------
        channels, constant, mono :
            As above.
        density, points, tapered :
            As of `dspref.expected.density.autocovariance`: samples at N equally spaced frequencies from 0 to ½ cycles
            per sample, or a function to be read at so many points. The noise has no lags beyond N − 1.
        power : float, optional
            Of the noise; if not given, the density is taken at its word: its mean over −½ … ½ is the power.

        Examples
        --------
        >>> pink = Source.of_density(1, lambda nu: 1 / (nu + 0.05), points=129, power=1.0)
        >>> [round(r, 3) for r in pink.covariance[:3]]
        [1.0, 0.429, 0.221]
        """
        if power is not None and not as_real("power", power) > 0:
            raise ValueError(complaint("power", power, "a finite number > 0"))
        r = autocovariance(density, points=points, tapered=tapered)
        gain = 1.0 if power is None else power / r[0]
        return cls(channels, constant, tuple(gain * each for each in r), mono)

    def __add__(self, other: Source) -> Source:
        """Return the sum of independent sources: constants add, and so do autocovariances."""
        if not isinstance(other, Source):
            return NotImplemented
        if self.channels != other.channels:
            raise ValueError(complaint("channels of sources", f"{self.channels} and {other.channels}", "equal numbers"))
        mono = any(each.mono and any(each.covariance) for each in (self, other))
        own = _added(*(each.private if each.mono else each.covariance for each in (self, other))) if mono else ()
        r = _added(self.covariance, other.covariance)
        return Source(self.channels, self.constant + other.constant, r, mono, own)

    @property
    def power(self) -> float:
        """Mean square of one channel."""
        return self.constant**2 + (self.covariance[0] if self.covariance else 0.0)


def _added(x: tuple[float, ...], y: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(map(sum, zip_longest(x, y, fillvalue=0.0)))


def check_source(source: object) -> None:
    """Refuse what is no `Source`."""
    if not isinstance(source, Source):
        raise TypeError(complaint("source", repr(source), "Source", "as Source(1, covariance=(1.0,))"))
