"""Second moments against every pattern of signs of the weights, none drawn, and against dense matrices on a circle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from dspref import Linear, Nearest
from dspref.arrays import Array
from dspref.chain import Pointwise
from dspref.expected import (
    Concat,
    Drawn,
    Expected,
    Fixed,
    Gate,
    Source,
    Step,
    Sum,
    average_pool,
    expected_spectrum,
    fixed,
    kernel_map,
)
from dspref.expected.graph import network
from dspref.expected.moments import Moments
from dspref.expected.offsets import Offsets
from dspref.expected.walk import started, walk


class Signs:
    """All patterns of ±σ for as many weights as are asked for, one column of a truth table after another."""

    def __init__(self, bits: int, *, bias: bool = True) -> None:
        self.patterns, self.bits, self.used, self.bias = np.arange(2**bits), bits, 0, bias

    def take(self, shape: tuple[int, ...], variance: Any) -> Array:
        n = math.prod(shape) if variance else 0
        columns = np.arange(self.used, self.used + n)
        self.used += n
        signs = 1.0 - 2 * (self.patterns[:, None] >> columns & 1)
        return math.sqrt(variance) * signs.reshape(-1, *shape) if n else np.zeros((1, *shape))


def convolved(x: Array, layer: Drawn, signs: Signs, channels: int, s: int) -> Array:
    """Return ``y[n] = Σ_j w_j x[ns + jd − p] + b`` on a circle: x (patterns, channel, time)."""
    w = signs.take((channels, layer.width, layer.length), layer.weight)
    b = signs.take((channels,), layer.bias)
    n = np.arange(x.shape[-1] // s) * s
    y = np.zeros((len(w), channels, len(n)))
    for o in range(channels):
        first = o // (channels // layer.groups) * layer.width
        for i in range(layer.width):
            for j in range(layer.length):
                at = (n + j * layer.dilation - layer.padding) % x.shape[-1]
                y[:, o] += w[:, o, i, j, None] * x[:, first + i][:, at]
    return np.asarray(y + signs.bias * b[..., None])


def transposed(x: Array, layer: Drawn, signs: Signs) -> Array:
    """Add the kernel at ns − p for each sample n of the input, on a circle."""
    w = signs.take((layer.inputs, layer.outputs // layer.groups, layer.length), layer.weight)
    b = signs.take((layer.outputs,), layer.bias)
    T = x.shape[-1] * layer.factor
    y = np.zeros((len(w), layer.outputs, T))
    for i in range(layer.inputs):
        first = i // layer.width * (layer.outputs // layer.groups)
        for o in range(w.shape[2]):
            for k in range(layer.length):
                for n in range(x.shape[-1]):
                    y[:, first + o, (n * layer.factor + k * layer.dilation - layer.padding) % T] += (
                        w[:, i, o, k] * x[:, i, n]
                    )
    return np.asarray(y + signs.bias * b[..., None])


def shuffled(x: Array, layer: Drawn, signs: Signs) -> Array:
    """Convolve to s·outputs channels, and put sample n of channel os + r at place ns + r of channel o."""
    s = layer.factor
    if layer.icnr:
        free = Signs(0, bias=False)
        free.patterns, free.used = signs.patterns, signs.used
        phases = np.repeat(convolved(x, layer, free, layer.outputs, 1), s, axis=1)
        signs.used += layer.outputs * layer.width * layer.length
        phases = phases + signs.bias * signs.take((layer.outputs * s,), layer.bias)[..., None]
    else:
        phases = convolved(x, layer, signs, layer.outputs * s, 1)
    y = phases.reshape(len(phases), layer.outputs, s, -1)
    return y.swapaxes(2, 3).reshape(len(phases), layer.outputs, -1)


def filtered(x: Array, u: Fixed) -> Array:
    """Stretch, filter and decimate, on a circle."""
    z = np.zeros((*x.shape[:2], x.shape[-1] * u.factor))
    z[..., :: u.factor] = x
    y = np.sum([h * np.roll(z, k - u.offset, axis=-1) for k, h in enumerate(u.h)], axis=0)
    return np.asarray(y[..., :: u.stride])


def run(x: Array, steps: Sequence[Step], signs: Signs) -> Array:
    """Return the output for all patterns."""
    for step in steps:
        if isinstance(step, Fixed):
            x = filtered(x, step)
        elif isinstance(step, (Sum, Concat)):
            branches = np.broadcast_arrays(*(run(x, branch, signs)[..., None] for branch in step.branches))
            parts = [np.asarray(part[..., 0]) for part in branches]
            x = np.concatenate(parts, axis=1) if isinstance(step, Concat) else np.asarray(sum(parts))
        else:
            assert isinstance(step, Drawn)
            s = step.factor
            if step.op == "conv":
                x = convolved(x, step, signs, step.outputs, s)
            else:
                x = (transposed if step.op == "convt" else shuffled)(x, step, signs)
    return x


def drawn(op: str, inputs: int, outputs: int, length: int, **other: Any) -> Drawn:
    return Drawn(op, inputs, outputs, length, **({"weight": 0.7, "bias": 0.3} | other))


NETS: dict[str, tuple[int, int, tuple[Step, ...]]] = {
    "transposed, partial overlap, biases": (
        16,
        1,
        (
            drawn("convt", 1, 1, 4, factor=3, padding=1),
            drawn("convt", 1, 2, 3, factor=2, padding=3, weight=0.2),
            drawn("conv", 2, 1, 1),
        ),
    ),
    "sub-pixel, nearest, convolution": (
        16,
        1,
        (drawn("shuffle", 1, 1, 3, factor=2, padding=1), fixed(Nearest(2)), drawn("conv", 1, 2, 3, dilation=2)),
    ),
    "transposed, linear, convolution": (
        15,
        1,
        (drawn("convt", 1, 2, 3, factor=2), fixed(Linear(2)), drawn("conv", 2, 1, 3, padding=2)),
    ),
    "strided convolution, transposed": (
        15,
        1,
        (drawn("conv", 1, 2, 2, factor=2), drawn("convt", 2, 1, 4, factor=3, padding=2, dilation=2)),
    ),
    "skip, sub-pixel with ICNR, convolution": (
        17,
        1,
        (
            Sum(((), (drawn("conv", 1, 1, 3, padding=1),))),
            drawn("shuffle", 1, 1, 3, factor=2, icnr=True),
            drawn("conv", 1, 2, 3),
        ),
    ),
    "concatenation, average pooling, transposed": (
        15,
        1,
        (
            Concat(((), (drawn("convt", 1, 1, 3, factor=2, padding=1), average_pool(3, stride=2, padding=1)))),
            drawn("convt", 2, 1, 5, factor=3),
        ),
    ),
    "blocks that share their input, thirded": (
        16,
        1,
        (
            drawn("convt", 1, 1, 3, factor=2),
            Sum(((Sum(((), (drawn("conv", 1, 1, 3, padding=1),))),), (Sum(((), (drawn("conv", 1, 1, 2),))),), ())),
            Fixed(np.array([1 / 3])),
            Sum(((Fixed(np.ones(1), offset=-1),), (drawn("conv", 1, 1, 1), Fixed(np.ones(1), offset=1)))),
            drawn("conv", 1, 1, 2),
        ),
    ),
    "groups, transposed in groups": (
        16,
        2,
        (drawn("conv", 2, 2, 3, groups=2), drawn("convt", 2, 2, 3, factor=2, groups=2)),
    ),
}


CASES = [pytest.param(*net, id=name) for name, net in NETS.items()]


def moments_of(steps: tuple[Step, ...], source: Source) -> tuple[Moments, Expected]:
    return walk(started(Moments.of(source), source), network(steps)).moments, expected_spectrum(
        steps, source, route="full"
    )


@pytest.mark.parametrize(("bits", "channels", "steps"), CASES)
def test_lines_are_those_of_all_patterns_of_signs(bits: int, channels: int, steps: tuple[Step, ...]) -> None:
    """F, and the mean of abs(c_k)², for a constant: averages over 2¹⁵ patterns and more, to 1e−11."""
    source = Source(channels, constant=1.3)
    moments, found = moments_of(steps, source)
    signs = Signs(bits)
    x = np.full((1, channels, 4), 1.3)
    y = run(x, steps, signs)
    assert len(y) == 2**bits >= 2**15
    T, P = y.shape[-1], moments.period
    F = np.einsum("pcn,pcm->nm", y, y) / (y.shape[0] * y.shape[1])
    scale = np.abs(F).max()
    n = np.arange(T) % P
    assert np.abs(moments.F[np.ix_(n, n)] - F).max() <= 1e-11 * scale
    c = np.fft.fft(y[..., :P], axis=-1) / P
    assert found.lines is not None
    assert np.abs(found.lines - (np.abs(c) ** 2).mean(axis=(0, 1))).max() <= 1e-11 * scale
    assert found.exact


@pytest.mark.parametrize(("bits", "channels", "steps"), CASES)
def test_the_floor_is_that_of_all_patterns_of_signs(bits: int, channels: int, steps: tuple[Step, ...]) -> None:
    """D for white noise: ``Σ h[n] h[n + τ]`` over the places of the input, h of every pattern of signs."""
    source, long = Source(channels, covariance=(1.0,)), 8
    moments, found = moments_of(steps, source)
    P, total, outputs = moments.period, None, 1
    places = [(i, a) for i in range(channels) for a in range(2)]  # the input's share of a period is 1 or 2
    nu = np.arange(64) / 64
    for i, a in places:
        x = np.zeros((1, channels, long))
        x[0, i, a] = 1
        h = run(x, steps, Signs(bits, bias=False))
        outputs, T = h.shape[1], h.shape[-1]
        R = np.einsum("pcn,pcm->nm", h, h) / h.shape[0]
        total = R if total is None else total + R
    assert total is not None
    period_in = P * long // T  # input samples in one period
    D = np.zeros((len(moments.lags), P))
    for n in range(T):
        for place, lag in enumerate(moments.lags):
            D[place, n % P] += total[n, (n + lag) % T]
    D /= outputs * len(places) / channels / period_in
    assert np.abs(moments.D - D).max() <= 1e-11 * np.abs(D).max()
    wide = np.array([sum(total[n, (n + lag) % T] for n in range(T)) for lag in range(-T // 2, T // 2)])
    wide *= D[0].mean() / total.diagonal().sum()
    spectrum = np.cos(2 * np.pi * np.multiply.outer(nu, np.arange(-T // 2, T // 2))) @ wide
    assert np.abs(found.floor(nu) - spectrum).max() <= 1e-11 * np.abs(D).max()
    assert found.lines is not None
    assert found.noise == pytest.approx(D[moments.lags == 0].mean(), rel=1e-11)


def dense(K: Array, steps: Sequence[Step]) -> Array:
    """Return all second moments on a circle, (T, T): the same rules, matrix by matrix, without F, D or periods."""
    offsets = Offsets()
    for step in steps:
        T = len(K)
        if isinstance(step, (Pointwise, Gate)):
            q, phase = K.diagonal(), np.arange(T) % offsets.phases
            both = [kernel_map(step, offsets, apart=apart)(q[:, None], q[None], K) for apart in (False, True)]
            K = np.where(phase[:, None] == phase, *both)
        elif isinstance(step, Fixed):
            offsets = Offsets()
            A = np.array([filtered(row[None, None], step)[0, 0] for row in np.eye(T)]).T
            K = A @ K @ A.T
        else:
            assert isinstance(step, Drawn)
            up = step.factor if step.op == "convt" else 1
            hits = np.zeros((step.length, T * up, T))  # which sample of the input a tap brings to which of the output
            for k in range(step.length):
                for n in range(T):
                    place = k * step.dilation - step.padding
                    hits[k, (n * up + (place if step.op == "convt" else -place)) % (T * up), n] = 1
            K = float(step.gain) * np.sum([h @ K @ h.T for h in hits], axis=0)
            if step.op == "conv":
                K = K[:: step.factor, :: step.factor]
            elif step.op == "shuffle":
                K = np.kron(K, np.eye(step.factor)) + float(step.bias) * np.kron(np.ones(K.shape), np.eye(step.factor))
            K = K if step.op == "shuffle" else K + float(step.bias)
            offsets = Offsets((float(step.bias),), step.factor if step.op == "shuffle" else 1)
    return K


MAPPED: dict[str, tuple[Step, ...]] = {
    "linear, silu": (
        drawn("convt", 4, 4, 3, factor=2),
        fixed(Linear(2)),
        drawn("conv", 4, 4, 3, padding=1),
        Pointwise("silu"),
        drawn("conv", 4, 4, 2),
        Pointwise("leaky", (0.2,)),
    ),
    "nearest, gate, sub-pixel": (
        fixed(Nearest(3)),
        drawn("conv", 4, 8, 2, dilation=2),
        Gate(Pointwise("tanh"), Pointwise("sigmoid")),
        drawn("shuffle", 4, 4, 3, factor=2, padding=1),
        fixed(Nearest(2)),
        drawn("conv", 4, 4, 1),
        Pointwise("relu"),
    ),
    "partial overlap, down by three": (
        drawn("convt", 4, 4, 5, factor=4, padding=5),
        Pointwise("gelu"),
        fixed(Linear(3)),
        drawn("conv", 4, 4, 4, factor=3, padding=1),
        Pointwise("elu"),
    ),
}


@pytest.mark.parametrize("steps", MAPPED.values(), ids=MAPPED)
def test_moments_of_maps_are_those_of_the_dense_recursion(steps: tuple[Step, ...]) -> None:
    """F + D, a constant and coloured noise at the input, in every place of a circle that no lag goes round."""
    T, source = 16, Source(4, constant=0.8, covariance=(1.0, 0.4))
    lag = (np.arange(T)[:, None] - np.arange(T) + T // 2) % T - T // 2
    K = dense(source.constant**2 + np.select([lag == 0, np.abs(lag) == 1], [1.0, 0.4], 0.0), steps)
    x = walk(started(Moments.of(source), source), network(steps)).moments
    n = np.arange(len(K))
    assert x.lags.max() < len(K) / 2
    ours = x.F[np.ix_(n % x.period, n % x.period)]
    for i, tau in enumerate(x.lags):
        ours[n, (n + tau) % len(K)] += x.D[i][n % x.period]
        if tau:
            ours[(n + tau) % len(K), n] += x.D[i][n % x.period]
    assert np.abs(ours - K).max() <= 1e-12 * K.max()
