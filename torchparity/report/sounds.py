"""Sounds of an audit as WAV files in a page: short, mono, and never loud."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from dspref.arrays import Array
from dspref.sounds import PLAYABLE, limit, wav
from torchparity.audit import Audit
from torchparity.measure import Measured
from torchparity.signals import STEADY, signal

SECONDS = 2.0
"""Longest excerpt."""

SHORTEST = 0.2
"""Shorter excerpts say nothing."""

ROOM = 300_000
"""Bytes of all sounds of a page."""

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


def sounds_for(audit: Audit) -> tuple[tuple[Sound, ...], float]:
    """Return input and output of each run of the first seed, and how many seconds: as many as there is room for."""
    made = sounds(audit)
    seconds = SECONDS * min(1, ROOM / max(1, sum(len(sound.uri) for sound in made if sound.wav)))
    if seconds < SHORTEST:
        words = "no player: there are too many samples for one page"
        return tuple(replace(s, words=words, wav=b"") if s.wav else s for s in made), seconds
    return (made if seconds == SECONDS else sounds(audit, seconds)), seconds


def sounds(audit: Audit, seconds: float = SECONDS) -> tuple[Sound, ...]:
    """Return input and output of each run of the first seed."""
    runs = [r for r in audit.runs if r.seed == audit.runs[0].seed]
    return tuple(sound for r in runs for sound in _both(audit, r, seconds))


def _both(audit: Audit, r: Measured, seconds: float) -> Iterator[Sound]:
    told = f"{r.input}, seed {r.seed}"
    yield _input(audit, r, f"input: {told}", seconds)
    yield _sound(f"output: {told}", r.signal, audit.sr, seconds)


def _input(audit: Audit, r: Measured, title: str, seconds: float) -> Sound:
    """Return the recording, or the first channel of noise, resampled to the output's rate without images."""
    rate = audit.sr / audit.spine.rate
    if r.input in STEADY:
        return Sound(title, "nothing to hear: an input that does not change")
    if rate < HEARD:
        return Sound(title, f"nothing to hear: features at {float(rate):.6g} Hz, not sound")
    time = math.ceil(seconds * rate)
    x = audit.recording if r.input == "recording" else _made(r, time)
    if x is None:
        return Sound(title, "not kept by the audit")
    return _sound(title, _resampled(x[:time], audit.spine.rate), audit.sr, seconds)


def _made(r: Measured, time: int) -> Array:
    """Return a signal as the audit makes them, of its own length, one channel."""
    return np.asarray(signal(r.input, (1, 1, time), r.seed)[0, 0].double().numpy())


def _resampled(x: Array, factor: Fraction) -> Array:
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(x, factor.numerator, factor.denominator))


def _sound(title: str, y: Array, sr: Fraction, seconds: float) -> Sound:
    rate = round(sr)
    if not PLAYABLE[0] <= rate <= PLAYABLE[1]:
        return Sound(title, f"no player: browsers play {PLAYABLE[0]} … {PLAYABLE[1]} Hz, not {float(sr):.6g} Hz")
    start = max(0, (y.size - round(seconds * rate)) // 2)
    limited, gain_db = limit(y[start : start + math.floor(seconds * rate)], rate)
    if gain_db is None:
        return Sound(title, "nothing to hear: constant, or silence")
    words = f"offset removed, {'raised' if gain_db > 0 else 'lowered'} by {abs(gain_db):.0f} dB"
    return Sound(title, words, wav(limited, rate))
