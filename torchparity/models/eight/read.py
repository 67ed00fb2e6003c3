"""Levels read off the article's own pictures: each pixel's colour is looked up in the colour bar beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dspref.arrays import Array, complaint

SHAPE = (864, 1296)
"""Height and width of the article's spectrograms."""

ROWS, COLUMNS, BAR = slice(116, 598), slice(374, 928), 986
"""Pixels of a spectrogram, and a column of the colour bar, of the same rows; a frame covers 0 Hz and half the rate."""

NEAR, BESIDE = 2, slice(6, 25)
"""Rows, of 46 Hz each at 44.1 kHz, that a line may have, and at which distance its surroundings are looked at."""


def read_spectrum(file: Path, *, span_db: float) -> Array:
    """Return the median level of each row in dB, (rows,), from 0 Hz to half the rate.

    Parameters
    ----------
    file : path
        A picture of the article's Figs. 1 and 9.
    span_db : float
        From the top of its colour bar, 0 dB, to the bottom: 150, for MelGAN 200.

    Raises
    ------
    ValueError
        If it has not the size of these pictures.
    """
    from PIL import Image

    picture = np.asarray(Image.open(file).convert("RGB"), float)
    if picture.shape[:2] != SHAPE:
        raise ValueError(complaint(f"{file.name}, size", picture.shape[:2], f"{SHAPE}, that of the article's figures"))
    bar, inside = picture[ROWS, BAR], picture[ROWS, COLUMNS]
    colours = np.median(inside, axis=1)  # of each channel by itself: colours of a row lie on a short piece of the bar
    nearest = ((colours[:, None] - bar[None]) ** 2).sum(axis=-1).argmin(axis=1)
    return np.asarray(-span_db * (nearest / (len(bar) - 1)))[::-1]


def read_height(levels: Array, place: float) -> float:
    """Return by how much the strongest row at a place, of 0 … 1 of the height, stands over the median beside it.

    Examples
    --------
    >>> levels = np.full(480, -40.0)
    >>> levels[240] = -10
    >>> read_height(levels, 0.5)
    30.0
    """
    near, beside = _rows(levels, place)
    return float(near.max() - np.median(beside))


def read_depth(levels: Array, place: float) -> float:
    """Return how far the weakest row at a place lies from the mean power of all rows."""
    near, _ = _rows(levels, place)
    return float(near.min() - 10 * np.log10(np.mean(10 ** (levels[NEAR:] / 10))))


def _rows(levels: Array, place: float) -> tuple[Array, Array]:
    k, far = round(place * (len(levels) - 1)), np.arange(BESIDE.start, BESIDE.stop)
    around = np.concatenate((k - far, k + far))
    return levels[max(0, k - NEAR) : k + NEAR + 1], levels[around[(around >= 0) & (around < len(levels))]]
