"""The short-time spectrum of one channel, for pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dspref.arrays import Array, as_integer, as_real, complaint
from dspref.designs.windows import cosine_window


def spectrogram(y: ArrayLike, *, size: int = 1024) -> Array:
    """Return the magnitude in dB of a Hann-windowed short-time spectrum, (size/2 + 1, frames), hop size/4.

    0 dB is a sine of full scale. Shorter signals are padded with zeros to one frame.

    Parameters
    ----------
    y : real array (time,)
    size : int
        Samples of a frame, at least 4.

    Returns
    -------
    array (size/2 + 1, frames)
        dB.

    Raises
    ------
    ValueError, TypeError
        If there is more than one channel, samples are not finite or complex, or the size is below 4.

    Examples
    --------
    >>> levels = spectrogram(np.cos(2 * np.pi * np.arange(4096) / 8), size=512)
    >>> levels.shape, int(levels[:, 0].argmax())
    ((257, 29), 64)
    """
    y = as_real("signal", y).astype(float)
    if y.ndim != 1:
        raise ValueError(complaint("signal", f"shape {y.shape}", "one channel, shape (time,)"))
    w = cosine_window(as_integer("frame size", size, 4, "the hop is a quarter of it"), (0.5, 0.5))
    padded = np.pad(y, (0, max(0, size - y.size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 4]
    magnitude = 2 * np.abs(np.fft.rfft(frames * w, axis=-1)) / w.sum()
    return np.asarray(20 * np.log10(np.maximum(magnitude, 1e-10))).T
