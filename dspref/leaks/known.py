"""The DC leakage of known upsamplers: what libraries do by default, and the formulae behind it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from dspref.arrays import Array, NotAnalysable, as_choice, as_integer, complaint
from dspref.designs import Cubic, KaiserSinc, LearnedLinear, WindowedSinc
from dspref.interpolators import FilterInterp, Linear, Nearest, ZeroStuff
from dspref.leaks import leakage
from dspref.leaks.lines import Leakage


@dataclass(frozen=True)
class Known:
    """An upsampler by name.

    Attributes
    ----------
    make : function of L
        Makes what `leakage` takes.
    factors : tuple of int
        Those in the table.
    about : str
        What it is.
    only : tuple of int
        Factors that it has; empty for all.
    """

    make: Callable[[int], Any]
    factors: tuple[int, ...]
    about: str
    only: tuple[int, ...] = ()


@dataclass(frozen=True)
class KnownLeakage:
    """The leakage of a known upsampler: None, and a note, where it can't be said; `about` says what it is."""

    name: str
    factor: int
    leakage: Leakage | None
    note: str = ""
    about: str = ""


def integer_linear(factor: int) -> FilterInterp:
    """Return linear interpolation on the integer grid: h = 1 − abs(n)/L, exact Fractions; inputs are kept.

    Examples
    --------
    >>> integer_linear(2)([[4.0, 8.0]])
    array([[4., 6., 8., 4.]])
    """
    L = as_integer("factor", factor, 1)
    return FilterInterp(L, np.array([Fraction(L - abs(n), L) for n in range(1 - L, L)]), offset=L - 1)


def _resample_poly(L: int) -> Callable[[Array], Array]:
    signal = importlib.import_module("scipy.signal")
    return lambda x: np.asarray(signal.resample_poly(x, L, 1))


def _soxr(L: int) -> Callable[[Array], Array]:
    soxr = _installed("soxr")
    return lambda x: np.asarray(soxr.resample(x, 1, L))


def _samplerate(L: int) -> Callable[[Array], Array]:
    samplerate = _installed("samplerate")
    return lambda x: np.asarray(samplerate.resample(x, L, "sinc_best"))


def _installed(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError:
        hint = f"pip install {package}"
        raise NotAnalysable(complaint(package, "not installed", "an installed package", hint)) from None


def _julius(L: int) -> FilterInterp:
    return WindowedSinc(L, zeros=24, rolloff=0.945, window="hann", scale="none")


def _torchaudio(L: int) -> FilterInterp:
    return WindowedSinc(L, zeros=6, rolloff=0.99, window="hann", scale="none")


def _scaled_sinc(L: int) -> FilterInterp:
    return WindowedSinc(L, zeros=24, window="hann", scale="phases")


_SOME = (2, 3, 4, 8)

KNOWN: dict[str, Known] = {
    "stretch": Known(ZeroStuff, _SOME, "zeros between samples"),
    "nearest": Known(Nearest, _SOME, "each sample L times"),
    "linear": Known(Linear, _SOME, "half-sample grid, as Torch's"),
    "linear-integer": Known(integer_linear, _SOME, "integer grid, inputs kept"),
    "cubic": Known(Cubic, _SOME, "Keys' kernel, as Torch's bicubic"),
    "learned-linear": Known(lambda L: LearnedLinear(Fraction(3, 10)), (2,), "w, 1 - w at w = 3/10", only=(2,)),
    "resample_poly": Known(_resample_poly, _SOME, "scipy.signal, by default"),
    "kaiser-sinc": Known(KaiserSinc, tuple(range(2, 11)), "alias-free activations"),
    "julius": Known(_julius, _SOME, "resample_frac, by its formula"),
    "torchaudio": Known(_torchaudio, _SOME, "resample, by its formula"),
    "hann-sinc": Known(_scaled_sinc, _SOME, "24 zeros, each phase scaled to 1"),
    "soxr": Known(_soxr, _SOME, "soxr.resample, by default"),
    "samplerate": Known(_samplerate, _SOME, "sinc_best"),
}
"""Upsamplers by name."""


def known_leakage(name: str | None = None, *, factor: int | None = None) -> tuple[KnownLeakage, ...]:
    """Return the leakage of known upsamplers: of one by its name, or of all.

    Parameters
    ----------
    name : str, optional
        A key of `KNOWN`.
    factor : int, optional
        L; by default those of the table, `Known.factors`.

    Returns
    -------
    tuple of KnownLeakage
        Packages that are not there, and what is not periodic, have a note in place of a leakage.

    Examples
    --------
    >>> [(row.factor, round(row.leakage.worst_dbc, 2)) for row in known_leakage("resample_poly")]
    [(2, -65.72), (3, -70.37), (4, -71.74), (8, -72.97)]
    """
    names = tuple(KNOWN) if name is None else (as_choice("name of an upsampler", name, KNOWN),)
    wanted = None if factor is None else as_integer("factor", factor, 2)
    if name is not None and wanted is not None and KNOWN[name].only and wanted not in KNOWN[name].only:
        allowed = ", ".join(map(str, KNOWN[name].only))
        raise ValueError(complaint(f"factor of {name}", wanted, allowed))
    return tuple(_row(n, L) for n in names for L in _factors(KNOWN[n], wanted))


def _factors(known: Known, wanted: int | None) -> tuple[int, ...]:
    if wanted is None:
        return known.factors
    return (wanted,) if not known.only or wanted in known.only else ()


def _row(name: str, L: int) -> KnownLeakage:
    about = KNOWN[name].about
    try:
        return KnownLeakage(name, L, leakage(KNOWN[name].make(L), L), about=about)
    except NotAnalysable as error:
        note = "not installed" if "not installed" in str(error) else str(error)
        return KnownLeakage(name, L, None, note, about)
