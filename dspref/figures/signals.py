"""What the article feeds its figures with: ones, white noise, and music, all at 4 kHz."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dspref.arrays import Array, complaint
from dspref.recording import read_recording

SR = 4000
"""Rate of the inputs in Hz."""

SECONDS = 3.0
"""Length of the article's spectrograms."""

FRAME = 2048
"""Samples of a frame: what is missing at the end of the article's spectrograms is that long at each of their rates."""

SAMPLES = int(SECONDS * SR) + FRAME
"""Input samples: so that frames of every rate may begin at all times drawn."""

CHORDS = (
    (0.0, (45, 57, 60, 64)),
    (0.5, (64, 69)),
    (1.0, (41, 57, 60, 65)),
    (1.3, (65, 72)),
    (1.75, (43, 55, 59, 62, 67)),
    (2.4, (67, 74)),
)
"""When keys are struck, in seconds, and which, as MIDI counts them."""

HIGHEST = 1900.0
"""Hz; what resampled a recording to 4 kHz would have left nothing above it."""

DECAY = 0.9
"""Seconds in which the first partial of a key falls to 1/e."""

NOISE = 1e-3
"""Amplitude of the hiss under the music."""


def ones() -> Array:
    """Return the constant 1, (1, SAMPLES)."""
    return np.ones((1, SAMPLES))


def noise(seed: int) -> Array:
    """Return white noise of variance 1, (1, SAMPLES)."""
    return np.random.default_rng(seed).standard_normal((1, SAMPLES))


def music(seed: int) -> Array:
    """Return struck strings, (1, SAMPLES): partials k f with amplitudes 1/k that decay k times as fast, and hiss.

    The article's recording is not among its files: this has what matters here, harmonic partials over the whole
    band, onsets, and little between them.

    Examples
    --------
    >>> x = music(0)
    >>> x.shape, float(abs(x).max())
    ((1, 14048), 1.0)
    """
    rng, t = np.random.default_rng(seed), np.arange(SAMPLES) / SR
    x = NOISE * rng.standard_normal(SAMPLES)
    for start, keys in CHORDS:
        since = t - start
        for key in keys:
            f = 440 * 2 ** ((key - 69) / 12)
            for k in range(1, int(HIGHEST / f) + 1):
                turn = rng.uniform(0, 2 * np.pi)
                partial = np.cos(2 * np.pi * k * f * since + turn) * np.exp(-np.maximum(since, 0) * k / DECAY) / k
                x += np.where(since >= 0, partial, 0)
    return np.asarray(x / np.abs(x).max())[None]


def recording(path: str | Path) -> Array:
    """Return the beginning of a recording at 4 kHz, (1, SAMPLES).

    Raises
    ------
    ValueError
        If it is no recording of one channel, too short, or silent.
    """
    x, _ = read_recording(path, sr=SR)
    if x.size < SAMPLES:
        got = f"{path}, {x.size / SR:.5g} s"
        hint = "the spectrograms are 3 s long, and their frames half a second at 4 kHz"
        raise ValueError(complaint("recording", got, f"at least {SAMPLES / SR} s", hint))
    if not x[:SAMPLES].any():
        allowed = f"a sound within the first {SAMPLES / SR} s"
        raise ValueError(complaint("recording", f"{path}, silent", allowed, "0 dB is its strongest moment"))
    return x[None, :SAMPLES]
