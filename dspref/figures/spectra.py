"""From a signal to a panel: its spectrogram, its mean spectrum, and levels of predictions in the same units.

Frames of N samples under a Hann window w; a cell holds ``P[k] = abs(Σ_n w[n] y[n] e^{−j2πkn/N})²/(Σ_n w[n])²``. In it

    a line of amplitude c     abs(c)²  at its own bin
    noise of autocovariance r  Σ_τ r_τ (w ⋆ w)_τ e^{−j2πkτ/N}/(Σ w)²

and 0 dB is the strongest cell.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from dspref.arrays import Array
from dspref.chain import Chain
from dspref.figures.panels import Spectrogram, Tone
from dspref.figures.signals import FRAME, SECONDS
from dspref.lines import Line

POOLED = 4
"""Bins to a row of a picture: a line is as wide."""

HOP = FRAME // 4


def hann(size: int = FRAME) -> Array:
    """Return the periodic Hann window, of mean 1."""
    return np.asarray(1 - np.cos(2 * np.pi * np.arange(size) / size))


def cells(y: Array, frames: int) -> Array:
    """Return P of frames that begin every N/4 samples, (N/2 + 1, frames)."""
    w = hann()
    each = np.lib.stride_tricks.sliding_window_view(y, FRAME)[::HOP][:frames]
    return np.asarray(np.abs(np.fft.rfft(each * w)).T ** 2 / w.sum() ** 2)


def pooled(power: Array) -> Array:
    """Return the mean power of each four bins, and that of the last bin alone.

    Examples
    --------
    >>> pooled(np.array([[4.0], [0], [0], [0], [3]])).ravel().tolist()
    [1.0, 3.0]
    """
    rows = np.add.reduceat(power, np.arange(0, len(power), POOLED), axis=0)
    rows[:-1] /= POOLED
    return np.asarray(rows)


def decibels(power: Array | float) -> Array:
    """Return 10 log₁₀ of powers, −300 where there is none."""
    return np.asarray(10 * np.log10(np.maximum(power, 1e-30)))


def panel(
    title: str,
    y: Array,
    sr: int,
    *,
    floor: Array | None = None,
    tones: Iterable[Tone] = (),
    nulls: Iterable[Fraction] = (),
    seconds: float = SECONDS,
    span: float = 100.0,
    colours: str = "magma",
) -> Spectrogram:
    """Return the spectrogram of one channel with what is predicted of it.

    Parameters
    ----------
    title : str
    y : array (time,)
        At least ``seconds * sr + FRAME`` samples are looked at.
    sr : int
    floor : array (N/2 + 1,), optional
        P that is expected, lines apart.
    tones : iterable of Tone
        Their levels ``10 log₁₀ abs(c)²``.
    nulls : iterable of Fraction
    seconds, span, colours
        As of `Spectrogram`.
    """
    power = cells(y, -(-int(seconds * sr) // HOP))
    strongest = float(power.max())
    top = float(decibels(strongest))
    told = tuple(
        Tone(t.freq, t.owner, *(None if v is None else v - top for v in (t.level, t.low, t.high))) for t in tones
    )
    return Spectrogram(
        title,
        decibels(pooled(power) / strongest),
        decibels(power.mean(axis=1) / strongest),
        None if floor is None else decibels(floor / strongest),
        told,
        tuple(nulls),
        sr,
        seconds,
        span,
        colours,
    )


def tones_of(lines: Iterable[Line], *, offset: bool = True) -> tuple[Tone, ...]:
    """Return lines of known amplitude with their levels, the one at 0 Hz too if wanted."""
    found = []
    for line in lines:
        if line.amplitude is not None and (line.freq or offset):
            level = float(decibels(abs(complex(line.amplitude[0])) ** 2))
            found.append(Tone(line.freq, line.owner if line.freq else None, level))
    return tuple(found)


def floor_of_noise(chain: Chain, *, variance: float = 1.0) -> Array:
    """Return P expected of white noise behind a chain of one channel, averaged over time: (N/2 + 1,).

    ``r_τ = σ²/S Σ_n h[n] h[n + τ]``, h the kernel of the collapsed chain; the window fills nulls from beside.

    Examples
    --------
    >>> from dspref import parse
    >>> P = floor_of_noise(parse("nearest x2"))
    >>> [round(float(v), 1) for v in decibels(P[[0, 512, 1024]] / P[0])]
    [0.0, -3.0, -61.1]
    """
    u = chain.collapse()
    h = np.asarray(u.h, float).reshape(-1)
    r = np.correlate(h, h, "full")[h.size - 1 :] * variance / u.L
    w = hann()
    rho = np.fft.irfft(np.abs(np.fft.rfft(w, 2 * FRAME)) ** 2)[:FRAME] / w.sum() ** 2
    both = np.zeros(FRAME)  # r_τ ρ_τ, τ counted round: N is longer than any kernel here
    both[: r.size] = r * rho[: r.size]
    both[1:] += both[:0:-1].copy()
    return np.asarray(np.fft.rfft(both).real)


def floor_of_signal(chain: Chain, x: Array, frames: int) -> Array:
    """Return P expected of a given signal behind a chain of one channel: ``abs(H(ν))² P_x(Sν)``.

    A frame of N samples out covers N/S in: P_x is taken under w[nS], of frames that begin where those of the output do.
    Where the kernel is short beside the frame that is what `cells` shows; nothing of the output is looked at.
    """
    u, w = chain.collapse(), hann()
    S, h = int(u.L), np.asarray(u.h, float).reshape(-1)
    each = np.lib.stride_tricks.sliding_window_view(x, FRAME // S)[:: HOP // S][:frames]
    low = np.abs(np.fft.fft(each * w[::S])) ** 2
    k = np.arange(FRAME // 2 + 1)
    H = np.fft.rfft(h, FRAME)
    return np.asarray(np.abs(H) ** 2 * low.mean(axis=0)[k % (FRAME // S)] / w.sum() ** 2)
