"""The spectrum to expect of a network before training: its combs, its floor, and how far one draw may lie off."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, NotAnalysable, as_choice, as_integer, as_real, frozen, set_field, value
from dspref.chain import Pointwise
from dspref.expected.bands import Comb as Comb
from dspref.expected.combs import Levels, heights
from dspref.expected.extent import Extent
from dspref.expected.graph import INPUT, Network, network
from dspref.expected.kernelmaps import slope
from dspref.expected.moments import Moments, covariance, lines, pseudo
from dspref.expected.network import Source, Step
from dspref.expected.reach import Reach, asked
from dspref.expected.source import check_source
from dspref.expected.walk import Signal, at_places, started, there

LARGEST = 4096
"""Longest period of the full recursion: matrices of 128 MiB."""

NEARLY = 0.9
"""Share of a line's power that must be Gaussian for a band."""

SAME = 1e-9
"""Share by which lines of one comb may differ and count as equal."""

ROUTES = ("auto", "combs", "full")

C = TypeVar("C", Levels, Moments)


@value
class Expected:
    """Second-order statistics of the output, in the steady state.

    Attributes
    ----------
    combs : tuple of Comb
        From DC, M = 1, to the finest, M = P.
    lines : array (P,) or None
        ``E abs(c_k)²``, k = 0 … P − 1, of the full recursion.
    lags, covariance : array (n,)
        Autocovariance of the noise, at lags >= 0.
    period, channels, narrowest : int
        P; of the output; fewest channels that a convolution behind a map sums over, or channels times taps in front of
        the first map, 0 if there is no map.
    exact : bool
        Whether the network is linear, and all this exact at any width.
    route : str
        "combs" or "full".

    Raises
    ------
    ValueError
        By ``line``, if k is no integer.
    """

    combs: tuple[Comb, ...]
    lines: Array | None
    lags: Array
    covariance: Array
    period: int
    channels: int
    narrowest: int
    exact: bool
    route: str

    def __post_init__(self) -> None:
        for name in ("lags", "covariance"):
            set_field(self, name, frozen(getattr(self, name)))
        set_field(self, "lines", None if self.lines is None else frozen(self.lines))

    @property
    def noise(self) -> float:
        """Variance of the noise: the mean of `floor` over frequencies."""
        return float(self.covariance[self.lags == 0].sum())

    @property
    def floor_db(self) -> float | None:
        """10·log10 of that; unit white noise is 0."""
        return 10 * math.log10(self.noise) if self.noise > 0 else None

    def floor(self, freq: ArrayLike) -> Array:
        """Return the power spectral density of the noise, ``S(ν) = Σ_τ mean_n D[n, τ] e^{−j2πντ}``."""
        nu = as_real("frequency", freq).astype(float)
        both = np.where(self.lags == 0, 1, 2) * self.covariance
        return np.asarray(np.cos(2 * np.pi * nu[..., None] * self.lags) @ both)

    def line(self, k: int) -> float:
        """Return ``E abs(c_k)²`` of the line at k/P, whatever the route."""
        k = as_integer("line", k, None, "line k stands at k/P cycles per sample")
        if self.lines is not None:
            return float(self.lines[k % self.period])
        return next(comb.power for comb in self.combs if k * comb.divisor % self.period == 0)


def expected_spectrum(
    steps: Network | Iterable[Step], source: Source, *, route: str = "auto", width_terms: bool = True
) -> Expected:
    """Return the spectrum to expect of a network whose weights are drawn, averaged over draws.

    Linear networks: exact at any width. Maps between drawn convolutions: in the limit of wide layers, for Gaussian
    biases; Torch's are uniform, which moves lines by 0.1 to 0.3 dB in networks of relu, and by up to 1 dB with tanh.

    Parameters
    ----------
    steps : Network, or iterable of Drawn, Fixed, Pointwise, Gate, Sum, Concat
    source : Source
    route : {'auto', 'combs', 'full'}
        The recursion of levels, which takes any period; that of matrices (P, P); or the first where it holds.
    width_terms : bool
        Whether maps make lines of the leading terms of finite width, where the limit of wide layers has none: see
        `dspref.expected.spread`.

    Returns
    -------
    Expected
        Averages over channels. Lines more than about 130 dB under the strongest are rounding.

    Raises
    ------
    NotAnalysable
        Behind a layer that is not covered, a map of values that are not Gaussian, and for periods beyond `LARGEST`
        where combs do not hold.
    ValueError
        If channels or rates do not fit.

    Examples
    --------
    >>> from dspref.expected import Drawn, Source
    >>> up = Drawn("convt", 8, 8, 8, factor=4, bias=0)
    >>> found = expected_spectrum([up], Source(8, constant=1.0))
    >>> [(comb.divisor, comb.every_hz(44100), round(comb.power, 6)) for comb in found.combs]
    [(1, 44100.0, 0.020833), (4, 11025.0, 0.020833)]
    """
    net = network(steps)
    return spectra(net, (net.output,), source, route=route, width_terms=width_terms)[0]


def spectra(
    net: Network, names: Sequence[str], source: Source, *, route: str = "auto", width_terms: bool = True
) -> tuple[Expected, ...]:
    """Return what `expected_spectrum` says of several places: the network is walked through once for all of them.

    Parameters
    ----------
    net : Network
    names : sequence of str
        Of places in it.
    source, route, width_terms :
        As of `expected_spectrum`.
    """
    as_choice("route", route, ROUTES)
    check_source(source)
    wanted = asked(net, *names) if width_terms else None
    found = {} if route == "full" else _combs(net, names, source, wanted, strict=route == "combs")
    left = [name for name in names if name not in found]
    for _, extent in at_places(started(Extent(1, LARGEST), source), net, left):
        _ = there(extent).moments  # refuses before any work
    moments = Moments.of(source, asked=wanted[INPUT] if wanted else None)
    for name, y in at_places(started(moments, source), net, left, asked=wanted):
        found[name] = of_moments(there(y))
    return tuple(found[name] for name in names)


def _combs(
    net: Network, names: Sequence[str], source: Source, wanted: dict[str, Reach] | None, *, strict: bool
) -> dict[str, Expected]:
    """Return what levels say, of those places where there are any; of all, or the reason why not, if strict."""
    found: dict[str, Expected] = {}
    try:
        start = started(Levels.of(source, asked=wanted[INPUT] if wanted else None), source)
    except NotAnalysable:
        if strict:
            raise
        return found
    for name, x in at_places(start, net, names, asked=wanted):
        try:
            found[name] = of_levels(there(x))
        except NotAnalysable:
            if strict:
                raise
    return found


def of_levels(x: Signal[Levels]) -> Expected:
    """Return what a signal's levels say."""
    levels = x.moments
    power = heights(levels)
    drawn = _linear_part(x, heights) >= NEARLY * power
    found = zip(levels.divisors, power.tolist(), drawn.tolist(), strict=True)
    combs = tuple(Comb(M, level, gaussian=gaussian) for M, level, gaussian in found)
    return _result(x, combs, None, np.zeros(1, int), np.full(1, levels.noise), "combs")


def of_moments(x: Signal[Moments]) -> Expected:
    """Return what a signal's moments say."""
    whole = x.moments.tiled(x.divisors[-1])
    power, other, k = lines(whole), np.abs(pseudo(whole)), np.arange(whole.period)
    first = np.array([(k * M % len(k)) == 0 for M in x.divisors]).argmax(axis=0)
    complex_ = 2 * k % len(k) != 0
    drawn, combs = _linear_part(x, lambda m: lines(m.tiled(len(k)))), []
    for i, M in enumerate(x.divisors):
        own, inner = first == i, (first == i) & complex_
        if own.any():
            total = power[inner].sum()
            r = min(float(other[inner].sum() / total), 1.0) if total > 0 else 0.0
            gaussian = bool(drawn[own].sum() >= NEARLY * power[own].sum())
            combs.append(Comb(M, float(power[own].mean()), r, gaussian, _strongest(power[own])))
    return _result(x, tuple(combs), power, *covariance(x.moments), "full")


def _linear_part(x: Signal[C], lines_of: Callable[[C], Array]) -> Array:
    """Return the power of each line that is Gaussian: all of it, or behind a map ``(E φ′)²`` of that in front, or none.

    ``φ(x) = E φ′ · x + ε``, and ε is not correlated with x.
    """
    power = lines_of(x.moments)
    if x.gaussian:
        return power
    first = next(iter(x.parts.values()))
    if len(x.parts) > 1 or first.before is None or not isinstance(first.stage, Pointwise) or first.stage.name == "glu":
        return np.zeros_like(power)
    q = float(np.mean(first.before.power))
    return (first.gain * slope(first.stage, q)) ** 2 * lines_of(first.before)


def _strongest(power: Array) -> float | None:
    """Return the strongest of the lines of a comb, if they differ by more than rounding."""
    return float(power.max()) if power.max() > power.mean() * (1 + SAME) else None


def _result(
    x: Signal[Any], combs: tuple[Comb, ...], power: Array | None, lags: Array, r: Array, route: str
) -> Expected:
    return Expected(combs, power, lags, r, x.divisors[-1], x.channels, x.narrowest, x.linear, route)


def width_terms(steps: Network | Iterable[Step], source: Source, *, route: str = "auto") -> tuple[Comb, ...]:
    """Return by how much each line changes for the leading terms of finite width: `dspref.expected.spread`.

    Their sizes say down to which level the limit of wide layers alone would hold.

    Parameters
    ----------
    steps, source, route :
        As of `expected_spectrum`.

    Returns
    -------
    tuple of Comb
        Of the power with these terms less that without, in size.

    Examples
    --------
    >>> from dspref.chain import Pointwise
    >>> from dspref.expected import Drawn, Source
    >>> net = [Drawn("convt", 16, 16, 8, factor=4, bias=0), Pointwise("relu"), Drawn("conv", 16, 1, 3, bias=0)]
    >>> [(comb.divisor, round(comb.db, 1)) for comb in width_terms(net, Source(16, covariance=(1.0,)))]
    [(1, -46.8), (4, -51.6)]
    """
    found, plain = (expected_spectrum(steps, source, route=route, width_terms=on) for on in (True, False))
    return tuple(replace(a, power=abs(a.power - b.power)) for a, b in zip(found.combs, plain.combs, strict=True))
