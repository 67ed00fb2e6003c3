"""What the figure of each claim shows: what its formula says, as a line, and what a computation gives, as points on it.

A drawing is data; `dspref.claims.figures` draws it. `DRAWINGS` says which claim has which.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from dspref.adjoints import adjoint
from dspref.arrays import Array
from dspref.artifacts.noise import phase_powers, rectified_db
from dspref.boundary import border_values, overlap_counts
from dspref.chain import POINTWISE, Chain, Pointwise
from dspref.claims.cured import constants, notch, rare, remaining
from dspref.claims.curves import FLOOR, Curve, Draw, Drawing, decibels, spikes
from dspref.claims.expectations import comb_theorem, handed_on, late_biases, second_moments, uniform_biases
from dspref.designs import tone_free
from dspref.gradients import gradient_lines, phase_shuffle_attenuation, stft_gradient_lines
from dspref.heads import Unsqueeze
from dspref.initial import TapLaw, gaussian_moments, power_through, random_lines, torch_default
from dspref.initial.lines import level_sf
from dspref.interpolators import FilterInterp, Linear, Nearest, ZeroStuff
from dspref.layers import Conv, SubpixelConv, TransposedConv
from dspref.lines import images, tone_lines
from dspref.spectrum.noise import cyclic_variance


def comb(chain: Chain, *, offset: Any = 1) -> Drawing:
    """Draw the lines of an offset by owner, over the transform of one period of the output."""
    lines, S = tone_lines(chain, offset=offset), chain.factor
    period = np.asarray(chain.offset_response(offset), float)[0]
    seen = spikes(np.arange(S // 2 + 1) / S, decibels(np.fft.rfft(period) / S))
    curves = [Curve("output, transformed", *seen, joined=True)]
    for owner in range(1, len(chain.upsamplers) + 1):
        mine = [line for line in lines if line.owner == owner and line.freq and line.amplitude is not None]
        told = decibels([line.amplitude[0] for line in mine if line.amplitude is not None])
        curves.append(Curve(f"lines of layer {owner}", np.array([float(line.freq) for line in mine]), told))
    return Drawing("cycles per output sample", "dB re an offset of 1", tuple(curves))


def shown(*layers: tuple[str, Any]) -> Drawing:
    """Draw the gain of interpolators, over sines that went through them."""
    curves = []
    for name, layer in layers:
        u, L = layer.normal, layer.factor
        N = 200 * L  # the steady part that is looked at
        nu = np.arange(3, N // 2, 13 * L) / N  # whole periods in it, and no image of one on another
        y = layer(np.cos(2 * np.pi * np.outer(nu * L, np.arange(400))))[:, N // 2 : N // 2 + N]
        waves = np.exp(-2j * np.pi * np.outer(nu, np.arange(N // 2, N // 2 + N)))
        every = np.linspace(0, 0.5, 501)
        curves.append(Curve(name, every, decibels(u.response(every) / L), joined=True))
        curves.append(Curve(f"{name}: sines", nu, decibels(2 * (y * waves).mean(axis=-1))))
    return Drawing("cycles per output sample", "gain, dB re DC", tuple(curves))


def dirichlet() -> Drawing:
    """Draw the level of all-ones kernels of factor 6 against their length."""
    s, k = 6, 1
    reals, K = np.linspace(1, 24, 461), np.arange(1, 25)
    formula = np.abs(np.sin(np.pi * k * reals / s) / (reals * np.sin(np.pi * k / s)))
    found = [tone_lines(Chain([TransposedConv(np.ones((1, 1, n)), stride=s)])) for n in K]
    seen = [lines[k].amplitude / lines[0].amplitude for lines in found]  # type: ignore[operator]
    curves = Curve("sin(πK/6)/(K sin(π/6))", reals, decibels(formula), True), Curve("lines", K, decibels(seen)[:, 0])
    return Drawing("taps K, factor 6", "line 1 in dB re DC", curves)


def levels() -> Drawing:
    """Draw how often a line of a random kernel exceeds a level, over 4000 draws."""
    rng, s, K = np.random.default_rng(7), 8, 16
    h = TapLaw("normal").draw(rng, (4000, K))
    c = np.abs(np.fft.fft(h.reshape(-1, K // s, s).sum(axis=1)) / s) ** 2
    t, curves = np.linspace(-25, 8, 67), []
    for k, line in enumerate(random_lines(s, K)):
        if k in (1, 4):
            name = f"line {line.freq}"
            curves.append(Curve(f"{name}: law", t, np.array([level_sf(10 ** (d / 10), line.rho) for d in t]), True))
            seen = (c[:, k, None] / float(line.mean_power) > 10 ** (t[::4] / 10)).mean(axis=0)
            curves.append(Curve(f"{name}: draws", t[::4], seen))
    return Drawing("dB re the mean power", "share of draws above", tuple(curves))


def borders() -> Drawing:
    """Draw the overlap of the article's Fig. 5: eight ones with strides 6 and 4."""
    curves = []
    for s in (6, 4):
        layer = TransposedConv(np.ones((1, 1, 8), int), stride=s)
        values = border_values(layer, 8).ravel()
        curves.append(Curve(f"stride {s}: counts", np.arange(len(values)), overlap_counts(layer, 8), True))
        curves.append(Curve(f"stride {s}: ones", np.arange(len(values)), layer(np.ones((1, 8), int))[0]))
    return Drawing("output sample", "taps that meet", tuple(curves))


def replicas(*layers: tuple[str, Any, int]) -> Drawing:
    """Draw the first image against the frequency of the component, over tanᵖ(πf/2)."""
    f0, curves = [Fraction(k, 32) for k in range(1, 16)], []
    nu = np.linspace(0.02, 0.49, 95)
    for name, layer, p in layers:
        gains = [[i.gain for i in images(Chain([layer]), f) if i.gain is not None] for f in f0]
        seen = [abs(image.item() / own.item()) for own, image, *_ in gains]
        curves.append(Curve(f"{name}: formula", nu, decibels(np.tan(np.pi * nu / 2) ** p), True))
        curves.append(Curve(name, np.array(f0, float), decibels(seen)))
    return Drawing("cycles per input sample", "image in dB re the component", tuple(curves))


def variance() -> Drawing:
    """Draw the variance of interpolated white noise against the factor: its mean, and the largest of a phase."""
    s = np.arange(2, 13)
    found = [np.asarray(cyclic_variance(Linear(int(n))), float).ravel() for n in s]
    formula = np.where(s % 2, 2 / 3 + 1 / (3 * s**2), 2 / 3 - 1 / (6 * s**2))
    means = Curve("mean over phases", s, np.array([v.mean() for v in found]))
    ends = (
        Curve("largest", s, np.array([v.max() for v in found])),
        Curve("least", s, np.array([v.min() for v in found])),
    )
    return Drawing("factor of linear interpolation", "variance", (Curve("formula", s, formula, True), means, *ends))


def depth() -> Drawing:
    """Draw what default initialisation leaves of a signal in a decoder like Demucs', and what biases add."""
    wide = [3200, 1600, 800, 400, 200, 100, 8]
    layers = [torch_default("convt", a, b, 8, factor=4) for a, b in pairwise(wide)]
    shares, n = power_through(layers), np.arange(1, 7)
    rows = {"signal": [row.signal for row in shares], "biases": [row.bias for row in shares]}
    curves = (Curve(name, n, 10 * np.log10(np.array(row, float)), name == "signal") for name, row in rows.items())
    return Drawing("layer", "power in dB re the input", tuple(curves))


def offsets() -> Drawing:
    """Draw the share of DC behind each activation, by its formula and of 200 000 draws."""
    names, rng = list(POINTWISE), np.random.default_rng(3)
    x = rng.standard_normal((2, 200_000))
    drawn = [Pointwise(name)(x) for name in names]
    seen = np.array([float(y[0].mean() ** 2 / (y[0] ** 2).mean()) for y in drawn])
    share = np.array([gaussian_moments(Pointwise(name)).offset_ratio for name in names])
    where = np.arange(len(names))
    return Drawing(", ".join(names), "DC power / power", (Curve("law", where, share), Curve("draws", where, seen)))


def gradient() -> Drawing:
    """Draw the lines of the gradient of three strided convolutions, over the gradient itself, transformed."""
    rng = np.random.default_rng(5)
    stages = [Conv(rng.standard_normal((1, 1, K)), stride=s, padding=K // 2) for K, s in ((9, 2), (7, 3), (5, 2))]
    signals: list[Array] = [np.zeros((1, 600))]
    for stage in stages:
        signals.append(stage(signals[-1]))
    g: Any = np.ones_like(signals.pop())
    for stage, x in zip(reversed(stages), reversed(signals), strict=True):
        g = adjoint(stage, x, g).input
    lines = [line for line in gradient_lines(Chain(stages)) if line.amplitude is not None]
    seen = spikes(np.arange(7) / 12, decibels(np.fft.rfft(g[0, 240:252]) / 12))
    told = decibels([line.amplitude[0] for line in lines if line.amplitude is not None])
    curves = Curve("gradient, transformed", *seen, joined=True), Curve("lines", np.arange(len(lines)) / 12, told)
    return Drawing("cycles per input sample", "dB", curves)


def envelope() -> Drawing:
    """Draw the strongest line of a Hann window of 240 samples against the hop, over summed frames, transformed."""
    hops = np.arange(20, 200)
    told = [max(line.level_dbc or FLOOR for line in stft_gradient_lines("hann", int(H), length=240)[1:]) for H in hops]
    w2 = np.sin(np.pi * np.arange(240) / 240) ** 4
    seen = []
    for H in hops[::6]:
        frames = np.zeros(20 * H + 240)
        for m in range(21):
            frames[m * H : m * H + 240] += w2
        c = np.abs(np.fft.rfft(frames[240 : 240 + H] if 240 + H < 20 * H else frames[12 * H : 13 * H]))
        seen.append(c[1:].max() / c[0])
    curves = Curve("W2(k/hop)/W2(0)", hops, np.maximum(told, FLOOR), True), Curve("frames", hops[::6], decibels(seen))
    return Drawing("hop of a Hann window of 240", "strongest line in dBc", curves)


def shuffle() -> Drawing:
    """Draw what the mean over the shifts of a phase shuffle has of a component, over the mean of shifted sines."""
    f, curves = np.linspace(0, 0.5, 251), []
    shifts = np.arange(-4, 5)
    for n in (1, 2, 4):
        told = [phase_shuffle_attenuation(n, Fraction(k, 500)) for k in range(251)]
        seen = np.exp(2j * np.pi * np.outer(f[::10], shifts[4 - n : 5 + n])).mean(axis=-1).real
        curves += [Curve(f"n = {n}: formula", f, np.array(told), joined=True), Curve(f"n = {n}: shifts", f[::10], seen)]
    return Drawing("cycles per sample", "share of the amplitude", tuple(curves))


def rectified() -> Drawing:
    """Draw the line at sr/s that ReLU makes of linearly interpolated noise, by the variances and of noise drawn."""
    rng, s = np.random.default_rng(4), np.array([3, 4, 5, 6, 8, 10])
    told = [rectified_db(phase_powers(np.array(Linear(int(n)).normal.h, float), int(n))) for n in s]
    seen = []
    for n in s:
        y = np.maximum(Linear(int(n))(rng.standard_normal((40, 3000))), 0)[:, 10 * n : -10 * n]
        c = np.abs(np.fft.rfft(y.reshape(-1, n).mean(axis=0)))
        seen.append(c[1:].max() / c[0])
    curves = Curve("from the variances", s, np.array(told, float), joined=True), Curve("noise", s, decibels(seen))
    return Drawing("factor of linear interpolation", "strongest line, dB re DC", curves)


def cure() -> Drawing:
    """Draw the lines of a random kernel, and of the nearest that makes none."""
    h, s = np.random.default_rng(6).standard_normal(16), 8
    rows = {"random": h, "nearest tone-free": tone_free(h, s)}
    found = {name: tone_lines(Chain([TransposedConv(taps[None, None], stride=s)])) for name, taps in rows.items()}
    levels = {name: decibels([x.amplitude[0] for x in row if x.amplitude is not None]) for name, row in found.items()}
    curves = (Curve(name, *spikes(np.arange(5) / s + 0.004 * i, y), True) for i, (name, y) in enumerate(levels.items()))
    return Drawing("cycles per output sample", "dB re an offset of 1", tuple(curves))


def _random(*rows: tuple[int, int], seed: int = 1) -> Chain:
    rng = np.random.default_rng(seed)
    return Chain([TransposedConv(rng.standard_normal((1, 1, K)), stride=s) for K, s in rows])


_TRIANGLE = FilterInterp(2, np.array([0.5, 1, 0.5]), offset=1)
_BIASED = SubpixelConv(np.ones((4, 1, 3)), 4, padding=1, bias=np.array([0.1, 0.0, -0.1, 0.05]))

DRAWINGS: dict[tuple[str, str], Draw] = {
    ("UA-T1", "images"): partial(replicas, ("stretch x2", ZeroStuff(2), 0)),
    ("UA-T2", "comb"): partial(comb, _random((6, 6))),
    ("UA-T3", "comb"): partial(comb, _random((8, 4), (6, 3))),
    ("UA-T4", "comb"): partial(comb, _random((4, 2), (4, 2), (4, 2))),
    ("UA-T5", "response"): partial(shown, ("box of 4", Nearest(4)), ("linear x4", Linear(4))),
    ("UA-T6", "dirichlet"): dirichlet,
    ("UA-T7", "levels"): levels,
    ("UA-T8", "borders"): borders,
    ("UA-T9", "comb"): partial(comb, Chain([_BIASED])),
    ("UA-T10", "comb"): partial(comb, Chain([Unsqueeze(1, 8)]), offset=np.array([1.0, 0.3, 0, 0.2, 1, 0.5, 0, 0.1])),
    ("UA-T11", "response"): partial(
        shown, ("nearest x2", Nearest(2)), ("linear x2", Linear(2)), ("triangle x2", _TRIANGLE)
    ),
    ("UA-T12", "images"): partial(
        replicas, ("nearest x2", Nearest(2), 1), ("triangle x2", _TRIANGLE, 2), ("linear x2", Linear(2), 3)
    ),
    ("UA-T13", "variance"): variance,
    ("UA-T14", "images"): partial(replicas, ("stretch x2", ZeroStuff(2), 0)),
    ("UA-T15", "depth"): depth,
    ("UA-T16", "offsets"): offsets,
    ("UA-T17", "comb"): partial(comb, Chain([*_random((8, 4)).stages, _BIASED]), offset=0.5),
    ("UA-T18", "gradient"): gradient,
    ("UA-T19", "envelope"): envelope,
    ("UA-T20", "cure"): cure,
    ("UA-T21", "shuffle"): shuffle,
    ("UA-T22", "rectified"): rectified,
    ("UA-T23", "moments"): second_moments,
    ("UA-T24", "combs"): comb_theorem,
    ("UA-T25", "lengths"): handed_on,
    ("UA-T26", "biases"): late_biases,
    ("UA-T27", "uniform"): uniform_biases,
    ("UA-T28", "constants"): constants,
    ("UA-T29", "remaining"): remaining,
    ("UA-T30", "notch"): notch,
    ("UA-T31", "rare"): rare,
}
"""The drawing of each claim, by its id and name."""
