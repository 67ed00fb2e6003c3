"""What the figures of claims about expected spectra show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dspref.arrays import Array
from dspref.chain import Pointwise
from dspref.claims.curves import Curve, Drawing, decibels
from dspref.expected.architectures import melgan
from dspref.expected.filters import fixed
from dspref.expected.graph import Network, Node, network
from dspref.expected.network import Drawn
from dspref.expected.source import Source
from dspref.expected.spectrum import expected_spectrum
from dspref.interpolators import Linear

EPS = 1e-15
"""Power of a line over that of DC below which it is rounding."""


def second_moments() -> Drawing:
    """Draw lines of a constant through a transposed layer ×4 against its length, over all patterns of signs of ±σ."""
    K = np.arange(1, 13)
    told = [expected_spectrum([Drawn("convt", 1, 1, int(n), 4)], Source(1, constant=1.0), route="full") for n in K]
    seen = []
    for n in K:
        sign = 1 - 2.0 * (np.arange(2 ** (n + 1))[:, None] >> np.arange(n + 1) & 1)
        taps = np.concatenate([sign[:, :n], np.zeros((len(sign), -n % 4))], axis=1).reshape(len(sign), -1, 4)
        y = (taps.sum(axis=1) + sign[:, n:]) / np.sqrt(3 * n)
        seen.append((np.abs(np.fft.fft(y) / 4) ** 2).mean(axis=0))
    curves = []
    for k, name in ((0, "DC"), (1, "line at sr/4")):
        curves.append(Curve(f"{name}: formula", K, 10 * np.log10([each.line(k) for each in told]), joined=True))
        curves.append(Curve(f"{name}: all patterns", K, 10 * np.log10([each[k] for each in seen])))
    return Drawing("taps of a transposed layer x4, with bias", "dB re an offset of 1", tuple(curves))


def comb_theorem() -> Drawing:
    """Draw all lines of a MelGAN without residual stacks by the full matrix, and the heights of its five combs."""
    steps, source, k = melgan(stacks=0), Source(80, constant=1.0), np.arange(129)
    full, combs = (expected_spectrum(steps, source, route=route) for route in ("full", "combs"))
    assert full.lines is not None
    curves = [Curve("full matrix", k / 256, 10 * np.log10(full.lines[k]), joined=True)]
    for comb in combs.combs:
        own = [n for n in k if next(c for c in combs.combs if n * c.divisor % 256 == 0) is comb]
        name = f"comb at sr/{comb.divisor}" if comb.divisor > 1 else "DC"
        curves.append(Curve(name, np.array(own) / 256, np.full(len(own), 10 * np.log10(comb.power))))
    return Drawing("cycles per output sample", "dB re the input's power", tuple(curves))


def handed_on() -> Drawing:
    """Draw the line at sr/4 of noise behind linear ×4, a convolution and ReLU, against its length."""
    rng, K, C = np.random.default_rng(2), np.arange(1, 13), 512
    h, seen = np.array(Linear(4).normal.h, float), []
    told: dict[bool, list[float]] = {False: [], True: []}
    hits = np.array([[h[n + 4 - 4 * i] if 0 <= n + 4 - 4 * i < 8 else 0.0 for i in range(8)] for n in range(16)])
    for n in K:
        steps = fixed(Linear(4)), Drawn("conv", C, C, int(n), bias=0), Pointwise("relu")
        for on, ratios in told.items():
            found = expected_spectrum(steps, Source(C, covariance=(1.0,)), width_terms=on)
            power = found.line(1) / found.line(0)
            ratios.append(np.sqrt(power) if power > EPS else 0.0)
        w = rng.uniform(-1, 1, (64, C, n))
        q = [((w @ hits[r : r + n]) ** 2).sum(axis=(1, 2)) for r in range(4)]  # variances of each kernel's output
        c = (np.abs(np.fft.fft(np.sqrt(q), axis=0)) ** 2).mean(axis=1)
        seen.append(np.sqrt(c[1] / c[0]))
    curves = (
        Curve("limit of wide layers", K, decibels(told[False]), True),
        Curve(f"with terms of order 1/{C}", K, decibels(told[True])),
        Curve(f"kernels of {C} channels", K, decibels(seen)),
    )
    return Drawing("taps of the convolution between", "line at sr/4, dB re DC", curves)


def late_biases() -> Drawing:
    """Draw MelGAN's combs: as they are, without the input, and without the biases of some layers."""
    net = network(melgan())
    cases = {
        "ones": (net, 1.0),
        "input silenced": (net, 0.0),
        "biases silenced from upsampling layer 3 on": (_silenced(net, 13, 99), 1.0),
        "biases silenced before it": (_silenced(net, 1, 12), 1.0),
    }
    curves = []
    for name, (each, constant) in cases.items():
        combs = expected_spectrum(each, Source(80, constant=constant)).combs
        M, levels = [comb.divisor for comb in combs], [-170.0 if comb.db is None else comb.db for comb in combs]
        curves.append(Curve(name, np.log2(M), np.array(levels), name == "ones"))
    return Drawing("log2 M of the combs at multiples of sr/M", "dB re the input's power", tuple(curves))


def _silenced(net: Network, first: int, last: int) -> Network:
    """Return a network of numbered steps without the biases of some."""

    def quiet(node: Node) -> Node:
        within = first <= int(node.name.split(".")[0]) <= last
        return replace(node, op=replace(node.op, bias=0)) if within and isinstance(node.op, Drawn) else node

    return Network(tuple(map(quiet, net.nodes)))


def uniform_biases() -> Drawing:
    """Draw the line at sr/4 behind a sub-pixel layer x4 and a map against the share of its biases, and as drawn."""
    n, share, rng = 100_000, np.linspace(0.05, 0.95, 10), np.random.default_rng(3)
    x, b = rng.standard_normal((4, n)), rng.uniform(-1, 1, (4, n)) * np.sqrt(3)
    maps: dict[str, Callable[[Array], Array]] = {"relu": lambda y: np.maximum(y, 0), "sigmoid": _sigmoid}
    curves = []
    for name, phi in maps.items():
        for law in ("normal", "uniform"):
            layers = [Drawn("shuffle", 8, 8, 1, 4, weight=(1 - B) / 8, bias=B, bias_law=law) for B in share]
            told = [expected_spectrum([layer, Pointwise(name)], Source(8, 1.0)).combs[1].power for layer in layers]
            curves.append(Curve(f"{name}, {law} biases", share, 10 * np.log10(told), joined=True))
        lines = [np.fft.fft(phi(np.sqrt(1 - B) * x + np.sqrt(B) * b), axis=0)[1] / 4 for B in share]
        curves.append(Curve(f"{name}, draws", share, 10 * np.log10([np.mean(np.abs(c) ** 2) for c in lines])))
    return Drawing("share of the biases in the variance", "dB re an offset of 1", tuple(curves))


def _sigmoid(y: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-y)))
