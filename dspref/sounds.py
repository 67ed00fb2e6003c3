"""Signals to listen to: short, mono, and never loud."""

from __future__ import annotations

import base64
import io
import math
import wave
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_integer, as_real, complaint

__all__ = ["Player", "limit", "player", "wav"]

PEAK_DB = -12.0
"""No sample is higher, in dB of full scale."""

RMS_DB = -24.0
"""Nor is the whole louder than this: a steady tone at the highest peak would be."""

FADE = 0.01
"""Seconds of fade at either end, against clicks."""

PLAYABLE = (3000, 384000)
"""Rates that browsers play, in Hz."""


@dataclass(frozen=True)
class Player:
    """A sound that notebooks and pages show as a player, with the WAV file inside.

    Attributes
    ----------
    title : str
        What is heard.
    wav : bytes
        A WAV file of 16 bits, mono.
    gain_db : float
        What its level was changed by, in dB.

    Examples
    --------
    >>> y = np.cos(2 * np.pi * 0.25 * np.arange(1600))
    >>> shown = player(y, 16000, title="a tone at 4 kHz")
    >>> shown._repr_html_()[:43]
    '<figure class="player"><figcaption>a tone a'
    """

    title: str
    wav: bytes
    gain_db: float

    def _repr_html_(self) -> str:
        """Return an HTML figure; notebooks and sphinx-gallery ask for it."""
        from html import escape

        data = base64.b64encode(self.wav).decode()
        change = "raised" if self.gain_db > 0 else "lowered"
        words = f"{escape(self.title)}; {change} by {abs(self.gain_db):.0f} dB"
        sound = f'<audio controls preload="none" src="data:audio/wav;base64,{data}"></audio>'
        return f'<figure class="player"><figcaption>{words}</figcaption>{sound}</figure>'


def player(y: ArrayLike, sr: int, *, title: str = "sound") -> Player:
    """Return a player for a signal, its level limited by `limit`.

    Parameters
    ----------
    y : array (time,)
        One channel.
    sr : int
        Sampling rate in Hz, one that browsers play: `PLAYABLE`.
    title : str
        Stands over the player.

    Returns
    -------
    Player

    Raises
    ------
    ValueError
        If the rate can't be played, or nothing is to be heard: a constant, or silence.

    Examples
    --------
    >>> round(player(np.cos(0.3 * np.arange(8000)), 8000).gain_db)
    -21
    """
    y = as_real("signal", y).astype(float)
    if y.ndim != 1:
        raise ValueError(complaint("signal", f"shape {y.shape}", "(time,)", "choose one channel"))
    rate = as_integer("sr", sr, PLAYABLE[0])
    if rate > PLAYABLE[1]:
        raise ValueError(complaint("sr", f"{rate} Hz", f"{PLAYABLE[0]} … {PLAYABLE[1]} Hz"))
    limited, gain_db = limit(y, rate)
    if gain_db is None:
        raise ValueError(complaint("signal", "a constant, or silence", "something to hear"))
    return Player(title, wav(limited, rate), gain_db)


def limit(y: Array, sr: int) -> tuple[Array, float | None]:
    """Return a signal without offset, faded at its ends, at a level that is safe, and the gain.

    The gain is the largest with a peak of at most `PEAK_DB` and a root mean square of at most `RMS_DB`.

    Parameters
    ----------
    y : float array (time,)
    sr : int
        Sampling rate in Hz.

    Returns
    -------
    y : array (time,)
    gain_db : float or None
        In dB; None where nothing but rounding is left.

    Examples
    --------
    >>> y, gain_db = limit(np.cos(0.3 * np.arange(8000)) + 5, 8000)
    >>> bool(abs(y).max() <= 10 ** (PEAK_DB / 20)), round(gain_db)
    (True, -21)
    """
    held = y - y.sum() / max(y.size, 1)
    size = min(held.size // 2, round(FADE * sr))
    ramp = np.sin(np.linspace(0, np.pi / 2, size)) ** 2
    held[:size] *= ramp
    held[held.size - size :] *= ramp[::-1]
    peak, rms = np.abs(held).max(initial=0.0), math.sqrt((held**2).sum() / max(y.size, 1))
    if peak <= np.finfo(np.float32).eps * np.abs(y).max(initial=0.0):
        return held, None
    gain = min(10 ** (PEAK_DB / 20) / peak, 10 ** (RMS_DB / 20) / rms)
    return held * gain, 20 * math.log10(gain)


def wav(y: Array, sr: int) -> bytes:
    """Return samples within ±1 as a mono WAV file of 16 bits; rounded towards zero, so that none gets louder.

    Parameters
    ----------
    y : float array (time,)
        Within ±1.
    sr : int
        Sampling rate in Hz.

    Returns
    -------
    bytes
        44 of the header, and two for each sample.

    Examples
    --------
    >>> len(wav(np.zeros(100), 8000))
    244
    """
    page = io.BytesIO()
    with wave.open(page, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sr)
        file.writeframes(np.trunc(y * 32767).astype("<i2").tobytes())
    return page.getvalue()
