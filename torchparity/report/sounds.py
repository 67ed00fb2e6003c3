"""Sounds of an audit as WAV files in a page: short, mono, and never loud."""

from __future__ import annotations

import base64
import io
import math
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dspref.arrays import Array
from torchparity.audit import Audit
from torchparity.measure import Measured
from torchparity.signals import STEADY, signal

PEAK_DB = -12.0
"""No sample is higher, in dB of full scale."""

RMS_DB = -24.0
"""Nor is the whole louder than this: a steady tone at the highest peak would be."""

SECONDS = 2.0
"""Longest excerpt."""

FADE = 0.01
"""Seconds of fade at either end, against clicks."""

PLAYABLE = (3000, 384000)
"""Rates that browsers play, in Hz."""

HEARD = 2000
"""An input at a lower rate than this, in Hz, has nothing to listen to."""


@dataclass(frozen=True)
class Sound:
    """Something to listen to, or why there is nothing.

    Attributes
    ----------
    title : str
        As "output, noise, seed 0".
    words : str
        What was done to its level; or why there is no sound.
    wav : bytes
        A WAV file of 16 bits; empty if there is none.
    """

    title: str
    words: str
    wav: bytes = b""

    @property
    def uri(self) -> str:
        """The WAV file as a data URI."""
        return "data:audio/wav;base64," + base64.b64encode(self.wav).decode()


def sounds(audit: Audit) -> tuple[Sound, ...]:
    """Return input and output of each run of the first seed."""
    runs = [r for r in audit.runs if r.seed == audit.runs[0].seed]
    return tuple(sound for r in runs for sound in _both(audit, r))


def _both(audit: Audit, r: Measured) -> Iterator[Sound]:
    told = f"{r.input}, seed {r.seed}"
    yield _input(audit, r, f"input: {told}")
    yield _sound(f"output: {told}", r.signal, audit.sr)


def _input(audit: Audit, r: Measured, title: str) -> Sound:
    """Return the recording, or the first channel of noise, resampled to the output's rate without images."""
    rate = audit.sr / audit.spine.rate
    if r.input in STEADY:
        return Sound(title, "nothing to hear: an input that does not change")
    if rate < HEARD:
        return Sound(title, f"nothing to hear: features at {float(rate):.6g} Hz, not sound")
    time = math.ceil(SECONDS * rate)
    x = audit.recording if r.input == "recording" else _made(r, time)
    if x is None:
        return Sound(title, "not kept by the audit")
    return _sound(title, _resampled(x[:time], audit.spine.rate), audit.sr)


def _made(r: Measured, time: int) -> Array:
    """Return a signal as the audit makes them, of its own length, one channel."""
    return np.asarray(signal(r.input, (1, 1, time), r.seed)[0, 0].double().numpy())


def _resampled(x: Array, factor: Fraction) -> Array:
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(x, factor.numerator, factor.denominator))


def _sound(title: str, y: Array, sr: Fraction) -> Sound:
    rate = round(sr)
    if not PLAYABLE[0] <= rate <= PLAYABLE[1]:
        return Sound(title, f"no player: browsers play {PLAYABLE[0]} … {PLAYABLE[1]} Hz, not {float(sr):.6g} Hz")
    start = max(0, (y.size - round(SECONDS * rate)) // 2)
    limited, gain_db = limit(y[start : start + math.floor(SECONDS * rate)], rate)
    if gain_db is None:
        return Sound(title, "nothing to hear: constant, or silence")
    words = f"offset removed, {'raised' if gain_db > 0 else 'lowered'} by {abs(gain_db):.0f} dB"
    return Sound(title, words, wav(limited, rate))


def limit(y: Array, rate: int) -> tuple[Array, float | None]:
    """Return a signal (time,) without offset, faded at its ends, at a level that is safe, and the gain in dB.

    The gain is the largest with a peak of at most `PEAK_DB` and a root mean square of at most `RMS_DB`; None where
    nothing but rounding is left.

    Examples
    --------
    >>> y, gain_db = limit(np.cos(0.3 * np.arange(8000)) + 5, 8000)
    >>> bool(abs(y).max() <= 10 ** (PEAK_DB / 20)), round(gain_db)
    (True, -21)
    """
    held = y - y.sum() / max(y.size, 1)
    size = min(held.size // 2, round(FADE * rate))
    ramp = np.sin(np.linspace(0, np.pi / 2, size)) ** 2
    held[:size] *= ramp
    held[held.size - size :] *= ramp[::-1]
    peak, rms = np.abs(held).max(initial=0.0), math.sqrt((held**2).sum() / max(y.size, 1))
    if peak <= np.finfo(np.float32).eps * np.abs(y).max(initial=0.0):
        return held, None
    gain = min(10 ** (PEAK_DB / 20) / peak, 10 ** (RMS_DB / 20) / rms)
    return held * gain, 20 * math.log10(gain)


def wav(y: Array, rate: int) -> bytes:
    """Return samples within ±1 as a mono WAV file of 16 bits; rounded towards zero, so that none gets louder."""
    page = io.BytesIO()
    with wave.open(page, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.trunc(y * 32767).astype("<i2").tobytes())
    return page.getvalue()
