"""The tones that phase gains make of a constant: their levels, which of them are nothing, and the words for it.

A constant 1 gives the L phase gains g_r, over and over, so ``c_k = 1/L Σ_r g_r e^{−j2πkr/L}``, and line k stands at
``20 log10 abs(c_k/c_0)`` dB re DC (dBc), c complex amplitudes. The real tone ``2 abs(c_k) cos`` is 6 dB more, except at
half the output rate.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from dspref.arrays import Array, NotAnalysable, complaint, value
from dspref.nulls import vanishes, whole


@dataclass(frozen=True)
class LeakageLine:
    """One line.

    Attributes
    ----------
    k : int
        1 … ⌊L/2⌋.
    freq : Fraction
        k/L, cycles per output sample.
    dbc : float or None
        20 log₁₀ of abs(c_k/c_0), of the worst output channel; None for a null.
    null : bool
        Nothing is there, or nothing that could be told from rounding.
    exact : bool
        It follows from the taps as they stand, without rounding: that it is null, or that it is not.
    """

    k: int
    freq: Fraction
    dbc: float | None
    null: bool
    exact: bool

    def hz(self, sr: Fraction | float) -> Fraction:
        """Return the frequency in Hz at the output rate `sr`, exactly."""
        return self.freq * Fraction(sr)

    def to_dict(self, sr: Fraction | float | None = None) -> dict[str, Any]:
        """Return plain data; with `sr`, the frequency in Hz too, exact in words where the decimal is not."""
        hz = {} if sr is None else {"hz": float(self.hz(sr))}
        if sr is not None and Fraction(str(hz["hz"])) != self.hz(sr):
            hz["hz_exact"] = str(self.hz(sr))  # type: ignore[assignment]
        rest = {"dbc": rounded(self.dbc), "null": self.null, "exact": self.exact}
        return {"k": self.k, "freq": str(self.freq), **hz, **rest}

    def text(self, sr: Fraction | float | None = None) -> str:
        """Return the line in words."""
        place = f"{self.freq} cycles/sample" if sr is None else f"{float(self.hz(sr)):.10g} Hz"
        level = f"{self.dbc:.2f} dBc" if self.dbc is not None else "null" if self.exact else "null (below rounding)"
        return f"  k = {self.k}, {place}: {level}"


@value
class Cure:
    """The nearest taps that make no tone.

    Attributes
    ----------
    taps : array (taps,) or (out, in, taps)
        See `dspref.designs.projection.tone_free`.
    change_db : float
        How far from the taps as they are: 20 log₁₀ of the norm of the change over the norm of the taps.
    """

    taps: Array
    change_db: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; Fractions as text."""
        exact = self.taps.dtype == object
        taps = np.asarray(np.frompyfunc(str, 1, 1)(self.taps)) if exact else self.taps
        return {"taps": taps.tolist(), "change_db": rounded(self.change_db)}

    def text(self) -> str:
        """Return the taps of one filter, 7 digits each; of more than one, their shape."""
        one = self.taps.ndim == 1
        taps = " ".join(map(_short, self.taps)) if one else f"of shape {self.taps.shape}"
        wrapped = textwrap.fill(taps, 79, initial_indent="  ", subsequent_indent="  ")
        return f"nearest tone-free taps, a change of {self.change_db:.2f} dB re the taps:\n{wrapped}"


@value
class Leakage:
    """What an upsampler makes of a constant.

    Attributes
    ----------
    factor : int
        L.
    lines : tuple of LeakageLine
        k = 1 … ⌊L/2⌋; the others mirror them.
    resolution_dbc : float or None
        In dBc; levels below it are rounding: of the taps, or of the answers; None where all is exact.
    cure : Cure or None
    note : str
        Why there is no cure, where one is wanted.
    """

    factor: int
    lines: tuple[LeakageLine, ...]
    resolution_dbc: float | None = None
    cure: Cure | None = None
    note: str = ""

    @property
    def worst_dbc(self) -> float | None:
        """Level of the highest line in dB re DC; None where all are null."""
        return max((line.dbc for line in self.lines if line.dbc is not None), default=None)

    @property
    def tone_free(self) -> bool:
        """Whether every line is null."""
        return all(line.null for line in self.lines)

    @property
    def verdict(self) -> str:
        """The answer in a few words."""
        if self.worst_dbc is not None:
            return f"worst line {self.worst_dbc:.2f} dBc"
        proved = self.resolution_dbc is None or all(line.exact for line in self.lines)
        return "no tone" if proved else f"no tone above {self.resolution_dbc:.0f} dBc"

    def to_dict(self, sr: Fraction | float | None = None) -> dict[str, Any]:
        """Return plain data, ready for JSON; with the output rate `sr`, frequencies in Hz too."""
        return {
            "factor": self.factor,
            "worst_dbc": rounded(self.worst_dbc),
            "resolution_dbc": rounded(self.resolution_dbc),
            "tone_free": self.tone_free,
            "lines": [line.to_dict(sr) for line in self.lines],
            "cure": None if self.cure is None else self.cure.to_dict(),
            "note": self.note,
        }

    def text(self, sr: Fraction | float | None = None, *, limit: int | None = None) -> str:
        """Return the answer for people: the verdict, the first `limit` lines, and the cure or why there is none."""
        end = [self.cure.text()] if self.cure is not None else [self.note] if self.note else []
        listed = [line.text(sr) for line in self.lines[:limit]]
        if more := len(self.lines) - len(listed):
            listed.append(f"  … and {more} more: --limit {len(self.lines)} lists them all.")
        return "\n".join([f"factor {self.factor}: {self.verdict}", *listed, *end])


def _short(v: Any) -> str:
    """Return 7 digits of a number, however large."""
    plain = Decimal(v.numerator) / Decimal(v.denominator) if isinstance(v, Fraction) else float(v)
    return f"{plain:.7g}"


def rounded(level: float | None) -> float | None:
    """Return a level to a millionth of a dB."""
    return None if level is None else round(level, 6)


def leakage_lines(gains: Array, unsure: Array) -> tuple[tuple[LeakageLine, ...], float | None]:
    """Return the lines for phase gains, and the level in dBc below which they are rounding.

    The mean is taken out before the transform, exactly where gains are exact, so that it does not drown what is small.
    Whether line k is exactly null is asked of the polynomial of the gains: the cyclotomic of order L/gcd(k, L) divides
    it or not.

    Parameters
    ----------
    gains : array (out, L)
        Fractions, or floats, which prove nothing.
    unsure : array (out,)
        Amplitudes up to which lines may be rounding; 0 for numbers that are what they should be.

    Raises
    ------
    NotAnalysable
        If nothing of a constant passes in an output channel that has tones, or in any.

    Examples
    --------
    >>> lines, _ = leakage_lines(np.array([[Fraction(2), Fraction(1)]]), np.zeros(1))
    >>> round(lines[0].dbc, 2)
    -9.54
    """
    gains, unsure = _passing(gains, unsure)
    L, mean = gains.shape[-1], gains.sum(axis=-1) / gains.shape[-1]
    rest = (gains / mean[:, None] - 1).astype(float)
    levels = np.abs(np.fft.fft(rest, axis=-1)) / L
    coarse = np.abs(unsure / mean.astype(float))
    floor = coarse + 8 * math.log2(2 * L) * 2.0**-53 * np.sqrt((rest**2).mean(axis=-1))  # that of the transform
    exact = gains.dtype == object
    proofs = {q: exact and vanishes(whole(gains), q) for q in range(2, L + 1) if L % q == 0}
    lines = tuple(_line(k, L, levels[:, k], floor, proofs[L // math.gcd(k, L)], exact) for k in range(1, L // 2 + 1))
    small = floor if any(line.null and not line.exact for line in lines) else coarse
    return lines, 20 * math.log10(small.max()) if small.any() else None


def _line(k: int, L: int, levels: Array, floor: Array, proved: bool, exact: bool) -> LeakageLine:
    """Return line k of L: null if proved, else the highest level of those above the floor."""
    above = levels > floor
    told = bool(above.any()) and not proved
    dbc = 20 * math.log10(levels[above].max()) if told else None
    return LeakageLine(k, Fraction(k, L), dbc, not told, proved or (exact and told))


def _passing(gains: Array, unsure: Array) -> tuple[Array, Array]:
    """Leave out channels that nothing reaches, and refuse those that pass tones but no constant."""
    total = np.abs((gains.sum(axis=-1) / gains.shape[-1]).astype(float))
    silent = np.abs(gains.astype(float)).max(axis=-1) <= unsure
    empty = (total <= unsure) & ~silent
    if empty.any() or silent.all():
        got = f"output channel {int(np.argmax(empty | silent))}, where nothing of a constant passes"
        hint = "dspref.tone_lines gives amplitudes"
        raise NotAnalysable(complaint("levels re DC", got, "a filter of some gain at DC", hint))
    return gains[~silent], unsure[~silent]
