"""Figs. 6, 7 and 8: three layers ×2 in a row, from 4 to 32 kHz, the output of each as a spectrogram.

Layers have one channel, Torch's default initialisation and no biases. What is predicted of the output of layer i: lines
by `dspref.lines.tone_lines` from the weights, the floor by ``abs(H(ν))²`` of the collapsed chain, and nulls of the
interpolators, proved (`dspref.spectrum.nulls`); the convolutions between them can only add to those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

import numpy as np

from dspref.arrays import Array
from dspref.chain import Chain, Stage
from dspref.figures.panels import Spectrogram
from dspref.figures.picture import Picture, Wanted
from dspref.figures.signals import SECONDS, SR, music, noise, ones, recording
from dspref.figures.spectra import HOP, floor_of_noise, floor_of_signal, panel, tones_of
from dspref.initial import torch_default
from dspref.interpolators import Linear, Nearest
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.lines import tone_lines
from dspref.spectrum.zeros import nulls

LAYERS = 3

HOT = "hot"
"""The article's colours where the input is ones."""


def convolution(rng: np.random.Generator) -> Conv:
    """Return the convolution of Fig. 6: length 9, stride 1."""
    return Conv(torch_default("conv", 1, 1, 9).law.draw(rng, (1, 1, 9)), padding=4)


def subpixel(rng: np.random.Generator) -> SubpixelConv:
    """Return the layer of Fig. 7: a convolution of length 3, then the shuffle ×2."""
    return SubpixelConv(torch_default("shuffle", 1, 1, 3).law.draw(rng, (2, 1, 3)), 2, padding=1)


def transposed(rng: np.random.Generator) -> TransposedConv:
    """Return the layer of Fig. 8, left: length 4, stride 2."""
    return TransposedConv(torch_default("convt", 1, 1, 4, factor=2).law.draw(rng, (1, 1, 4)), stride=2, padding=1)


def chains(make: Callable[[np.random.Generator], Iterable[Stage]], seed: int) -> tuple[Chain, ...]:
    """Return the first layer, the first two, and all three.

    Examples
    --------
    >>> [chain.factor for chain in chains(lambda rng: [transposed(rng)], 0)]
    [2, 4, 8]
    """
    rng, found = np.random.default_rng(seed), []
    stages: tuple[Stage, ...] = ()
    for _ in range(LAYERS):
        stages = (*stages, *make(rng))
        found.append(Chain(stages))
    return tuple(found)


def of_ones(name: str, found: Iterable[Chain]) -> tuple[Spectrogram, ...]:
    """Return the input, ones, and what each chain makes of it, with its lines."""
    x = ones()
    rows = [panel("Input: ones at 4kHz", x[0], SR, tones=tones_of(tone_lines(Chain(()))), colours=HOT)]
    for i, chain in enumerate(found, 1):
        told = tones_of(tone_lines(chain))
        rows.append(panel(f"{name}: layer {i}", chain(x)[0], SR * chain.factor, tones=told, colours=HOT))
    return tuple(rows)


def of_signal(what: str, name: str, x: Array, found: Iterable[Chain], *, white: bool) -> tuple[Spectrogram, ...]:
    """Return the input, and what each chain makes of it, with what is predicted of its mean spectrum."""
    rows = [panel(what, x[0], SR, floor=floor_of_noise(Chain([Nearest(1)])) if white else None)]
    for i, chain in enumerate(found, 1):
        sr = SR * int(chain.factor)
        told = floor_of_noise(chain) if white else floor_of_signal(chain, x[0], -(-int(SECONDS * sr) // HOP))
        rows.append(panel(f"{name}: layer {i}", chain(x)[0], sr, floor=told, nulls=interpolation_nulls(chain)))
    return tuple(rows)


def interpolation_nulls(chain: Chain) -> tuple[Fraction, ...]:
    """Return the nulls of a chain's interpolators alone, in cycles per output sample.

    Examples
    --------
    >>> [str(nu) for nu in interpolation_nulls(Chain([Linear(2), Conv([[[1.0, 0.3]]]), Linear(2)]))]
    ['1/4', '1/2']
    """
    rest = [stage for stage in chain.stages if isinstance(stage, (Linear, Nearest))]
    return tuple(Fraction(null.freq) for null in nulls(Chain(rest)))


def side_by_side(left: Iterable[Spectrogram], right: Iterable[Spectrogram]) -> tuple[Spectrogram, ...]:
    """Return two columns, row by row."""
    return tuple(one for pair in zip(left, right, strict=True) for one in pair)


def fed(wanted: Wanted) -> tuple[str, Array]:
    """Return the name of the music, and the music: a recording, if one is given."""
    return ("music", music(wanted.seed)) if wanted.wav is None else (wanted.wav.name, recording(wanted.wav))


def figure_6(wanted: Wanted) -> Picture:
    """Return Fig. 6: nearest neighbour of music, linear interpolation of noise, a convolution behind each."""
    what, x = fed(wanted)
    near = chains(lambda rng: (Nearest(2), convolution(rng)), wanted.seed)
    line = chains(lambda rng: (Linear(2), convolution(rng)), wanted.seed + 1)
    name = "Nearest neighbor interpolation"
    left = of_signal(f"{name}: input {what}", name, x, near, white=False)
    right = of_signal(
        "Linear interpolation: input (white) noise", "Linear interpolation", noise(wanted.seed), line, white=True
    )
    return Picture(
        "fig6",
        "Fig. 6. Interpolation upsamplers: filtering artifacts, but no tonal ones.",
        "Each layer: nearest neighbour (left) or linear (right) interpolation ×2, then a convolution of length 9. "
        "Beside each spectrogram its mean over time (grey), and |H(ν)|² of the chain times the spectrum of its input "
        "(black): the output was not looked at. Triangles: nulls of the interpolation, proved.",
        ("UA-T1", "UA-T11", "UA-T12", "UA-T13"),
        side_by_side(left, right),
        columns=2,
    )


def figure_7(wanted: Wanted) -> Picture:
    """Return Fig. 7: sub-pixel convolutions of ones."""
    found = chains(lambda rng: (subpixel(rng),), wanted.seed)
    return Picture(
        "fig7",
        "Fig. 7. Sub-pixel CNN: tonal artifacts after initialization.",
        "Each layer: a convolution of length 3, then the periodic shuffle ×2. Circles: lines predicted from the "
        "weights, in the colour of the layer that makes them; grey: the mean over time of the spectrogram.",
        ("UA-T2", "UA-T4", "UA-T9"),
        of_ones("Subpixel convolution", found),
        columns=2,
    )


def figure_8(wanted: Wanted) -> Picture:
    """Return Fig. 8: transposed convolutions of ones, linear interpolation of noise without convolutions."""
    tonal = chains(lambda rng: (transposed(rng),), wanted.seed)
    bare = chains(lambda rng: (Linear(2),), wanted.seed)
    left = of_ones("Transposed convolution", tonal)
    right = of_signal(
        "Linear interpolation: noise input signal", "Linear interpolation", noise(wanted.seed), bare, white=True
    )
    return Picture(
        "fig8",
        "Fig. 8. Transposed CNN, linear interpolation: tonal and filtering artifacts, after initialization.",
        "Transposed convolutions of length 4, stride 2 (left); linear interpolation ×2 (right). Circles: lines "
        "predicted from the weights, in the colour of the layer that makes them; black: floor predicted, |H(ν)|²/S; "
        "grey: the mean over time of the spectrogram; triangles: nulls, proved.",
        ("UA-T3", "UA-T4", "UA-T7", "UA-T11", "UA-T13"),
        side_by_side(left, right),
        columns=2,
    )
