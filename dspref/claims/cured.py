"""What the figures of claims about tone-free layers show."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from dspref.arrays import Array
from dspref.chain import Chain, Pointwise
from dspref.claims.curves import Curve, Drawing, decibels, spikes
from dspref.designs import notch_cost, projector, tone_free
from dspref.expected.network import Drawn
from dspref.expected.rare import rarity
from dspref.expected.remaining import remaining_lines
from dspref.expected.source import Source
from dspref.layers import TransposedConv


def constants() -> Drawing:
    """Draw what a decoder of two layers and a map makes of a constant: as drawn, and with tone-free taps."""
    rng = np.random.default_rng(11)
    taps = [rng.standard_normal(shape) / 4 for shape in ((8, 8, 8), (8, 1, 8))]
    biases = [rng.standard_normal(8), rng.standard_normal(1)]
    curves: list[Curve] = []
    for name, own in (("as drawn", taps), ("tone-free", [tone_free(w, 4) for w in taps])):
        layers = [TransposedConv(w, stride=4, bias=b) for w, b in zip(own, biases, strict=True)]
        y = Chain([layers[0], Pointwise("relu"), layers[1]])(np.ones((8, 40)))[0]
        c = np.fft.rfft(y[320:336]) / 16
        curves.append(Curve(name, *spikes(np.arange(9) / 16 + 0.002 * len(curves), decibels(c)), joined=True))
    return Drawing("cycles per output sample", "dB re an offset of 1", tuple(curves))


def remaining() -> Drawing:
    """Draw the line at sr/4 of noise behind tone-free taps and relu against their length, and that of kernels drawn."""
    rng, s, C = np.random.default_rng(12), 4, 64
    curves = []
    for p in (1, 2):
        K = np.arange(p * (s - 1) + 2, 17)  # with one less there is one kernel, of equal phases in each draw
        told, seen = [], []
        for n in K:
            layer = Drawn("convt", C, C, int(n), s, bias=0)
            told.append(remaining_lines(layer, Pointwise("relu"), Source(C, covariance=(1.0,)), order=p).db[1])
            h = rng.uniform(-1, 1, (400, C, n)) @ projector(int(n), s, order=p).astype(float)
            seen.append(_line(np.stack([(h[..., r::s] ** 2).sum(axis=(1, 2)) for r in range(s)], axis=-1)))
        curves.append(Curve(f"order {p}", K, np.array(told), joined=True))
        curves.append(Curve(f"order {p}: 400 layers", K, np.array(seen)))
    return Drawing(
        f"taps of a tone-free layer x{s} of {C} channels", "line at sr/4 behind relu, dB re DC", tuple(curves)
    )


def _line(v: Array) -> float:
    """Return the line at sr/4 that relu makes of noise of variances v (draw, phase), in dB re DC."""
    c = (np.abs(np.fft.fft(np.sqrt(v), axis=-1)) ** 2).mean(axis=0)
    return float(10 * np.log10(c[1] / c[0]))


def notch() -> Drawing:
    """Draw the mean response of drawn taps that were made tone-free, of 16 taps and factor 8, and of taps drawn."""
    rng, K, s = np.random.default_rng(13), 16, 8
    nu, few = np.linspace(0, 0.5, 1001), (np.arange(0, 64) + 0.5) / 128
    w = rng.standard_normal((4000, K))
    curves = []
    for p in (1, 2):
        h = w @ projector(K, s, order=p).astype(float)
        seen = (np.abs(h @ np.exp(-2j * np.pi * np.outer(np.arange(K), few))) ** 2).mean(axis=0) / K
        curves.append(Curve(f"order {p}", nu, decibels(np.sqrt(notch_cost(K, s, order=p).gain(nu))), joined=True))
        curves.append(Curve(f"order {p}: 4000 kernels", few, decibels(np.sqrt(seen))))
    return Drawing("cycles per output sample", "dB re taps that are not projected", tuple(curves))


def rare() -> Drawing:
    """Draw of how many channels one has a line, against the offsets in front of relu: by formula, and of drawn layers.

    Of these without what drawn taps add, whose phases are louder in one layer than in another. Offsets are taken evenly
    from those that the noise reaches.
    """
    rng, s, K, C = np.random.default_rng(14), 4, 8, 64
    h = rng.uniform(-1, 1, (2000, C, K)) @ projector(K, s).astype(float)
    v = np.stack([(h[..., r::s] ** 2).sum(axis=(1, 2)) for r in range(s)], axis=-1)
    q, over = float(v.mean()), np.linspace(-20, 60, 81)
    told = [rarity(1.0, 10 ** (level / 10)) for level in over]
    levels = np.arange(-20, 61, 10)
    seen = [_rarity(v, q * 10 ** (level / 10)) for level in levels]
    curves = [Curve("(2σ² + q)/√(q(4σ² + q))", over, 10 * np.log10(told), joined=True)]
    curves.append(Curve("2000 layers of 64 channels, for equal δ", levels, 10 * np.log10(seen)))
    return Drawing("offsets over noise, 10·log10 σ²/q", "channels for one with a line, 10·log10", tuple(curves))


def _rarity(v: Array, variance: float) -> float:
    """Return E A⁴/(E A²)² of the line at sr/4 behind relu, over that of the variances themselves."""
    reach = 8 * np.sqrt(min(variance, float(v.mean())))
    b = np.linspace(-reach, reach, 161)
    weight = np.exp(-(b**2) / (2 * variance)) * (b[1] - b[0]) / np.sqrt(2 * np.pi * variance)
    a, own = _lines(relu_means(v[:, None], b[:, None])), _lines(v)
    second, fourth = (float((a**p @ weight).mean()) for p in (1, 2))
    return fourth / second**2 * float(own.mean() ** 2 / (own**2).mean())


def relu_means(v: Array, b: Array) -> Array:
    """Return ``E max(b + √v Z, 0) = b Φ(b/√v) + √v φ(b/√v)``."""
    z = b / np.sqrt(v)
    return np.asarray(b * ndtr(z) + np.sqrt(v) * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi))


def _lines(m: Array) -> Array:
    """Return abs(c₁)² of what repeats with the last axis."""
    return np.asarray(np.abs(np.fft.fft(m, axis=-1)[..., 1] / m.shape[-1]) ** 2)
